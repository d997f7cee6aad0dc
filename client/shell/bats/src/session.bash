# The session of a test: it begins with the first function that needs it.
#
# In the test's process, and not exported: a bats that the test runs has sessions of its own.
#   cmdmox__session   what CMOX_SESSION was made; empty: there is none
#   cmdmox__program   the program, by its path, which no mock and no other PATH takes away
#   cmdmox__path      the PATH of before the session
#   cmdmox__told      1 once a verification has failed in the test's own shell, so that it could not go unseen
#   cmdmox__begun     FILE:LINE that began it
cmdmox__session=
cmdmox__dropped=" " # functions that were doubles until the end

cmdmox__find_program() {
  local installed=$cmdmox__here/../../../bin/cmdmox
  if [[ -n ${CMDMOX_PROGRAM-} ]]; then
    cmdmox__program=$CMDMOX_PROGRAM
    [[ -x $cmdmox__program ]] || cmdmox__give_up "CMDMOX_PROGRAM is $CMDMOX_PROGRAM, which cannot be run: name the program cmdmox, or unset it"
  elif [[ -x $installed ]]; then
    cmdmox__program=$installed
  elif ! cmdmox__program=$(type -P cmdmox); then
    cmdmox__give_up "the program cmdmox is not on PATH: install it, or name it in CMDMOX_PROGRAM"
  fi
  [[ $cmdmox__program == /* ]] || cmdmox__program=$PWD/$cmdmox__program
}

# A session belongs to one test, whose shell has the shims on its PATH.
cmdmox__check_place() { # FUNCTION
  local frame text
  if [[ -z ${BATS_TEST_FILENAME-} ]]; then
    cmdmox__give_up "$1 is for tests of bats; elsewhere: eval \"\$(cmdmox session start)\""
  fi
  for frame in "${!FUNCNAME[@]}"; do
    if [[ ${FUNCNAME[frame]} == source && ${BASH_SOURCE[frame]} == "${BATS_TEST_SOURCE:-$BATS_TEST_FILENAME}" ]]; then
      cmdmox__give_up "$1 stands outside of tests: a session belongs to one test; call it in the test, or in setup"
    fi
  done
  if [[ -z ${BATS_TEST_NAME-} ]]; then
    cmdmox__give_up "$1 stands in setup_file, setup_suite or their teardown: a session belongs to one test; call it in the test, or in setup"
  fi
  if [[ -n ${BATS_TEARDOWN_STARTED-} ]]; then
    [[ -z ${cmdmox__teardown_at-} ]] || cmdmox__blame "$cmdmox__teardown_at"
    cmdmox__give_up "$1 stands in teardown: there the test's session is over, and commands are the real ones; call it in the test"
  fi
  if ((BASH_SUBSHELL > 0)); then
    text="$1 is the first of its test, and stands in a subshell (run, \$(...), a pipe), whose PATH the test would not see: say cmdmox_start before it"
    { printf '# cmdmox: %s\n' "$text" >&3; } 2>/dev/null || : # run keeps the rest to itself
    cmdmox__give_up "$text"
  fi
}

cmdmox__begin() { # FUNCTION OPTION...
  cmdmox__step_aside
  cmdmox__check_place "$1"
  shift
  local enter status=0
  cmdmox__find_program
  cmdmox__find_place
  cmdmox__begun=$cmdmox__at
  # shellcheck disable=SC2031 # it was modified in a subshell, on purpose
  cmdmox__path=$PATH
  [[ " $*" == *" --label"* ]] || set -- --label "${BATS_TEST_DESCRIPTION-}" "$@"
  enter=$("$cmdmox__program" session start --parent "$$" --dialect bats "$@") || status=$?
  eval "$enter" # which exits, when there is no session
  ((status == 0)) || exit "$status"
  cmdmox__session=$CMOX_SESSION
  cmdmox__told=0
  cmdmox__take_teardown
}

# What declares something.
cmdmox__need_session() {
  [[ -n $cmdmox__session ]] || cmdmox__begin "${FUNCNAME[1]}"
}

# What asks about calls: without a session there is nothing to ask.
cmdmox__ask_session() {
  [[ -z $cmdmox__session ]] || return 0
  local function=${FUNCNAME[1]}
  cmdmox__step_aside
  if [[ -n ${BATS_TEARDOWN_STARTED-} ]]; then
    printf 'cmdmox: %s stands in teardown, where the session of the test is over: call it in the test\n' "$function" >&2
  else
    printf 'cmdmox: %s: this test has no session: say before what is to be mocked, or cmdmox_start\n' "$function" >&2
  fi
  return 4
}

# For options of the session: --contained, --absent COMMAND, ...: cmdmox help session start.
cmdmox_start() {
  if [[ -n $cmdmox__session ]]; then
    printf 'cmdmox: cmdmox_start: the session of this test has begun at %s: say cmdmox_start first\n' "$cmdmox__begun" >&2
    return 2
  fi
  cmdmox__begin cmdmox_start "$@"
}

# Verifies unless that was done, and gives the shell its PATH back; after it, a session may begin anew.
cmdmox_end() {
  cmdmox__ask_session || return
  if ((BASH_SUBSHELL > 0)); then
    printf 'cmdmox: cmdmox_end stands in a subshell, and the shims would stay on the PATH of the test: call it in the test itself\n' >&2
    return 2
  fi
  cmdmox__close
  cmdmox__tell_end
  return "$cmdmox__ended"
}

# Ends the session, whatever has become of it. Sets cmdmox__ended to the status: 1 when something is wrong that nobody
# has been told, and cmdmox__report to what stderr had. That goes by a file: the program sees by the pipe of its stdout
# that the shell evaluates it.
cmdmox__close() {
  cmdmox__drop_functions # first: they may be named as builtins are that the rest needs
  local leave socket report=$BATS_RUN_TMPDIR/cmdmox.$$ again=()
  cmdmox__ended=0
  ((cmdmox__told != 0)) || again=(--again) # what run, $(...) or a script was told may have gone unseen
  leave=$(CMOX_SESSION=$cmdmox__session "$cmdmox__program" session end ${again[@]+"${again[@]}"} 2>"$report") || cmdmox__ended=$?
  cmdmox__report=$(<"$report")
  socket=${cmdmox__session#*:}
  if ((cmdmox__ended == 4)) && [[ ${CMOX_SESSION-} != "$cmdmox__session" && ! -e ${socket%/*} ]]; then
    # The test has ended it: eval "$(cmdmox session end)", which leaves nothing. One that was killed leaves its directory.
    cmdmox__ended=0 cmdmox__report=
  else
    PATH=$cmdmox__path # also where nothing is left of it
    eval "$leave" || :
  fi
  cmdmox__session=
}

cmdmox__tell_end() {
  if ((cmdmox__ended == 1)); then
    cmdmox__name_functions
    cmdmox__tell 'calls were not as expected' "$cmdmox__report"
  elif ((cmdmox__ended != 0)); then
    cmdmox__tell 'calls could not be verified' "$cmdmox__report"
  elif [[ -n $cmdmox__report ]]; then
    printf '%s\n' "$cmdmox__report" >&2 # remarks
  fi
}
