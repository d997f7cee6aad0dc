#!/bin/sh
# sysroot.sh ARCHITECTURE DIR: unpacks into DIR what cmdmox is linked with, as Debian has it for that architecture. Only
# where there is apt-get; the system learns of no further architecture. Status 1: it cannot be had, and one line says why.
set -eu
# shellcheck source=cmake/apt.sh
. "$(dirname -- "$0")/apt.sh"
architecture=$1 target=$2
apt_begin "$target.$$" "the libraries for $architecture"

for origin in libc6-dev libuv1-dev; do apt_origins "$origin"; done | sort -u | sed 's/^/deb /' >"$work/parts/sysroot.list"
[ -s "$work/parts/sysroot.list" ] || apt_fail "apt-cache does not know where libc6-dev comes from (apt-get update?)"
apt update || apt_fail "apt-get update failed for $architecture of: $(cat "$work/parts/sysroot.list")"
# Named one by one: what they depend on would be a whole compiler.
(cd "$work/files" && apt download libc6 libc6-dev linux-libc-dev musl-dev uthash-dev \
  libuv1-dev libprotobuf-c-dev libpcre2-dev libjansson-dev libmd-dev) || apt_fail "apt-get download failed"
mkdir "$work/root"
for package in "$work"/files/*.deb; do
  dpkg-deb -x "$package" "$work/root" || apt_fail "$package cannot be unpacked"
done
[ -d "$target" ] || mv "$work/root" "$target"
rm -rf "$work"
