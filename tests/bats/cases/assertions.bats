# What failing assertions look like.
setup() {
  bats_load_library cmdmox
  if [ "${CASE_SUPPORT-}" ]; then
    bats_load_library bats-support
  fi
  cmdmox_spy git
  cmdmox_stub cat
  git push origin
  git pull --rebase
}

@test "called" {
  assert_called git push upstream
}

@test "called at all" {
  assert_called git
  assert_called curl
}

@test "not called" {
  refute_called curl
  refute_called git pull
  refute_called git pull --rebase
}

@test "last called" {
  assert_last_called git push origin
}

@test "called so many times" {
  assert_called_times 2 git
  assert_called_times 1 git
}

@test "called so many times, said otherwise" {
  assert_called_times git 1
}

@test "called with an option that there is not" {
  assert_called --with git
}

@test "without a word of it in a test that says so" {
  run assert_called curl
  [ "$status" -eq 1 ]
  run refute_called git
  [ "$status" -eq 1 ]
}
