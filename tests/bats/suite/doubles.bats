# What the functions of the library do in tests that pass; the failures are in ../cases.
bats_require_minimum_version 1.5.0

setup() {
  bats_load_library cmdmox
}

@test "a mock answers, and is verified without a word of the test" {
  cmdmox_mock --out 'v1.4.0' --err 'no upstream' --exit 3 git describe --tags
  run --separate-stderr git describe --tags
  [ "$status" -eq 3 ]
  [ "$output" = v1.4.0 ]
  # shellcheck disable=SC2154 # of bats
  [ "$stderr" = 'no upstream' ]
}

@test "the next test knows nothing of it" {
  [ -z "${CMOX_SESSION-}" ]
  [[ $PATH != *cmdmox-* ]]
  [ -z "$(type -t deploy-the-app)" ]
}

@test "a stub answers any number of calls, a spy is asked for them" {
  cmdmox_stub --out hello greet
  cmdmox_spy git
  [ "$(greet)$(greet)" = hellohello ]
  git push origin main
  git pull
  assert_called git
  assert_called git push origin main
  assert_called --args-any git push
  assert_last_called git pull
  assert_called_times 2 git
  refute_called git push upstream
  refute_called curl
  [ "$(cmdmox_calls git)" -eq 2 ]
  [ "$(cmdmox_calls)" -eq 4 ]
  [ "$(cmdmox_journal git)" = $'3\taccepted\t0\tgit push origin main\n4\taccepted\t0\tgit pull' ]
}

@test "the code under test may be any program" {
  cmdmox_mock --times 3 uname -s
  sh -c 'uname -s'
  env -i PATH="$PATH" CMOX_IPC_SOCKET="$CMOX_IPC_SOCKET" /bin/sh -c 'uname -s'
  find / -maxdepth 0 -exec uname -s ';'
}

@test "a script of the test declares in the same session" {
  cmdmox_start
  sh -c '"$0" mock --out from-the-script git status' "${CMDMOX_PROGRAM:-cmdmox}"
  [ "$(git status)" = from-the-script ]
}

@test "what the code reads is matched and kept" {
  cmdmox_mock --stdin 'to: me' --capture-stdin sendmail -t
  printf 'to: me\n' | sendmail -t
  [[ $(cmdmox_journal --json sendmail) == *'"to: me\n"'* ]]
}

@test "doubles from JSON, from a here-document" {
  cmdmox_stub --json - <<'JSON'
{"command": "jq", "argv": [{"one": {"starts_with": "."}}], "actions": [{"reply": {"stdout_data": "1\n"}}]}
JSON
  [ "$(jq .a)" = 1 ]
}

@test "a contained session, and what is allowed in it" {
  cmdmox_start --contained --label contained
  cmdmox_allow basename
  [ "$(basename /a/b)" = b ]
  cmdmox_default --exit 7
  run uname
  [ "$status" -eq 7 ]
  cmdmox_stub uname
  uname
}

@test "an absent command, a registered one, and the answer to all others" {
  cmdmox_start --absent od
  [ -z "$(type -P od)" ]
  cmdmox_register mkfs
  cmdmox_default --out 'no' --exit 9
  run mkfs /dev/sda
  [ "$status" -eq 9 ]
  [ "$output" = no ]
}

@test "calls wait at a gate until they are released" {
  cmdmox_mock --gate built --out built build
  build >"$BATS_TEST_TMPDIR/out" &
  until [ "$(cmdmox_calls build)" -eq 1 ]; do :; done
  cmdmox_release built
  wait $!
  [ "$(cat "$BATS_TEST_TMPDIR/out")" = built ]
}

@test "one session after the other" {
  cmdmox_mock --out first git
  [ "$(git)" = first ]
  cmdmox_end
  [ "$(type -t git)" != function ]
  [ -z "${CMOX_SESSION-}" ]
  cmdmox_mock --out second git
  [ "$(git)" = second ]
}

@test "the test may end the session with the program, too" {
  cmdmox_mock git
  git
  eval "$("${CMDMOX_PROGRAM:-cmdmox}" session end)"
  [[ $PATH != *cmdmox-* ]]
}

@test "what was verified is not told again" {
  local status=0
  cmdmox_mock git
  cmdmox_verify 2>"$BATS_TEST_TMPDIR/report" || status=$?
  [ "$status" -eq 1 ]
  [[ $(<"$BATS_TEST_TMPDIR/report") == *'never called: mock git '* ]]
  run cmdmox_verify --json
  [[ $output == *'"passed":'*false* ]]
}

@test "shells that are strict" {
  set -u
  IFS=,
  cmdmox_mock --out 'a b' git 'x  y'
  [ "$(git 'x  y')" = 'a b' ]
  assert_called git 'x  y'
  cmdmox_end
}

@test "a test with a bats of its own" {
  cmdmox_mock git outer
  run bats "$BATS_TEST_DIRNAME/inner/inner.bats"
  [ "$status" -eq 0 ]
  git outer
}

# The shell remembers where it has found a command: what ran before it was named.
@test "a stub of a command that has run before" {
  cmdmox_start
  uname >/dev/null
  cmdmox_stub --out FAKE uname
  [ "$(uname)" = FAKE ]
}

@test "a mock of a command that has run before" {
  cmdmox_start
  uname >/dev/null
  cmdmox_mock --out FAKE --times 2 uname
  [ "$(uname)$(uname)" = FAKEFAKE ]
}

@test "a spy of a command that has run before, in a shell that remembers nothing" {
  cmdmox_start
  uname >/dev/null
  cmdmox_spy uname
  uname -s
  assert_called uname -s
  set +h
  cmdmox_spy true
}

@test "a function beside a command that has run before" {
  cmdmox_start
  uname >/dev/null
  cmdmox_stub --out FAKE --function uname
  unset -f uname
  [ "$(uname)" = FAKE ]
}

@test "a registered command that has run before" {
  cmdmox_start
  uname >/dev/null
  cmdmox_register uname
  run uname
  [ "$status" -eq 125 ]
  cmdmox_end || [ $? -eq 1 ]
}
