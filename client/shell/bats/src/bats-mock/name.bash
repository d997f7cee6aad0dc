# shellcheck shell=bash
# Sets name to what the variables of a program begin with: my-tool gives MY_TOOL, 7z gives Z.
_cmdmox_plan_name() {
  local LC_ALL=C small=abcdefghijklmnopqrstuvwxyz large=ABCDEFGHIJKLMNOPQRSTUVWXYZ i c before
  name=
  for ((i = 0; i < ${#1}; i++)); do
    c=${1:i:1}
    before=${small%%"$c"*}
    if [[ $before != "$small" ]]; then
      name+=${large:${#before}:1}
    elif [[ $large == *"$c"* ]]; then
      name+=$c
    elif [[ 0123456789 != *"$c"* ]]; then
      name+=_
    elif [[ $name ]]; then
      name+=$c
    fi
  done
}
