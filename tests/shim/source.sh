#!/bin/sh
# source.sh DIR: the launcher encodes and decodes through nanopb's descriptors
# only, and includes system headers in os_posix*.c only.
cd "$1" || exit 2
failed=0

if grep -nE '\bpb_(encode|decode)_(tag|varint|varint32|svarint|bool|fixed32|fixed64)\b|\bpb_skip_field\b|\bPB_WT_|\bpb_wire_type_t\b' ./*.[ch] static/*.c; then
  echo "hand-made protobuf bytes" >&2
  failed=1
fi
# Nothing beside the descriptors and the frame prefix shifts or masks by seven bits.
if grep -nE '0x7f\b.*<<|>>=? *7|0x80\b' ./*.[ch]; then
  echo "a hand-made varint" >&2
  failed=1
fi
if grep -nE '#include <(unistd|sys/|fcntl|poll|signal|errno|time|stdio|stdlib|locale)' ./*.[ch] | grep -v '^./os_posix'; then
  echo "a system header outside os_posix*.c" >&2
  failed=1
fi
exit $failed
