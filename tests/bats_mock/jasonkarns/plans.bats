# shellcheck disable=SC2016 # lines of plans are expanded by the calls, functions are called by them
load ../helper
load "$MOCK"

@test "two lines in order" {
  stub date "-r 222 : echo 'I am stubbed!'" "-r 222 : echo 'Wed Dec 31'"
  run date -r 222
  saw_run
  run date -r 222
  saw_run
  unstub date
}

@test "lines of a second stub are added" {
  stub tool "one : echo 1"
  stub tool "two : echo 2"
  run tool one
  saw_run
  run tool two
  saw_run
  unstub tool
}

@test "a line without arguments accepts any" {
  stub tool "echo got \"\$*\" of \$#"
  run tool a 'b c' ''
  saw_run
  unstub tool
}

@test "empty lines are none" {
  stub tool "" "one : echo 1" "" $'\n\n' "two : echo 2" ""
  run tool one
  saw_run
  run tool two
  saw_run
  unstub tool
}

@test "one word of several lines is several" {
  stub tool $'one : echo 1\n\ntwo : echo 2\n'
  run tool one
  saw_run
  run tool two
  saw_run
  unstub tool
}

@test "only the first colon splits" {
  stub tool "a : echo x : y" ": echo none : at all" "a:b : echo near"
  run tool a
  saw_run
  run tool
  saw_run
  run tool a:b
  saw_run
  unstub tool
}

@test "a plan without lines and no call" {
  stub tool
  unstub tool
}

@test "a call of a plan without lines" {
  stub tool
  run tool
  saw_run
  run unstub tool
  saw "unstub $status"
}

@test "too many calls" {
  stub tool "echo one"
  run tool
  run tool
  saw_run
  run unstub tool
  saw "unstub $status"
}

@test "too few calls" {
  stub tool "x : echo one" "x : echo two"
  run tool x
  run unstub tool
  saw "unstub $status"
}

@test "too few calls fail the test" {
  stub tool "x : echo one"
  unstub tool
}

@test "a call that does not match consumes its line" {
  stub tool "a : echo one" "b : echo two"
  run tool b
  saw_run
  run tool b
  saw_run
  run unstub tool
  saw "unstub $status"
}

@test "a mismatch fails the test at unstub" {
  stub tool "a : echo one"
  run tool b
  saw_run
  unstub tool
}

@test "what is not stubbed" {
  run unstub nothing
  saw "unstub $status"
}

@test "unstub twice" {
  stub tool "echo one"
  run tool
  unstub tool
  run unstub tool
  saw "unstub $status"
}

@test "stubbed again after unstub" {
  stub tool "a : echo one"
  run tool a
  unstub tool
  stub tool "b : echo two"
  run tool b
  saw_run
  unstub tool
}

@test "after unstub the real one is found again" {
  stub uname "echo mocked"
  run uname
  saw_run
  unstub uname
  run uname
  saw_run
}

@test "two programs at once, unstubbed in the order in which they came" {
  stub one "a : echo 1"
  stub two "b : echo 2"
  run two b
  saw_run
  unstub one || saw "one $?"
  run two b
  saw_run
  run unstub two
  saw "two $status"
}
