# shellcheck disable=SC2016,SC2030,SC2031,SC2317 # lines of plans are expanded by the calls, functions are called by them
load "$MOCK"

@test "the status is the command's" {
  stub docker "a : exit 7" "b : false; true" "c : (exit 3)"
  run docker a
  [ "$status" -eq 7 ]
  run docker b
  [ "$status" -eq 0 ]
  run docker c
  [ "$status" -eq 3 ]
  unstub docker
}

@test "the command has the call's arguments, stdin, directory and environment" {
  stub docker '* * : printf "<%s>" "$@"; cat; pwd; echo "$GREETING"'
  mkdir "$BATS_TEST_TMPDIR/there"
  out=$(cd "$BATS_TEST_TMPDIR/there" && GREETING=hello docker 'a b' '' <<<input)
  [ "$out" = "<a b><>input
$BATS_TEST_TMPDIR/there
hello" ]
  unstub docker
}

@test "exported functions" {
  helper() { echo "helped $1"; }
  export -f helper
  stub docker 'a : helper "$1"'
  run docker a
  [ "$output" = 'helped a' ]
  unstub docker
}

@test "file names are expanded in the command where there are no patterns" {
  cd "$BATS_TEST_TMPDIR"
  touch one.txt
  stub docker 'a : echo *.txt' 'echo *.txt'
  run docker a
  [ "$output" = '*.txt' ]
  run docker b
  [ "$output" = 'one.txt' ]
  unstub docker
}

@test "stdout and stderr are apart" {
  stub docker 'echo out; echo err >&2'
  out=$(docker 2>"$BATS_TEST_TMPDIR/err")
  [ "$out" = out ]
  [ "$(cat "$BATS_TEST_TMPDIR/err")" = err ]
  unstub docker
}

@test "one stub calls another" {
  stub outer "x : inner y; echo outside"
  stub inner "y : echo inside"
  run outer x
  [ "$output" = $'inside\noutside' ]
  unstub outer
  unstub inner
}

@test "functions with the names of its tools" {
  rm() { return 10; }
  mkdir() { return 20; }
  ln() { return 30; }
  touch() { return 40; }
  chmod() { return 50; }
  run ln a b
  [ "$status" -eq 30 ]
  stub mycommand " : echo OK"
  run mycommand
  [ "$status" -eq 0 ]
  [ "$output" = OK ]
  unstub mycommand
  unset -f rm mkdir ln touch chmod
}

@test "stubs of its tools" {
  stub rm "-rf / : echo not today"
  stub ln "echo no link"
  stub mkdir "a : echo no directory"
  stub other "echo other"
  run rm -rf /
  [ "$output" = 'not today' ]
  run ln -s a b
  [ "$output" = 'no link' ]
  run mkdir a
  [ "$output" = 'no directory' ]
  run other
  [ "$output" = other ]
  unstub other
  unstub rm
  unstub ln
  unstub mkdir
  run ln --version
  [ "$status" -eq 0 ]
}

@test "debug lines" {
  export DOCKER_STUB_DEBUG=3
  stub docker "a b : echo done"
  docker a b 3>"$BATS_TEST_TMPDIR/debug"
  docker a c 3>>"$BATS_TEST_TMPDIR/debug" || true
  debug=$(cat "$BATS_TEST_TMPDIR/debug")
  [[ $debug == *"bats-mock(docker): got docker a b"* ]]
  [[ $debug == *"bats-mock(docker): arguments [2] = 'a' 'b'"* ]]
  [[ $debug == *"bats-mock(docker): patterns  [2] = 'a' 'b'"* ]]
  [[ $debug == *"bats-mock(docker): running echo done"* ]]
  [[ $debug == *"bats-mock(docker): command result was 0"* ]]
  [[ $debug == *"bats-mock(docker): result 0"* ]]
  [[ $debug == *"bats-mock(docker): no plan row found"* ]]
  [[ $debug == *"bats-mock(docker): result 1"* ]]
  run unstub docker 3>"$BATS_TEST_TMPDIR/debug"
  [ "$status" -eq 1 ]
  [[ $(cat "$BATS_TEST_TMPDIR/debug") == *"bats-mock(docker): unstubbing"* ]]
}

@test "debug lines of a mismatch" {
  export DOCKER_STUB_DEBUG=3
  stub docker "a 'b c' : echo done" "a : echo done"
  docker a 'b d' 3>"$BATS_TEST_TMPDIR/debug" || true
  docker a more 3>>"$BATS_TEST_TMPDIR/debug" || true
  debug=$(cat "$BATS_TEST_TMPDIR/debug")
  [[ $debug == *"bats-mock(docker): match failed at idx 1, expected 'b\\ c', got 'b\\ d'"* ]]
  [[ $debug == *"bats-mock(docker): unexpected argument 'more' at idx 1"* ]]
  run unstub docker 3>/dev/null
  [ "$status" -eq 1 ]
}

@test "with debug lines a stub must be called" {
  export DOCKER_STUB_DEBUG=3
  stub docker
  run unstub docker 3>/dev/null
  [ "$status" -eq 1 ]
  [ "$output" = "The stub for docker wasn't run" ]
}

@test "stubs that setup_file made are there in the test" {
  run filetool a
  [ "$output" = 'from setup_file' ]
}

setup_file() {
  stub filetool "a : echo from setup_file"
}

teardown_file() {
  unstub filetool
}

@test "set -u and set -C do not matter" {
  set -uC
  stub docker "a : echo 1"
  stub docker "b : echo 2"
  [ "$(docker a)" = 1 ]
  [ "$(docker b)" = 2 ]
  unstub docker
}

@test "a PATH of one's own" {
  stub git "a : echo 0"
  stub docker "a : echo 1" "b : echo 2" "c : echo 3"
  [ "$(PATH=$PATH:/bin docker a)" = 1 ]
  [ "$(PATH=/nonexistent:$PATH bash -c 'docker b' 2>/dev/null)" = 2 ]
  [ "$(PATH=$BATS_MOCK_BINDIR:/usr/bin:/bin bash -c 'docker c; git a')" = $'3\n0' ]
  unstub docker
  [ "$(PATH=$BATS_MOCK_BINDIR type -P docker)" = "" ]
  unstub git
}

@test "unstub by run" {
  stub uname "echo mocked"
  [ "$(uname)" = mocked ]
  run unstub uname
  [ "$status" -eq 0 ]
  [ "$(uname -s)" != mocked ]
}
