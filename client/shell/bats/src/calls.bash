# What was called.

cmdmox_verify() {
  cmdmox__ask_session || return
  local status=0
  if (($# > 0)); then # a report for programs
    "$cmdmox__program" verify "$@" || status=$?
  else
    cmdmox__report=$("$cmdmox__program" verify 2>&1) || status=$?
    cmdmox__ended=$status
    cmdmox__tell_end
  fi
  ((status != 1)) || cmdmox__told=1 # lost in a subshell
  return "$status"
}

cmdmox_calls() {
  cmdmox__ask_session || return
  "$cmdmox__program" calls "$@"
}

cmdmox_journal() {
  cmdmox__ask_session || return
  "$cmdmox__program" journal "$@"
}

# ---- Assertions: 1, and on stderr what is wrong, as bats-assert shows it

cmdmox__assert() { # TITLE VERB WORD...
  local title=$1 report status=0
  shift
  report=$("$cmdmox__program" assert "$@" 2>&1) || status=$?
  if ((status == 1)); then
    cmdmox__tell "$title" "$report"
  elif ((status != 0)); then
    printf '%s\n' "$report" >&2
  fi
  return "$status"
}

assert_called() {
  cmdmox__ask_session || return
  cmdmox__assert 'command was not called' called "$@"
}

refute_called() {
  cmdmox__ask_session || return
  cmdmox__assert 'command was called' not-called "$@"
}

assert_last_called() {
  cmdmox__ask_session || return
  cmdmox__assert 'last call differs' last "$@"
}

assert_called_times() { # NUMBER COMMAND
  cmdmox__ask_session || return
  local calls number=${1-}
  if (($# != 2)) || [[ ! $number =~ ^[0-9]+$ ]]; then
    printf 'cmdmox: assert_called_times: say how many calls there are to be, and of which command: assert_called_times 2 git\n' >&2
    return 2
  fi
  calls=$("$cmdmox__program" calls "$2") || return
  ((calls != 10#$number)) || return 0
  cmdmox__tell 'number of calls differs' "$(
    printf 'command  : %s\nexpected : %s\nactual   : %s\n' "$2" "$number" "$calls"
    "$cmdmox__program" journal "$2" | while IFS=$'\t' read -r number verdict status call; do
      printf '  %s. %s (%s, status %s)\n' "$number" "$call" "$verdict" "$status"
    done
  )"
  return 1
}
