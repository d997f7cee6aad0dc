# shellcheck disable=SC2016 # lines of plans are expanded by the calls, functions are called by them
load ../helper
load "$MOCK"

# tried PATTERNS ARGUMENT...
tried() {
  stub tool "$1 : echo accepted"
  local patterns=$1
  shift
  run tool "$@"
  saw "$patterns with $*: status $status, output [$output]"
  run unstub tool
  saw "unstub $status"
}

@test "globs" {
  tried 'v*' v12
  tried 'v*' w12
  tried '*' ''
  tried '*' 'a b'
  tried '?' a
  tried '?' ab
  tried '[a-c]x' bx
  tried '[a-c]x' dx
  tried '[!a]' b
  tried '\*' '*'
  tried '\*' a
  tried 'a\b' ab
  tried '@(a|b)' a
  tried '~' "$HOME"
  tried '$HOME' "$HOME"
  tried '$HOME' '$HOME'
}

@test "more and fewer arguments" {
  tried 'a' a b c
  tried 'a b' a
  tried 'a *' a
  tried 'a ?' a
  tried '' a
}

@test "quotes are only characters" {
  tried '"a b"' 'a b'
  tried '"a b"' '"a' 'b"'
  tried "'*'" "'x'"
}

@test "blanks of any kind split" {
  tried $'  a\tb  ' a b
  tried 'a  b' a b
}

@test "lines of arguments" {
  tried 'a*b' $'a\nb'
}

@test "files do not matter" {
  cd "$BATS_TEST_TMPDIR"
  touch one two
  tried '*' three
  stub tool "* : echo *"
  run tool x
  saw_run
  unstub tool
}
