# shellcheck disable=SC2016 # lines of plans are expanded by the calls, functions are called by them
load "$MOCK"

is() { # STATUS OUTPUT
  if [[ $status -ne $1 || $output != "$2" ]]; then
    printf 'expected %s [%s], got %s [%s]\n' "$1" "$2" "$status" "$output" >&2
    return 1
  fi
}

@test "arguments and a command" {
  stub docker "build -t app . : echo built" "push app : echo pushed"
  run docker build -t app .
  is 0 built
  run docker push app
  is 0 pushed
  unstub docker
}

@test "a second stub adds lines" {
  stub docker "one : echo 1"
  stub docker "two : echo 2" "three : echo 3"
  run docker one
  is 0 1
  run docker two
  is 0 2
  run docker three
  is 0 3
  unstub docker
}

@test "a word of several lines is several" {
  stub docker $'one : echo 1\n\ntwo : echo 2'
  run docker one
  is 0 1
  run docker anything
  is 0 ''
  run docker two
  is 0 2
  unstub docker
}

@test "quotes keep an argument together" {
  stub docker "run \"a b\" 'c  d' e\\ f : echo ok"
  run docker run "a b" "c  d" "e f"
  is 0 ok
  unstub docker
}

@test "an argument of several words is not several arguments" {
  stub docker "run a b : echo ok"
  run docker run "a b"
  is 1 ''
  run unstub docker
  [ "$status" -eq 1 ]
}

@test "patterns are expanded by the call, in its environment" {
  stub docker '"$WHO" $((1 + 2)) $(echo sub) {x,y} : echo ok' '"$1" : echo itself'
  run env WHO=me docker me 3 sub x y
  is 0 ok
  run docker whatever
  is 0 itself
  unstub docker
}

@test "an asterisk is any argument, and nothing else is a pattern" {
  cd "$BATS_TEST_TMPDIR"
  touch file
  stub docker '* \* "*" x* : echo ok' 'x* : echo ok' '? : echo ok'
  run docker 'a b' '' "it's" 'x*'
  is 0 ok
  run docker xy
  is 1 ''
  run docker a
  is 1 ''
  run unstub docker
  [ "$status" -eq 1 ]
}

@test "a missing argument is as an empty one" {
  stub docker 'a "" : echo ok' 'a * : echo ok' 'a b : echo ok'
  run docker a
  is 0 ok
  run docker a
  is 0 ok
  run docker a
  is 1 ''
  run unstub docker
  [ "$status" -eq 1 ]
}

@test "more arguments than patterns are a mismatch" {
  stub docker "a : echo ok" " : echo none" ": echo none either"
  run docker a b
  is 1 ''
  run docker
  is 0 none
  run docker ''
  is 1 ''
  run unstub docker
  [ "$status" -eq 1 ]
}

@test "a line without a colon takes any arguments" {
  stub docker "echo any of \$# \"\$1\"" "" "a:b" ":echo"
  run docker x 'y z'
  is 0 'any of 2 x'
  run docker x y
  is 0 ''
  run docker
  [ "$status" -eq 127 ]
  run docker
  [ "$status" -eq 127 ]
  unstub docker
}

@test "a line with two colons at its begin takes any arguments" {
  stub docker "::echo a : b" ":: echo c" "::"
  run docker x
  is 0 'a : b'
  run docker y z
  is 0 c
  run docker
  is 0 ''
  unstub docker
}

@test "the first colon splits" {
  stub docker "a : echo b : c"
  run docker a
  is 0 'b : c'
  unstub docker
}

@test "the plan is strictly in order, and each call consumes a line" {
  stub docker "one : echo 1" "two : echo 2" "three : echo 3"
  run docker two
  is 1 ''
  run docker two
  is 0 2
  run docker three
  is 0 3
  run unstub docker
  is 1 "$output"
}

@test "more calls than lines" {
  stub docker "one : echo 1"
  run docker one
  run docker one
  is 1 ''
  run unstub docker
  [ "$status" -eq 1 ]
}

@test "fewer calls than lines" {
  stub docker "one : echo 1" "two : echo 2"
  run docker one
  run unstub docker
  [ "$status" -eq 1 ]
}

@test "an empty plan" {
  stub docker
  unstub docker
  stub docker
  run docker
  is 1 ''
  run unstub docker
  [ "$status" -eq 1 ]
}

@test "what is not stubbed" {
  run unstub docker
  is 1 'docker is not stubbed'
  run unstub --allow-missing docker
  is 0 ''
  stub docker "true"
  docker
  unstub --allow-missing docker
  run unstub docker
  is 1 'docker is not stubbed'
}

@test "stubbed again" {
  stub docker "one : echo 1"
  run docker two
  run unstub docker
  [ "$status" -eq 1 ]
  stub docker "two : echo 2"
  run docker two
  is 0 2
  unstub docker
}

@test "several programs" {
  stub docker "one : echo 1"
  stub docker-compose "two : echo 2"
  run docker one
  is 0 1
  unstub docker
  run docker-compose two
  is 0 2
  unstub docker-compose
}

@test "names that are no identifiers" {
  for name in my-tool my.tool 7z 7-zip Tool; do
    stub "$name" "a : echo $name"
    run "$name" a
    is 0 "$name"
    unstub "$name"
  done
}

@test "patterns that bash cannot read" {
  stub docker "'open : echo x"
  run docker open
  [ "$status" -ne 0 ]
  run unstub docker
  [ "$status" -eq 1 ]
}
