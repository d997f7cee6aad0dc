#!/bin/sh
# nanopb_source.sh DIR: fetches the distribution's sources of nanopb, of the version whose generator is
# installed, into DIR. Only where there is apt-get; the system's own configuration is read and stays as it is.
# Status 1: they cannot be had, and one line says why.
set -eu
# shellcheck source=cmake/apt.sh
. "$(dirname -- "$0")/apt.sh"
target=$1
apt_begin "$target.$$" "nanopb's sources" # others may be at it too

version=$(dpkg-query -W -f='${Version}' nanopb 2>/dev/null) || apt_fail "the package nanopb is not installed"
apt_origins nanopb "$version" | head -n 1 | sed 's/^/deb-src /' >"$work/parts/nanopb.list"
[ -s "$work/parts/nanopb.list" ] || apt_fail "apt-cache does not know where nanopb $version comes from (apt-get update?)"
apt update || apt_fail "apt-get update failed for: $(cat "$work/parts/nanopb.list")"
(cd "$work/files" && apt source --download-only "nanopb=$version") || apt_fail "apt-get source nanopb=$version failed"
mkdir "$work/nanopb"
tar -xf "$work"/files/nanopb_*.orig.tar.* -C "$work/nanopb" --strip-components=1 \
  --wildcards --no-wildcards-match-slash 'nanopb*/pb*.[ch]' ||
  apt_fail "no runtime in the source package"
[ -f "$work/nanopb/pb_encode.c" ] || apt_fail "no pb_encode.c in the source package"
[ -d "$target" ] || mv "$work/nanopb" "$target"
rm -rf "$work"
