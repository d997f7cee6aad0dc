# shellcheck shell=bash
# In place of jasonkarns/bats-mock (on npm as bats-mock): the same stub, stub_repeated and unstub, by cmdmox.
# docs/migrate/from-bats-mock.md is the guide; how it works stands in src/bats-mock/plan.bash.
#
# bats has bash tell it of every command, which takes longer than most of them: `set +T` keeps what these functions call from that.

_cmdmox_plan_told=$-
_cmdmox_plan_parts=${BASH_SOURCE[0]%/*}/src/bats-mock
set +T
# shellcheck source=client/shell/bats/src/bats-mock/globs.bash
source "$_cmdmox_plan_parts/globs.bash" || return

stub() {
  local told=$-
  set +T
  _cmdmox_plan_quietly "$told" _cmdmox_stub "$@"
}

stub_repeated() {
  local told=$-
  set +T
  _cmdmox_plan_quietly "$told" _cmdmox_stub_repeated "$@"
}

unstub() {
  local told=$-
  set +T
  _cmdmox_plan_quietly "$told" _cmdmox_unstub "$@"
}

[[ $_cmdmox_plan_told != *T* ]] || set -T
