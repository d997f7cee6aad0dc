# Verification without a word in the test: while a session is there, the file's teardown is wrapped.
#
# The session ends before the file's own teardown runs: that cleans up, and is to find the real commands, also after a
# session that was contained, or that mocked rm.

# A copy of the file's teardown, which cannot be changed from here on: another one would replace the verification.
cmdmox__take_teardown() {
  [[ -z ${cmdmox__teardown_at-} ]] || return 0 # by an earlier session of this test
  local found text
  found=$(declare -f teardown && shopt -s extdebug && declare -F teardown) || found=
  if [[ -z $found ]]; then
    cmdmox__give_up "there is no teardown: bats has none of its own, or its name has changed"
  fi
  text=${found%$'\n'*}
  cmdmox__teardown_at=${found##*$'\n'} # NAME LINE FILE
  eval "cmdmox__own_$text" || cmdmox__give_up "teardown cannot be wrapped: bash does not take what it shows of it"
  teardown() {
    cmdmox__teardown "$@"
  }
  readonly -f teardown
}

cmdmox__teardown() {
  # The file's teardown sees these, and what it sees besides is to be as without us.
  local cmdmox__status=0 cmdmox__wrong= cmdmox__test_at
  if [[ -n $cmdmox__session ]]; then
    cmdmox__close
    if [[ -z ${BATS_TEST_SKIPPED-} ]]; then # else it is not judged
      cmdmox__tell_end
      ((cmdmox__ended == 0)) || cmdmox__wrong=1
    fi
  fi
  if [[ -n $cmdmox__wrong ]]; then
    skip() { exit 1; } # what is wrong is not to be hidden by a teardown that says skip
    cmdmox__find_test
    cmdmox__blame_test # for a teardown that exits
  fi
  cmdmox__own_teardown "$@" || cmdmox__status=$?
  if [[ -n $cmdmox__wrong ]]; then
    cmdmox__blame_test
    return 1
  fi
  ((cmdmox__status == 0)) || cmdmox__blame "$cmdmox__teardown_at"
  return "$cmdmox__status"
}

# ---- The line that bats shows as the one that has failed. Nothing else depends on the variables of its trace: a bats
# that has none of these names shows lines of the library.

# From here on the library has no part in it, and the line is one of the test.
cmdmox__step_aside() {
  local frame kept=()
  if declare -F bats_add_debug_exclude_path >/dev/null; then
    bats_add_debug_exclude_path "$cmdmox__here"
  fi
  for frame in ${BATS_DEBUG_LAST_STACK_TRACE[@]+"${BATS_DEBUG_LAST_STACK_TRACE[@]}"}; do
    [[ ${frame#* * } == "$cmdmox__here"/* ]] || kept+=("$frame")
  done
  BATS_DEBUG_LAST_STACK_TRACE=(${kept[@]+"${kept[@]}"})
  BATS_DEBUG_LASTLAST_STACK_TRACE=(${kept[@]+"${kept[@]}"})
}

cmdmox__blame() { # "NAME LINE FILE"
  local name=${1%% *} rest=${1#* }
  [[ -n $rest ]] || return 0
  BATS_DEBUG_LAST_STACK_TRACE=("${rest%% *} $name ${rest#* }")
  # shellcheck disable=SC2034 # of bats, for a shell that exits
  BATS_DEBUG_LASTLAST_STACK_TRACE=("${BATS_DEBUG_LAST_STACK_TRACE[@]}")
}

# Sets cmdmox__test_at to the test's "NAME LINE FILE". bash takes for the line of a function that of another one that it
# defines: so it is looked for in the file as bats runs it, which has NAME() in place of @test.
cmdmox__find_test() {
  local name=${BATS_TEST_NAME%% *} line number=0
  cmdmox__test_at=
  [[ -r ${BATS_TEST_SOURCE-} ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    [[ $line != *"$name() {"* ]] || cmdmox__test_at="$name $number $BATS_TEST_SOURCE"
    [[ -z $cmdmox__test_at ]] || return 0
  done <"$BATS_TEST_SOURCE"
}

# Unless the body has failed: that is the failure of the test.
cmdmox__blame_test() {
  [[ -z ${BATS_TEST_COMPLETED-} ]] || cmdmox__blame "$cmdmox__test_at"
}
