# shellcheck shell=bash
# The plans of stubbed programs, for both kinds of bats-mock.
#
# All tests of one run of bats share a session of cmdmox, in which each program that any of them stubs is a stub that runs
# call-words or call-globs in the environment of its caller, and, for each such program, a folder with a link to its shim. What is a
# test's own is whether that folder is on its PATH, and the plan. So a test starts neither a session nor any other process,
# which would take it longer than all else.
#
# A plan is a file that <NAME>_STUB_PLAN names in the environment, so that calls find it in any process:
#
#   PLAN       program, link, one a line; then the lines of the plan. Empty: it was unstubbed.
#   PLAN.N     the Nth call has come; what is wrong with it, as words for bash. Empty: nothing.
#   PLAN.last  the number of a call that has come, where there were many: later ones look for theirs from there.

# What all of it begins with; empty: nobody has stubbed anything yet.
_cmdmox_plan_shared=${BATS_RUN_TMPDIR:+$BATS_RUN_TMPDIR/cmdmox-mock}
_cmdmox_plan_parent=$$
if [[ ${BATS_RUN_TMPDIR-} && ${BATS_ROOT_PID-} ]]; then _cmdmox_plan_parent=$BATS_ROOT_PID; fi
_cmdmox_plan_count=${_cmdmox_plan_count:-0}
BATS_MOCK_BINDIR=${_cmdmox_plan_shared:-/nonexistent}.none # the folders on PATH, with colons between them
# shellcheck source=client/shell/bats/src/bats-mock/name.bash
source "$_cmdmox_plan_parts/name.bash"

_cmdmox_plan_cmdmox='' _cmdmox_plan_chmod='' _cmdmox_plan_ln='' _cmdmox_plan_mkdir='' _cmdmox_plan_mktemp=''

# _cmdmox_plan_locate VARIABLE PROGRAM: sets it to the path, which no function and no stub of that name hides later on. Without a
# process where bash can; and bash is not to remember the path itself, or it would pass a stub by.
_cmdmox_plan_locate() {
  local path=
  if [[ $2 == /* ]]; then
    path=$2
  elif [[ $2 == */* ]]; then
    path=$PWD/$2
  elif ((BASH_VERSINFO[0] < 4)); then
    path=$(type -P "$2") || :
  elif hash "$2" 2>/dev/null; then
    path=${BASH_CMDS[$2]-}
    hash -d "$2"
  fi
  printf -v "$1" %s "$path"
  [[ -x $path ]]
}

_cmdmox_plan_tools() {
  local program
  # The program installed beside the library is of its version.
  if [[ ${CMDMOX_PROGRAM-} ]] || ! _cmdmox_plan_locate _cmdmox_plan_cmdmox "$_cmdmox_plan_parts/../../../../../bin/cmdmox"; then
    _cmdmox_plan_locate _cmdmox_plan_cmdmox "${CMDMOX_PROGRAM:-cmdmox}"
  fi || {
    printf 'bats-mock: there is no program %s: install cmdmox, or set CMDMOX_PROGRAM to its path\n' "${CMDMOX_PROGRAM:-cmdmox on PATH}" >&2
    return 1
  }
  for program in chmod ln mkdir mktemp; do _cmdmox_plan_locate "_cmdmox_plan_$program" "$program" || return; done
}
_cmdmox_plan_tools || return

if declare -F bats_add_debug_exclude_path >/dev/null; then bats_add_debug_exclude_path "${_cmdmox_plan_parts%/src/*}"; fi

# _cmdmox_plan_quietly FUNCTION WORD...: after set +T.
_cmdmox_plan_quietly() {
  local status=0
  "$@" || status=$?
  _cmdmox_plan_aloud
  return "$status"
}

# In bats, which has the flag set, bash tells it of every command again.
_cmdmox_plan_aloud() {
  [[ -z ${BATS_TEST_FILENAME-} ]] || set -T
}

# Sets name and plan, and other: a stubbed program whose variables have the same name. False: the program is not stubbed.
_cmdmox_plan_find() {
  _cmdmox_plan_name "$1"
  local variable=${name}_STUB_PLAN head=
  other=
  plan=${!variable-}
  [[ $plan && -s $plan ]] || return 1
  read -r head <"$plan"
  [[ $head != "$1" ]] || return 0
  other=$head
  return 1
}

