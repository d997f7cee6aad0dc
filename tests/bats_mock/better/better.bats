# shellcheck disable=SC2016,SC2317 # lines of plans are expanded by the calls, functions are called by them
# Where the originals fail: what suites that pass with them do not meet.
load "$MOCK"

@test "the shell's memory of where a program is" {
  stub other # the first stub of all looks along PATH anew
  unstub other
  uname >/dev/null
  stub uname "echo mocked"
  [ "$(uname)" = mocked ]
  unstub uname
  [ "$(uname)" != mocked ]
}

@test "a name of digits" {
  stub 42 "a : echo 42"
  [ "$(42 a)" = 42 ]
  unstub 42
}

@test "a call that is killed has consumed its line" {
  stub tool "kill -TERM \$\$" "echo next"
  run tool
  [ "$status" -eq 143 ]
  run tool
  [ "$output" = next ]
  unstub tool
}

@test "20 calls at once get a line each" {
  lines=()
  for i in {1..20}; do lines+=("::echo line $i"); done
  stub tool "${lines[@]/#::/}"
  for _ in {1..20}; do
    { printf '%s\n' "$(tool)" >>"$BATS_TEST_TMPDIR/out"; } 3>&- &
  done
  wait
  unstub tool
  [ "$(sort -u "$BATS_TEST_TMPDIR/out" | wc -l)" -eq 20 ]
}

@test "a program that starts itself does not do so for ever" {
  stub tool "tool" "tool" "tool" "tool" "tool" "tool" "tool" "tool" "tool" "tool" "tool" "tool" "tool"
  run tool
  [ "$status" -eq 125 ]
  run unstub tool
  [ "$status" -eq 1 ]
}

@test "a megabyte of bytes" {
  stub tool "head -c 1048576 /dev/urandom | tee '$BATS_TEST_TMPDIR/sent'"
  tool >"$BATS_TEST_TMPDIR/got"
  unstub tool
  cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/got"
}

@test "calls in POSIX mode, and with functions of the names of builtins" {
  stub tool "a : builtin echo A" "b : builtin echo B"
  export POSIXLY_CORRECT=1
  [ "$(tool a)" = A ]
  unset POSIXLY_CORRECT
  echo() { :; }
  read() { :; }
  printf() { :; }
  export -f echo read printf
  [ "$(tool b)" = B ]
  unset -f echo read printf
  unstub tool
}

@test "two names with the same variables" {
  stub my-tool "a : echo A"
  run stub my_tool "b : echo B"
  [ "$status" -eq 1 ]
  [[ $output == *"my_tool and my-tool have the same variables"* ]]
  [ "$(my-tool a)" = A ]
  unstub my-tool
}
