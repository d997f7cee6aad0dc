# --function: doubles that the shell finds as functions.
setup() {
  bats_load_library cmdmox
}

deploy() {
  echo "really: $*"
}

# The code under test: it defines a function, and calls it.
library() {
  # shellcheck disable=SC2317
  upload() { echo "really: $*"; }
}

teardown() {
  if [ "$BATS_TEST_DESCRIPTION" = "a function of the file" ]; then
    [ "$(deploy x)" = 'really: x' ]
  else
    [ -z "$(type -t nobodys)" ]
  fi
}

@test "a function of the file" {
  cmdmox_mock --function --out faked deploy prod
  run deploy prod
  [ "$output" = faked ]
}

@test "a function that the code has defined" {
  library
  cmdmox_stub --out faked --function upload
  [ "$(upload x)" = faked ]
  cmdmox_end
  [ "$(upload x)" = 'really: x' ]
}

@test "a function that nobody has" {
  cmdmox_spy --function nobodys
  nobodys a 'b c'
  assert_called nobodys a 'b c'
}

@test "it reaches shells that are started" {
  cmdmox_mock --times 2 --out faked --function deploy
  [ "$(bash -c 'deploy a')" = faked ]
  [ "$(PATH=/usr/bin:/bin bash -c 'deploy a')" = faked ]
}

@test "a builtin, for code that is not sh" {
  cmdmox_mock --out /faked --function pwd
  [ "$(pwd)" = /faked ]
}

@test "twice for one function" {
  cmdmox_mock --function --out first deploy
  cmdmox_mock --function --out second deploy
  [ "$(deploy)$(deploy)" = firstsecond ]
  cmdmox_end
  [ "$(deploy x)" = 'really: x' ]
}

@test "a call that has such an argument" {
  cmdmox_mock tool --function x
  [ "$(type -t tool)" = file ]
  tool --function x
}

@test "a word of the shell, and what is no name" {
  cmdmox_start
  run cmdmox_mock --function if
  [ "$status" -eq 2 ]
  [[ $output == *'a word of the shell itself'* ]]
  run cmdmox_stub --function 'a b'
  [ "$status" -eq 2 ]
  [[ $output == *'a shell takes no function of such a name'* ]]
}

@test "a builtin of which the library has need until the end" {
  cmdmox_stub --function type
  cmdmox_stub --function test
  cmdmox_stub --function cd
  cmdmox_mock --function command
  command
  cmdmox_end
  [ "$(command -v cd)" = cd ]
}