# _cmdmox_plan_folder KIND PROGRAM: sets folder, in which a link of that name leads to a shim that has call-KIND answer.
_cmdmox_plan_folder() {
  local CMOX_SESSION='' shim='' runner='' session=$_cmdmox_plan_shared.$1
  folder=$session.path/$2
  [[ ! -e $folder/$2 ]] || return 0
  # Two tests that begin at once may begin two sessions; the later to say so lasts as long, and is used no more.
  [[ ! -s $session ]] || { read -r CMOX_SESSION && read -r shim && read -r runner; } <"$session"
  if [[ -z $CMOX_SESSION ]]; then
    _cmdmox_plan_session && _cmdmox_plan_runner "$1" "$session.$BASHPID" || return
    printf '%s\n' "$CMOX_SESSION" "$shim" "$runner" >|"$session"
  fi
  CMOX_SESSION=$CMOX_SESSION "$_cmdmox_plan_cmdmox" stub --program "$runner" --uncaptured -- "$2" || return
  "$_cmdmox_plan_mkdir" -p "$folder" || return
  "$_cmdmox_plan_ln" -s "$shim/$2" "$folder/$2" 2>/dev/null || [[ -e $folder/$2 ]] # by another test meanwhile
}

# Sets CMOX_SESSION and shim, its folder of shims, without entering the session.
_cmdmox_plan_session() {
  # shellcheck disable=SC2034 # what the lines set that are evaluated
  local enter PATH=$PATH CMOX_IPC_SOCKET
  enter=$("$_cmdmox_plan_cmdmox" session start --parent "$_cmdmox_plan_parent" --label bats-mock --max-journal-entries 1000) || return
  eval "$enter"
  shim=${PATH%%:*}
}

# _cmdmox_plan_runner KIND FILE: sets runner to what runs call-KIND: FILE, by this very bash, without looking for one on PATH in each
# call; where nothing can be executed there, the script itself.
_cmdmox_plan_runner() {
  runner=$_cmdmox_plan_parts/call-$1
  printf '#!%s\n_cmdmox_folders=%q\nsource %q\n' "$BASH" "$_cmdmox_plan_shared" "$runner" >|"$2" && "$_cmdmox_plan_chmod" 755 "$2" || return
  [[ ! -x $2 ]] || runner=$2
}

# _cmdmox_plan_begin KIND PROGRAM: a plan without lines, and its folder on PATH.
_cmdmox_plan_begin() {
  local folder
  if [[ -z $2 || $2 == */* ]]; then
    printf 'stub: "%s" is no name of a program on PATH\n' "$2" >&2
    return 1
  fi
  if [[ $other ]]; then
    printf 'stub: %s and %s have the same variables (%s_STUB_PLAN): unstub %s before\n' "$2" "$other" "$name" "$other" >&2
    return 1
  fi
  if [[ -z $_cmdmox_plan_shared ]]; then
    _cmdmox_plan_shared=$("$_cmdmox_plan_mktemp" -d "${BATS_TMPDIR:-${TMPDIR:-/tmp}}/cmdmox-mock.XXXXXX")/cmdmox-mock || return
  fi
  _cmdmox_plan_folder "$1" "$2" || return
  until plan=$_cmdmox_plan_shared.plan.$$.$((++_cmdmox_plan_count)) && [[ ! -e $plan ]]; do :; done # another $$ of this run
  printf '%s\n' "$2" "$folder/$2" >|"$plan" || return
  export "${name}_STUB_PLAN=$plan"
  BATS_MOCK_BINDIR=$folder:$BATS_MOCK_BINDIR
  PATH=$folder:$PATH
}

# _cmdmox_plan_add KIND PROGRAM LINE...
_cmdmox_plan_add() {
  local name plan other
  _cmdmox_plan_find "${2-}" || _cmdmox_plan_begin "$1" "${2-}" || return
  shift 2
  [[ $# -eq 0 ]] || printf '%s\n' "$@" >>"$plan"
}

# _cmdmox_plan_take_off VARIABLE FOLDER: from a list like PATH.
_cmdmox_plan_take_off() {
  local list=:${!1}:
  list=${list//":$2:"/:}
  list=${list#:}
  printf -v "$1" %s "${list%:}"
}

# _cmdmox_plan_end PROGRAM, after _cmdmox_plan_find: takes it off PATH. False, with a report on stderr, unless each line of the plan
# had its call and each call its line.
_cmdmox_plan_end() {
  local link line calls=0 text=() wrong=() status=0
  {
    read -r link
    read -r link
    while IFS= read -r line; do text+=("$line"); done
  } <"$plan"
  _cmdmox_plan_take_off PATH "${link%/*}"
  _cmdmox_plan_take_off BATS_MOCK_BINDIR "${link%/*}"
  while [[ -e $plan.$((calls + 1)) ]]; do
    ((++calls))
    [[ ! -s $plan.$calls ]] || wrong+=("$calls")
  done
  if [[ ${#wrong[@]} -gt 0 || ${#text[@]} -gt $calls ]]; then
    status=1
    # shellcheck source=client/shell/bats/src/bats-mock/report.bash
    source "$_cmdmox_plan_parts/report.bash"
    _cmdmox_plan_report "$1" >&2
  fi
  : >|"$plan"
  return "$status"
}
