# shellcheck shell=bash
# What unstub says of a plan that did not go as planned.

# Sets shown to the words as reports have them.
_cmdmox_plan_show() {
  local word
  shown=()
  [[ $# -gt 0 ]] || return 0
  while IFS= read -r word; do shown+=("$word"); done < <("$_cmdmox_plan_cmdmox" quote -- "$@")
}

# _cmdmox_plan_rows KIND COUNT PATTERN... ARGUMENT...: argument by argument.
_cmdmox_plan_rows() {
  local kind=$1 count=$2 patterns arguments shown wanted given i same expected actual label
  shift 2
  patterns=("${@:1:count}")
  arguments=("${@:count+1}")
  _cmdmox_plan_show ${patterns[@]+"${patterns[@]}"}
  wanted=(${shown[@]+"${shown[@]}"})
  _cmdmox_plan_show ${arguments[@]+"${arguments[@]}"}
  given=(${shown[@]+"${shown[@]}"})
  for ((i = 0; i < ${#patterns[@]} || i < ${#arguments[@]}; i++)); do
    same=
    if [[ $i -ge ${#patterns[@]} ]]; then
      [[ $kind == words ]] || same=1
    elif [[ $kind == globs ]]; then
      # shellcheck disable=SC2254 # a pattern
      case ${arguments[i]-} in ${patterns[i]}) same=1 ;; esac
    elif [[ ${patterns[i]} == '*' || ${arguments[i]-} == "${patterns[i]}" ]]; then
      same=1
    fi
    expected=${wanted[i]-(no argument)}
    actual=${given[i]-(no argument)}
    label="argument $((i + 1)): "
    if [[ $same ]]; then
      printf '       %s%s\n' "$label" "$actual"
    else
      printf '     ! %sexpected %s\n       %*sactual   %s\n' "$label" "$expected" "${#label}" '' "$actual"
    fi
  done
}

# _cmdmox_plan_report PROGRAM, with name, plan, calls, text and wrong of _cmdmox_plan_end.
_cmdmox_plan_report() {
  local call number=0 fields
  printf 'unstub %s: its calls were not as planned\n' "$1"
  for call in ${wrong[@]+"${wrong[@]}"}; do
    eval "fields=($(<"$plan.$call"))"
    case ${fields[0]} in
      excess) printf '\n%d. call %d has no line, the plan has %d\n' "$((++number))" "$call" "${#text[@]}" ;;
      unreadable) printf '\n%d. plan line %d cannot be read as words: %s\n' "$((++number))" "$call" "${text[call - 1]}" ;;
      *)
        printf '\n%d. call %d is not as plan line %d says: %s\n' "$((++number))" "$call" "$call" "${text[call - 1]}"
        _cmdmox_plan_rows "${fields[0]#differs-}" "${fields[@]:1}"
        continue
        ;;
    esac
    _cmdmox_plan_rows globs 0 "${fields[@]:1}"
  done
  local repeated=${name}_STUB_NOINDEX
  if [[ ${!repeated-} ]]; then
    printf '\n%d. calls: %d, plan lines: %d; there are to be at least as many calls\n' "$((++number))" "$calls" "${#text[@]}"
    return
  fi
  for ((call = calls; call < ${#text[@]}; call++)); do
    printf '\n%d. no call came for plan line %d: %s\n' "$((++number))" "$((call + 1))" "${text[call]}"
  done
}
