# The file's own teardown finds what it would find without the library.
setup() {
  cd "$BATS_TEST_TMPDIR" || return
  bats_load_library cmdmox
}

teardown() {
  # shellcheck disable=SC2154 # of bats
  [[ $output == "output of $BATS_TEST_DESCRIPTION" && $status -eq 3 ]] || return
  [ -z "${CMOX_SESSION-}" ] || return
  rm kept || return
  [ ! -e kept ]
}

body() {
  : >kept
  run sh -c "echo 'output of $BATS_TEST_DESCRIPTION'; exit 3"
}

@test "without a session" {
  body
}

@test "rm is mocked in the test and real in teardown" {
  body
  cmdmox_mock --out gone rm kept
  [ "$(rm kept)" = gone ]
  [ -e kept ]
}

@test "a contained session" {
  body
  cmdmox_start --contained
}

@test "a skipped test" {
  body
  cmdmox_mock git
  skip "nothing is judged"
}
