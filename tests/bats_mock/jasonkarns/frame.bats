# shellcheck disable=SC2034,SC2317 # lines of plans are expanded by the calls, functions are called by them
load ../helper
load "$MOCK"

setup_file() {
  export -f stub unstub
}

setup() {
  stub date "-r 222 : echo stubbed"
}

teardown() {
  unstub date
}

@test "stubbed in setup, unstubbed in teardown" {
  run date -r 222
  saw_run
}

@test "what was not called fails in teardown" {
  saw "nothing"
}

@test "a mismatch fails in teardown" {
  run date
  saw_run
}

@test "in a script, of sh" {
  run sh -c 'date -r "$1"' sh 222
  saw_run
}

@test "in the test's own shell, which knew the real one" {
  type date >/dev/null
  saw "$(date -r 222)"
}

@test "the test's own names are left alone" {
  name=mine plan=mine line=mine status_of=mine shim=mine
  stub tool "echo x"
  run tool
  unstub tool
  saw "$name $plan $line $status_of $shim $(date -r 222)"
}

@test "names with dashes and digits" {
  stub my-tool2 "a : echo with a dash"
  run my-tool2 a
  saw_run
  unstub my-tool2
  date -r 222
}
