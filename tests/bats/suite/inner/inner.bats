setup() {
  bats_load_library cmdmox
}

@test "it has sessions of its own" {
  cmdmox_mock git inner
  git inner
  [ "$(cmdmox_calls git)" -eq 1 ]
}
