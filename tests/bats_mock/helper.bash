# shellcheck shell=bash
# What a test has seen, for who compares it.
saw() { printf '%s: %s\n' "${BATS_TEST_DESCRIPTION:-$BATS_TEST_NAME}" "$*" >>"$SAW"; }
# shellcheck disable=SC2154 # of run
saw_run() { saw "status $status, output [$output]"; }
