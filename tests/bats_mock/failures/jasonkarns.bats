# shellcheck disable=SC2016 # lines of plans are expanded by the calls, functions are called by them
load ../helper
load "$MOCK"

said() {
  run unstub "$1"
  saw "status $status"
  printf '%s\n\n' "$output" >>"$SAW"
}

@test "another argument" {
  stub git "fetch : true" "push v* : echo pushed"
  git fetch
  git push w1 main || true
  said git
}

@test "a call too many" {
  stub git "fetch : true"
  git fetch
  git push 'a b' || true
  said git
}

@test "calls that did not come" {
  stub git "fetch : true" "push : true"
  said git
}

@test "repeated, and called less often than there are lines" {
  stub_repeated git "fetch : true" "push : true"
  git fetch
  git pull || true
  stub git "tag : true"
  said git
}

@test "what is not stubbed" {
  said git
}
