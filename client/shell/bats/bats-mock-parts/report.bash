# shellcheck shell=bash
# What unstub says of a plan that did not go as planned.

# Sets shown to the words as reports have them.
_cmdmox_plan_show() {
  local word
  shown=()
  for word; do
    word=${word//\\/\\\\}
    word=${word//\"/\\\"}
    word=${word//$'\n'/\\n}
    word=${word//$'\t'/\\t}
    shown+=("\"$word\"")
  done
}

# _cmdmox_plan_rows KIND COUNT PATTERN... ARGUMENT...: argument by argument.
_cmdmox_plan_rows() {
  local kind=$1 count=$2 patterns arguments shown wanted given i same expected actual
  shift 2
  patterns=("${@:1:count}")
  arguments=("${@:count+1}")
  _cmdmox_plan_show "${patterns[@]}"
  wanted=("${shown[@]}")
  _cmdmox_plan_show "${arguments[@]}"
  given=("${shown[@]}")
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
    if [[ $same ]]; then
      printf '       argument %d: %s\n' "$((i + 1))" "$actual"
    else
      printf '     ! argument %d: expected %s\n%*s%s\n' "$((i + 1))" "$expected" "$((19 + ${#i} - 1))" '' "actual   $actual"
    fi
  done
}

# _cmdmox_plan_report PROGRAM, with plan, calls, text and wrong of _cmdmox_plan_end.
_cmdmox_plan_report() {
  local call number=0 fields
  printf 'unstub %s: its calls were not as planned\n' "$1"
  for call in ${wrong[@]+"${wrong[@]}"}; do
    eval "fields=($(<"$plan.$call"))"
    case ${fields[0]} in
      excess) printf '\n%d. call %d has no line in the plan, which has %d\n' "$((++number))" "$call" "${#text[@]}" ;;
      unreadable) printf '\n%d. plan line %d cannot be read as words: %s\n' "$((++number))" "$call" "${text[call - 1]}" ;;
      *)
        printf '\n%d. call %d is not as plan line %d says: %s\n' "$((++number))" "$call" "$call" "${text[call - 1]}"
        _cmdmox_plan_rows "${fields[0]#differs-}" "${fields[@]:1}"
        continue
        ;;
    esac
    _cmdmox_plan_rows globs 0 "${fields[@]:1}"
  done
  for ((call = calls; call < ${#text[@]}; call++)); do
    printf '\n%d. no call came for plan line %d: %s\n' "$((++number))" "$((call + 1))" "${text[call]}"
  done
}
