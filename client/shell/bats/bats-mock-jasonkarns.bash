# shellcheck shell=bash
# In place of jasonkarns/bats-mock (on npm as bats-mock): the same stub, stub_repeated and unstub, by cmdmox.
# docs/migrate/from-bats-mock.md is the guide; how it works stands in bats-mock-parts/plan.bash.

BATS_MOCK_TMPDIR=${BATS_TMPDIR:-/tmp}
_cmdmox_plan_parts=${BASH_SOURCE[0]%/*}/bats-mock-parts
# shellcheck source=client/shell/bats/bats-mock-parts/plan.bash
source "$_cmdmox_plan_parts/plan.bash"

stub() {
  _cmdmox_plan_add "$_cmdmox_plan_parts/call-globs" "$@"
}

# From here on each call gets the first line that accepts it, also of lines that stub adds, and after unstub.
stub_repeated() {
  local name
  _cmdmox_plan_name "${1-}"
  export "${name}_STUB_NOINDEX=1"
  stub "$@"
}

unstub() {
  local name lines plan
  if ! _cmdmox_plan_find "${1-}"; then
    printf '%s is not stubbed\n' "${1-}" >&2
    return 127
  fi
  _cmdmox_plan_end "$1"
}
