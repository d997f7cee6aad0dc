# shellcheck shell=bash
# What a call of a stubbed program does, for both kinds of bats-mock: it takes a number, and finds its line of the plan.
# plan.bash says what stands in which file. What the plan's commands could see is called _cmdmox_..., but for inspect_args. The caller
# may have exported functions of any name: hence `builtin`.
# shellcheck source=client/shell/bats/src/bats-mock/name.bash
source "${BASH_SOURCE[0]%/*}/name.bash"

# It was unstubbed by a shell whose PATH is not the caller's (`run unstub`): the real program answers.
_cmdmox_call_real() {
  local folder IFS=:
  set -f
  for folder in $PATH; do
    [[ ${_cmdmox_folders-} && ${folder:-.} != "$_cmdmox_folders".*.path/* && -x ${folder:-.}/$_cmdmox_program ]] || continue
    exec "${folder:-.}/$_cmdmox_program" "$@"
  done
  printf '%s: command not found\n' "$_cmdmox_program" >&2
  exit 127
}

# Sets _cmdmox_program, _cmdmox_plan, _cmdmox_debug, a descriptor or empty, _cmdmox_repeated and _cmdmox_number. False: it has no plan.
_cmdmox_call_begin() {
  local name variable link last=0
  _cmdmox_program=${CMOX_PASSTHROUGH##*/}
  _cmdmox_plan_name "$_cmdmox_program"
  variable=${name}_STUB_PLAN
  _cmdmox_plan=${!variable-}
  variable=${name}_STUB_DEBUG
  _cmdmox_debug=${!variable-}
  variable=${name}_STUB_NOINDEX
  _cmdmox_repeated=${!variable-}
  [[ $_cmdmox_plan && -e $_cmdmox_plan ]] || return 1
  [[ -s $_cmdmox_plan ]] || _cmdmox_call_real "$@"
  { builtin read -r link && builtin read -r link; } <"$_cmdmox_plan"
  # shellcheck disable=SC2034 # a name for $0
  BASH_ARGV0=$link
  # Calls may come at once: the number is whose file it was to make.
  [[ ! -e $_cmdmox_plan.last ]] || builtin read -r last <"$_cmdmox_plan.last"
  _cmdmox_number=${last:-0}
  set -C
  ((++_cmdmox_number))
  until { builtin printf '' >"$_cmdmox_plan.$_cmdmox_number"; } 2>/dev/null; do # a failed `:` ends a shell in POSIX mode
    [[ -e $_cmdmox_plan.$_cmdmox_number ]] || return 1
    ((++_cmdmox_number))
  done
  set +C
  if ((_cmdmox_number % 16 == 0)); then builtin echo "$_cmdmox_number" >|"$_cmdmox_plan.last"; fi
}

# Sets _cmdmox_lines.
_cmdmox_call_lines() {
  local line head=2
  _cmdmox_lines=()
  while IFS= builtin read -r line; do
    if ((head-- <= 0)); then _cmdmox_lines+=("$line"); fi
  done <"$_cmdmox_plan"
}

# _cmdmox_call_wrong WORD...: notes what is wrong with this call.
_cmdmox_call_wrong() {
  builtin printf '%q ' "$@" >|"$_cmdmox_plan.$_cmdmox_number"
}
