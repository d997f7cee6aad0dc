# shellcheck shell=bash
# What the functions of bats-mock-jasonkarns.bash do.

# shellcheck disable=SC2034 # for tests
BATS_MOCK_TMPDIR=${BATS_TMPDIR:-/tmp}
# shellcheck source=client/shell/bats/src/bats-mock/plan.bash
source "$_cmdmox_plan_parts/plan.bash" || return

# Empty lines are none.
_cmdmox_stub() {
  local program=${1-} line lines=()
  shift
  for line; do
    while [[ $line == *$'\n\n'* ]]; do line=${line//$'\n\n'/$'\n'}; done
    line=${line#$'\n'}
    line=${line%$'\n'}
    [[ -z $line ]] || lines+=("$line")
  done
  _cmdmox_plan_add globs "$program" ${lines[@]+"${lines[@]}"}
}

# From here on each call gets the first line that accepts it, also of lines that stub adds, and after unstub.
_cmdmox_stub_repeated() {
  local name
  _cmdmox_plan_name "${1-}"
  export "${name}_STUB_NOINDEX=1"
  _cmdmox_stub "$@"
}

_cmdmox_unstub() {
  local name plan other
  if ! _cmdmox_plan_find "${1-}"; then
    printf '%s is not stubbed\n' "${1-}" >&2
    return 127
  fi
  _cmdmox_plan_end "$1"
}
