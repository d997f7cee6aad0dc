# A session belongs to one test.
bats_load_library cmdmox

setup_file() {
  cmdmox_stub git
}

@test "not reached" {
  false
}
