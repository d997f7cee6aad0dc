# What is to be called, and what it answers: the verbs of the program, by their names.

# The double stands where the test calls the library, unless --at comes first.
cmdmox__declare() { # VERB WORD...
  local verb=$1 word made function
  shift
  case ${1-} in
    --at | --at=*) ;;
    *)
      cmdmox__find_place
      set -- --at "$cmdmox__at" "$@"
      ;;
  esac
  for word; do
    [[ $word == --function ]] || continue
    made=$("$cmdmox__program" "$verb" "$@") || return
    cmdmox__forget_commands
    function=${made%%(*}
    [[ -z $function ]] || cmdmox__take_function "$function" "$made" # else it was a word of the call
    return
  done
  "$cmdmox__program" "$verb" "$@" || return
  cmdmox__forget_commands
}

# PATH is as before, so a command that ran before it was named is still, in the memory of this shell, the real one.
cmdmox__forget_commands() {
  builtin hash -r 2>/dev/null || : # which set +h has turned off
}

cmdmox_mock() {
  cmdmox__need_session
  cmdmox__declare mock "$@"
}

cmdmox_stub() {
  cmdmox__need_session
  cmdmox__declare stub "$@"
}

cmdmox_spy() {
  cmdmox__need_session
  cmdmox__declare spy "$@"
}

cmdmox_default() {
  cmdmox__need_session
  "$cmdmox__program" default "$@"
}

cmdmox_register() {
  cmdmox__need_session
  "$cmdmox__program" register "$@" || return
  cmdmox__forget_commands
}

cmdmox_allow() {
  cmdmox__need_session
  "$cmdmox__program" allow "$@"
}

cmdmox_release() {
  cmdmox__ask_session || return
  "$cmdmox__program" release "$@"
}

# ---- --function

cmdmox__functions=() # the names; for each of them what it was before
cmdmox__functions_before=()

# A test in which one of these is something else ends without a word, or says ok.
cmdmox__needed=" break builtin continue declare eval exec exit export local printf return set shift shopt source trap typeset unset "

cmdmox__take_function() { # NAME DEFINITION
  local before
  if ((BASH_SUBSHELL > 0)); then
    # shellcheck disable=SC2016 # as one writes it
    printf 'cmdmox: --function: this is a subshell (run, $(...), a pipe), and the test would not see the function %s: declare it in the test itself\n' "$1" >&2
    return 2
  fi
  if [[ $cmdmox__needed == *" $1 "* ]]; then
    printf 'cmdmox: --function: without the builtin %s neither bats nor this library works: leave it as it is\n' "$1" >&2
    return 2
  fi
  before=$(declare -f "$1") || before=
  # shellcheck disable=SC2163 # the function of that name
  eval "$2" && export -f "$1" || return 2
  cmdmox__functions+=("$1")
  cmdmox__functions_before+=("$before")
}

# The last one first: a function may have been taken twice.
cmdmox__drop_functions() {
  local i
  cmdmox__dropped=" "
  for ((i = ${#cmdmox__functions[@]} - 1; i >= 0; i--)); do
    builtin unset -f "${cmdmox__functions[i]}"
    cmdmox__dropped+="${cmdmox__functions[i]} "
    eval "${cmdmox__functions_before[i]}"
  done
  cmdmox__functions=()
  cmdmox__functions_before=()
}
