# What a failing verification looks like: with the line of the test, and the lines of the doubles.
setup() {
  bats_load_library cmdmox
}

@test "a mock that is never called" {
  cmdmox_mock git push origin
}

@test "a call that nobody expected" {
  cmdmox_mock git push origin main
  run git push upstream main
  [ "$status" -eq 125 ]
  echo "$output"
}

@test "too many calls, and a second problem" {
  cmdmox_mock --times 2 curl
  cmdmox_mock wget --quiet
  curl && curl
  run curl -s
}

@test "the body's failure comes first" {
  cmdmox_mock git push origin
  run git push
  [ "$status" -eq 0 ]
}

@test "the body's failure alone, with nothing wrong in the calls" {
  cmdmox_mock git push
  git push
  false
}

@test "verified in the test" {
  cmdmox_mock git push
  cmdmox_verify
}

@test "ended in the test" {
  cmdmox_mock git push
  cmdmox_end
}

helper() {
  cmdmox_mock git "$1"
}

@test "a double that a function of the file declares" {
  helper push
}

@test "a double with a place of its own" {
  cmdmox_mock --at somewhere:7 git push
}

@test "contained" {
  cmdmox_start --contained
  run uname -r
}

@test "calls after a verification that passed" {
  cmdmox_mock git push
  git push
  cmdmox_verify
  run git pull
}

@test "a verification that only run has seen" {
  cmdmox_mock git
  run cmdmox_verify
  run true
}

@test "a verification that only a script has seen" {
  cmdmox_mock git
  "$CMDMOX_PROGRAM" verify 2>/dev/null || true
}

@test "calls after a verification that failed in the test, and was ignored" {
  cmdmox_mock git
  cmdmox_verify 2>/dev/null || true
  run git pull
  run git push
}

@test "a mock that is never called, in a test that defines a function" {
  cmdmox_mock git push
  of_the_test() {
    true
  }
  of_the_test
}

deploy() {
  true
}

@test "a mock of a function, which needs an option" {
  cmdmox_mock deploy prod
  cmdmox_mock --function helper
  deploy prod
}

@test "the same, verified in the test" {
  cmdmox_mock --function --times 2 helper
  cmdmox_mock deploy
  deploy
  cmdmox_verify
}
