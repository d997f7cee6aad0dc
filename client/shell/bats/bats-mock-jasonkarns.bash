# shellcheck shell=bash
# In place of jasonkarns/bats-mock (on npm as bats-mock): the same stub, stub_repeated and unstub, by cmdmox.
# docs/migrate/from-bats-mock.md is the guide; how it works stands in src/bats-mock/plan.bash.
#
# bats has bash tell it of every command, which takes longer than most of them: `set +T` keeps what these functions call from that,
# and of the rest bats takes no note (plan.bash).

set +T
_cmdmox_plan_parts=${BASH_SOURCE[0]%/*}/src/bats-mock
# shellcheck source=client/shell/bats/src/bats-mock/globs.bash
source "$_cmdmox_plan_parts/globs.bash" || return

stub() {
  set +T
  _cmdmox_plan_quietly _cmdmox_stub "$@"
}

stub_repeated() {
  set +T
  _cmdmox_plan_quietly _cmdmox_stub_repeated "$@"
}

unstub() {
  set +T
  _cmdmox_plan_quietly _cmdmox_unstub "$@"
}

_cmdmox_plan_aloud
