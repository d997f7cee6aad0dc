# shellcheck shell=bash
# What the functions of bats-mock.bash do.

# shellcheck disable=SC2034 # for tests
BATS_MOCK_TMPDIR=${BATS_RUN_TMPDIR:-${BATS_TMPDIR:-/tmp}}
# shellcheck source=client/shell/bats/src/bats-mock/plan.bash
source "$_cmdmox_plan_parts/plan.bash" || return

_cmdmox_stub() {
  _cmdmox_plan_add words "$@"
}

_cmdmox_unstub() {
  local missing=1
  if [[ ${1-} == --allow-missing ]]; then
    missing=0
    shift
  fi
  local name plan other
  if ! _cmdmox_plan_find "${1-}"; then
    [[ $missing -eq 0 ]] || printf '%s is not stubbed\n' "${1-}" >&2
    return "$missing"
  fi
  local debug=${name}_STUB_DEBUG
  if [[ ${!debug-} ]]; then
    printf 'bats-mock(%s): unstubbing\n' "$1" >&"${!debug}"
    # With it, the original has a stub that nobody called fail, also one without a plan.
    if [[ ! -e $plan.1 ]]; then
      printf "The stub for %s wasn't run\n" "$1"
      _cmdmox_plan_end "$1" || :
      return 1
    fi
  fi
  _cmdmox_plan_end "$1"
}
