# Bytes, sizes and calls at the same time.
setup() {
  bats_load_library cmdmox
}

@test "twenty calls at once are all recorded, and each has its own answer" {
  local i pids=()
  for i in {1..20}; do
    cmdmox_mock --out "answer $i" worker "$i"
  done
  for i in {1..20}; do
    worker "$i" >"$BATS_TEST_TMPDIR/$i" &
    pids+=($!)
  done
  wait "${pids[@]}"
  for i in {1..20}; do
    [ "$(<"$BATS_TEST_TMPDIR/$i")" = "answer $i" ]
    assert_called worker "$i"
  done
  assert_called_times 20 worker
  [ "$(cmdmox_journal worker | cut -f 2- | sort | uniq -c | grep -c '^ *1 accepted.0.worker [0-9]*$')" -eq 20 ]
}

@test "of twenty-one calls at once of a mock of twenty, one is refused" {
  local i pid pids=() refused=0
  cmdmox_mock --times 20 worker
  for i in {1..21}; do
    worker "$i" 2>/dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || refused=$((refused + 1))
  done
  [ "$refused" -eq 1 ]
  cmdmox_verify 2>"$BATS_TEST_TMPDIR/report" || [ $? -eq 1 ]
  [[ $(<"$BATS_TEST_TMPDIR/report") == *'one call too many: worker '* ]]
}

@test "each byte there is" {
  local byte
  for byte in {0..255}; do
    # shellcheck disable=SC2059 # it is the format
    printf "\\x$(printf %x "$byte")"
  done >"$BATS_TEST_TMPDIR/bytes"
  [ "$(wc -c <"$BATS_TEST_TMPDIR/bytes")" -eq 256 ]
  cmdmox_stub --out-file "$BATS_TEST_TMPDIR/bytes" blob
  blob | cmp - "$BATS_TEST_TMPDIR/bytes"
  cmdmox_stub --out-file - piped < <(printf 'a\0b')
  [ "$(piped | od -An -c | tr -d ' ')" = 'a\0b' ]
}

@test "one megabyte of noise" {
  head -c 1048576 /dev/urandom >"$BATS_TEST_TMPDIR/noise"
  cmdmox_mock --out-file "$BATS_TEST_TMPDIR/noise" noise
  noise >"$BATS_TEST_TMPDIR/heard"
  cmp "$BATS_TEST_TMPDIR/heard" "$BATS_TEST_TMPDIR/noise"
}

@test "arguments as they are" {
  local odd=$'a\nb\t\'"\\ \xff'
  cmdmox_mock printer "$odd" '' '*'
  printer "$odd" '' '*'
  assert_called printer "$odd" '' '*'
}
