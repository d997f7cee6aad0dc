# What becomes of a failing verification, and the file's own teardown.
# shellcheck disable=SC2317 # a body that exits does not make what bats calls unreachable
setup() {
  bats_load_library cmdmox
}

teardown() {
  echo "teardown of: $BATS_TEST_DESCRIPTION"
  case $BATS_TEST_DESCRIPTION in
    *"that skips"*) skip "nobody is to see it" ;;
    *"that exits"*) exit 0 ;;
    *"that fails"*) return 3 ;;
  esac
}

@test "runs after the verification" {
  cmdmox_mock git
}

@test "one that skips hides nothing" {
  cmdmox_mock git
}

@test "one that exits hides nothing" {
  cmdmox_mock git
}

@test "one that fails, too" {
  cmdmox_mock git
}

@test "one that fails alone" {
  cmdmox_stub git
}

@test "one that skips alone" {
  cmdmox_stub git
}

@test "a test that is skipped is not judged" {
  cmdmox_mock git push
  run git pull
  skip "for a reason"
}

@test "a body that fails, and one that fails" {
  cmdmox_mock git
  false
}

@test "a body that leaves by exit" {
  cmdmox_mock git
  exit 4
}
