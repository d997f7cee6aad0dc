# shellcheck disable=SC2016,SC2030,SC2031,SC2317 # lines of plans are expanded by the calls, functions are called by them
load ../helper
load "$MOCK"

greet() { echo "greetings to $1"; }

@test "statuses" {
  stub tool "exit 3" "false" "true" "(exit 7)" "nonesuch-command 2>/dev/null"
  for _ in 1 2 3 4 5; do
    run tool
    saw "status $status"
  done
  unstub tool
}

@test "output and errors are apart" {
  stub tool "echo out; echo err >&2"
  out=$(tool 2>"$BATS_TEST_TMPDIR/err")
  saw "$out, $(cat "$BATS_TEST_TMPDIR/err")"
  unstub tool
}

@test "stdin is the caller's" {
  stub tool "a : cat" "read -r line; echo \"[\$line]\""
  run tool a <<<'from stdin'
  saw_run
  { tool; cat; } <<<$'first\nsecond' >"$BATS_TEST_TMPDIR/out"
  saw "$(cat "$BATS_TEST_TMPDIR/out")"
  unstub tool
}

@test "directory and environment are the caller's" {
  stub tool "pwd" "echo \$GREETING" "greet you"
  mkdir "$BATS_TEST_TMPDIR/there"
  out=$(cd "$BATS_TEST_TMPDIR/there" && tool)
  saw "${out#"$BATS_TEST_TMPDIR"}"
  saw "$(GREETING=hello tool)"
  export -f greet
  saw "$(tool)"
  unstub tool
}

@test "arguments as they came" {
  stub tool "printf '<%s>' \"\$@\"" "inspect_args \"\$@\"" "inspect_args \"\$@\""
  run tool 'a b' '' "it's" $'two\nlines' '*'
  saw_run
  run tool 'a b' plain 'with "quotes"' '"alone"'
  saw_run
  run tool
  saw_run
  unstub tool
}

@test "a command may stop its shell, or set it" {
  stub tool "set -e; false; echo not reached" "set -u; echo \$nonesuch; echo not reached" "shopt -s extglob; echo on"
  for _ in 1 2 3; do
    run tool
    saw "status $status, lines ${#lines[@]}"
  done
  unstub tool
}

@test "a command that bash cannot read" {
  stub tool "a : echo 'open"
  run tool a
  saw "status $status"
  run unstub tool
  saw "unstub $status"
}

@test "one program calls another" {
  stub outer "x : inner y"
  stub inner "y : echo from inside"
  run outer x
  saw_run
  unstub outer
  unstub inner
}

@test "pipes and loops of stubs" {
  stub left "echo 1; echo 2; echo 3"
  stub right "while read -r line; do echo \"got \$line\"; done"
  run bash -c 'left | right'
  saw_run
  unstub left
  unstub right
}

@test "bytes" {
  stub tool "printf 'a\\000\\377b'"
  saw "$(tool | od -An -tx1)"
  unstub tool
}

@test "the debug line" {
  export MY_TOOL_STUB_DEBUG=3
  stub my-tool "a : echo out"
  out=$(my-tool a 'b c' 3>"$BATS_TEST_TMPDIR/debug")
  saw "$out, $(cat "$BATS_TEST_TMPDIR/debug")"
  unset MY_TOOL_STUB_DEBUG
  unstub my-tool
}
