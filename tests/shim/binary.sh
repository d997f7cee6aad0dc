#!/bin/sh
# binary.sh SHIM VERSION KIB: the launcher is static, small, and says which protocol it speaks.
shim=$1
version=$2
failed=0
fail() {
  echo "$1" >&2
  failed=1
}

size=$(wc -c <"$shim")
limit=$(($3 * 1024))
[ "$size" -le "$limit" ] || fail "$size bytes, more than $limit"

headers=$(LC_ALL=C readelf -lSW "$shim") || fail "readelf cannot read $shim"
for word in INTERP DYNAMIC .dynamic .symtab; do
  case $headers in
    *"$word"*) fail "it has $word: not static, or not stripped" ;;
  esac
done
case $headers in
  *"EXEC (Executable"*) ;;
  *) fail "it is not a fixed-position executable" ;;
esac

# Identity is the name it was started by: a copy elsewhere still knows itself.
line=$(env -i "$shim" --probe) || fail "--probe exits $?"
[ "$line" = "cmdmox-shim $version protocol 1-1" ] || fail "--probe says: $line"
for arguments in "" "--probe x" "x"; do
  # shellcheck disable=SC2086
  line=$("$shim" $arguments 2>&1)
  [ $? -eq 125 ] || fail "status is not 125 with arguments '$arguments'"
  case $line in
    "cmdmox: cmdmox-shim: "*) ;;
    *) fail "with arguments '$arguments' it says: $line" ;;
  esac
done
exit $failed
