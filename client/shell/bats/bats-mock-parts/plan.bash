# shellcheck shell=bash
# The plans of stubbed programs, for both kinds of bats-mock.
#
# Each stubbed program has a session of cmdmox, in which it is a stub that runs call-words or call-globs in the
# environment of its caller. BATS_MOCK_BINDIR is on PATH since the library was loaded; in it a link of the program's name leads to
# the session's shim. When the session has ended the link leads nowhere, and the real program is found again.
#
# The plan is a file that <NAME>_STUB_PLAN names in the environment, so that calls find it in any process:
#
#   PLAN       session, program, link, one a line; then the lines of the plan. Empty: it was unstubbed.
#   PLAN.N     the Nth call has come; what is wrong with it, as words for bash. Empty: nothing.
#   PLAN.last  the number of a call that has come: later ones look for theirs from there.

_cmdmox_plan_root=${BATS_RUN_TMPDIR:-${BATS_TMPDIR:-/tmp}}/cmdmox-mock.$$ # of this test alone, also with bats --jobs
BATS_MOCK_BINDIR=$_cmdmox_plan_root/path
# shellcheck source=client/shell/bats/bats-mock-parts/name.bash
source "$_cmdmox_plan_parts/name.bash"

# _cmdmox_plan_locate VARIABLE PROGRAM: sets it to the path, which no function and no stub of that name hides later on. Without a
# process where bash can; and bash is not to remember the path itself, or it would pass a stub by.
_cmdmox_plan_locate() {
  local path=
  if [[ $2 == */* ]]; then
    path=$2
  elif ((BASH_VERSINFO[0] < 4)); then
    path=$(type -P "$2") || :
  elif hash "$2" 2>/dev/null; then
    path=${BASH_CMDS[$2]-}
    hash -d "$2"
  fi
  printf -v "$1" %s "$path"
  [[ -x $path ]]
}

if ! _cmdmox_plan_locate _cmdmox_plan_cmdmox "${CMDMOX_PROGRAM:-cmdmox}" &&
  ! _cmdmox_plan_locate _cmdmox_plan_cmdmox "$_cmdmox_plan_parts/../../../../bin/cmdmox"; then
  printf 'bats-mock: there is no program cmdmox on PATH: install it, or set CMDMOX_PROGRAM to its path\n' >&2
  return 1
fi
_cmdmox_plan_locate _cmdmox_plan_ln ln || return
_cmdmox_plan_locate _cmdmox_plan_mkdir mkdir || return
PATH=$BATS_MOCK_BINDIR:$PATH

# Sets name and plan. False: the program is not stubbed.
_cmdmox_plan_find() {
  _cmdmox_plan_name "$1"
  local variable=${name}_STUB_PLAN head
  plan=${!variable-}
  [[ $plan && -s $plan ]] || return 1
  { read -r head && read -r head; } <"$plan"
  [[ $head == "$1" ]] # another program's variables may have the same name
}

# _cmdmox_plan_begin RUNNER PROGRAM: begins its session, and a plan without lines.
_cmdmox_plan_begin() {
  local CMOX_SESSION=${CMOX_SESSION-} CMOX_IPC_SOCKET=${CMOX_IPC_SOCKET-} outside=$PATH enter shim link=$BATS_MOCK_BINDIR/$2
  if [[ -z $2 || $2 == */* ]]; then
    printf 'stub: "%s" is no name of a program on PATH\n' "$2" >&2
    return 1
  fi
  [[ -d $BATS_MOCK_BINDIR ]] || "$_cmdmox_plan_mkdir" -p "$BATS_MOCK_BINDIR" || return
  enter=$("$_cmdmox_plan_cmdmox" session start --parent "$$" --label "bats-mock: $2") || return
  local PATH=$PATH
  eval "$enter"
  shim=${PATH%%:*}/$2
  PATH=$outside
  "$_cmdmox_plan_cmdmox" stub --program "$1" --uncaptured -- "$2" || return
  "$_cmdmox_plan_ln" -sf "$shim" "$link" || return
  hash -d "$2" 2>/dev/null || :
  plan=${shim%/bin/*}
  plan=$_cmdmox_plan_root/${plan##*/}
  printf '%s\n' "$CMOX_SESSION" "$2" "$link" >|"$plan" || return
  echo 0 >|"$plan.last"
  export "${name}_STUB_PLAN=$plan"
}

# _cmdmox_plan_add RUNNER PROGRAM LINE...
_cmdmox_plan_add() {
  local name plan
  _cmdmox_plan_find "${2-}" || _cmdmox_plan_begin "$1" "${2-}" || return
  shift 2
  [[ $# -eq 0 ]] || printf '%s\n' "$@" >>"$plan"
}

# _cmdmox_plan_end PROGRAM, after _cmdmox_plan_find: ends its session. False, with a report on stderr, unless each line of the plan
# had its call and each call its line.
_cmdmox_plan_end() {
  local CMOX_SESSION line calls=0 lines=0 status=0 wrong=() ended
  {
    read -r CMOX_SESSION
    read -r line
    read -r line
    while IFS= read -r line; do ((++lines)); done
  } <"$plan"
  while [[ -e $plan.$((calls + 1)) ]]; do
    ((++calls))
    [[ ! -s $plan.$calls ]] || wrong+=("$calls")
  done
  if [[ ${#wrong[@]} -gt 0 || $lines -gt $calls ]]; then
    status=1
    # shellcheck source=client/shell/bats/bats-mock-parts/report.bash
    source "$_cmdmox_plan_parts/report.bash"
    _cmdmox_plan_report "$1" >&2
  fi
  : >|"$plan"
  hash -d "$1" 2>/dev/null || :
  export CMOX_SESSION
  ended=$("$_cmdmox_plan_cmdmox" session end) || status=1
  return "$status"
}
