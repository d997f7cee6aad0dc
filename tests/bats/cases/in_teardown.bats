# In the file's own teardown there is no session any more.
setup() {
  bats_load_library cmdmox
}

teardown() {
  case $BATS_TEST_DESCRIPTION in
    asks) assert_called git ;;
    declares*) cmdmox_mock git ;;
  esac
}

@test "asks" {
  cmdmox_spy git
  git
}

@test "declares" {
  cmdmox_spy git
}

@test "declares, and nothing else" {
  [ "$BATS_TEST_NAME" ]
}
