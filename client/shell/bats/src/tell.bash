# What a test is told, and where in it something was said.

# As bats-assert shows what is wrong: by bats-support where that is loaded, in the same form where it is not. The commands
# that it needs may be mocked: they are those of before the session.
cmdmox__tell() { # TITLE TEXT
  if declare -F batslib_decorate >/dev/null; then
    (
      # shellcheck disable=SC2030 # for this subshell
      PATH=${cmdmox__path-$PATH}
      batslib_decorate "$1" <<<"$2"
    ) >&2
  else
    printf '\n-- %s --\n%s\n--\n\n' "$1" "$2" >&2
  fi
}

# What the report cannot know: a command that was never called is a function of this shell, which is found before any
# program. Adds to cmdmox__report.
cmdmox__name_functions() {
  local line name said=$cmdmox__dropped lines=
  for name in ${cmdmox__functions[@]+"${cmdmox__functions[@]}"}; do
    said+="$name "
  done
  while IFS= read -r line; do
    [[ $line =~ never\ called:\ (mock|spy)\ ([^ ]+) ]] || continue
    name=${BASH_REMATCH[2]}
    if [[ $said == *" $name "* ]] || ! declare -F "$name" >/dev/null; then
      continue
    fi
    said+="$name "
    lines+=$'\n'"$name is a function of this test, which the shell finds before any program: cmdmox_${BASH_REMATCH[1]} --function $name"
  done <<<"$cmdmox__report"
  [[ -z $lines ]] || cmdmox__report+=$'\n'$lines
}

# The test cannot go on: what follows would call real commands.
cmdmox__give_up() { # TEXT
  printf 'cmdmox: %s\n' "$1" >&2
  exit 1
}

# Sets cmdmox__at to FILE:LINE of the call into the library, with the file named as bats names it.
cmdmox__find_place() {
  local frame=1 file
  while [[ ${BASH_SOURCE[frame]-} == "$cmdmox__here"/* ]]; do
    frame=$((frame + 1))
  done
  file=${BASH_SOURCE[frame]-}
  if [[ -z $file || $file == "${BATS_TEST_SOURCE-}" ]]; then # bats runs a copy
    file=$BATS_TEST_FILENAME
  fi
  cmdmox__at=${file#"${BATS_CWD:-$PWD}"/}:${BASH_LINENO[frame - 1]}
}
