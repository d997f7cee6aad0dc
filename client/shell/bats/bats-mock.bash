# shellcheck shell=bash
# In place of buildkite-plugins/bats-mock: the same stub and unstub, by cmdmox.
# docs/migrate/from-bats-mock.md is the guide; how it works stands in bats-mock-parts/plan.bash.

BATS_MOCK_TMPDIR=${BATS_RUN_TMPDIR:-${BATS_TMPDIR:-/tmp}}
_cmdmox_plan_parts=${BASH_SOURCE[0]%/*}/bats-mock-parts
# shellcheck source=client/shell/bats/bats-mock-parts/plan.bash
source "$_cmdmox_plan_parts/plan.bash"

stub() {
  _cmdmox_plan_add "$_cmdmox_plan_parts/call-words" "$@"
}

unstub() {
  local missing=1
  if [[ ${1-} == --allow-missing ]]; then
    missing=0
    shift
  fi
  local name lines plan
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
