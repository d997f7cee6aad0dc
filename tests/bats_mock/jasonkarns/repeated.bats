# shellcheck disable=SC2016 # lines of plans are expanded by the calls, functions are called by them
load ../helper
load "$MOCK"

@test "each call gets the first line that accepts it" {
  stub_repeated tool "a* : echo first" "ab : echo second" "c : echo third"
  run tool ab
  saw_run
  run tool c
  saw_run
  run tool ab
  saw_run
  run unstub tool
  saw "unstub $status"
}

@test "what no line accepts" {
  stub_repeated tool "a : echo first"
  run tool b
  saw_run
  run unstub tool
  saw "unstub $status"
}

@test "never called" {
  stub_repeated tool "a : echo first"
  run unstub tool
  saw "unstub $status"
}

@test "called less often than there are lines" {
  stub_repeated tool "a : echo first" "b : echo second"
  run tool a
  run unstub tool
  saw "unstub $status"
}

@test "a line without patterns has the first one of the line before" {
  stub_repeated tool "a b : echo first" "echo second"
  run tool a b
  saw_run
  run tool a c
  saw_run
  run tool x
  saw_run
  run unstub tool
  saw "unstub $status"
}

@test "a line without patterns alone" {
  stub_repeated tool "echo first"
  run tool x y
  saw_run
  run tool
  saw_run
  unstub tool
}

@test "lines of stub are repeated, too, and after unstub" {
  stub_repeated tool "a : echo first"
  stub tool "b : echo second"
  run tool b
  saw_run
  run tool b
  saw_run
  unstub tool
  stub tool "c : echo third"
  run tool c
  run tool c
  saw_run
  unstub tool
}

@test "another program is not repeated" {
  stub_repeated tool "a : echo first"
  stub other "a : echo first"
  run other a
  run other a
  saw_run
  run unstub other
  saw "unstub $status"
}
