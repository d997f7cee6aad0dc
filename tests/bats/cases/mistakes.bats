# What the library says to mistakes of the test, and to machines that lack something.
load_library() {
  bats_load_library cmdmox
}

@test "an option that there is not" {
  load_library
  cmdmox_mock --stdot x git
}

@test "the same behind another" {
  load_library
  cmdmox_stub git
  cmdmox_mock --stdot x git
}

@test "the same of a function" {
  load_library
  cmdmox_mock --function --stdot x git
}

@test "the first of its test in a subshell" {
  load_library
  run cmdmox_mock git
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "the first of its test in a pipe" {
  load_library
  echo x | cmdmox_stub --out-file - git
  git
}

@test "an end in a subshell" {
  load_library
  cmdmox_stub git
  run cmdmox_end
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "an assertion without a session" {
  load_library
  assert_called git
}

@test "a question without a session" {
  load_library
  cmdmox_journal
}

@test "options of a session that has begun" {
  load_library
  cmdmox_stub git
  cmdmox_start --contained
}

@test "no program" {
  load_library
  unset CMDMOX_PROGRAM
  PATH=/usr/bin:/bin
  cmdmox_stub git
}

@test "no such program" {
  load_library
  export CMDMOX_PROGRAM=/dev/null/cmdmox
  cmdmox_stub git
}

@test "no session can be made" {
  load_library
  export CMOX_TMPDIR=/dev/null/place
  cmdmox_stub git || echo "not reached"
  echo "not reached either"
}

@test "the session's process is killed" {
  load_library
  cmdmox_stub git
  kill_session
  true
}

@test "the session's process is killed, and nothing says that there was one" {
  load_library
  cmdmox_mock git
  kill_session
  unset CMOX_SESSION
}

@test "a function in place of local" {
  load_library
  cmdmox_stub --function local
}

@test "a function in place of printf" {
  load_library
  cmdmox_stub --function printf
}

@test "a function in place of return" {
  load_library
  cmdmox_stub --function return
}

@test "a function in place of any other that is needed" {
  local name
  load_library
  for name in break builtin continue declare eval exec exit export set shift shopt source trap typeset unset; do
    cmdmox_stub --function "$name" 2>/dev/null || [ $? -eq 2 ]
    [ "$(type -t "$name")" = builtin ]
  done
  false
}

@test "a function in a subshell" {
  load_library
  cmdmox_start
  run cmdmox_stub --function deploy
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "another teardown later on" {
  load_library
  cmdmox_stub git
  load helpers/teardown
}

# By its socket, which nobody else has open for listening.
kill_session() {
  local socket=${CMOX_SESSION#unix:}
  python3 - "${socket%%#*}" <<'PYTHON'
import os, signal, socket, struct, sys
with socket.socket(socket.AF_UNIX) as link:
    link.connect(sys.argv[1])
    pid = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    watch = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    import select
    select.select([watch], [], [], 60)
PYTHON
}
