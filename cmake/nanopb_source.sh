#!/bin/sh
# nanopb_source.sh DIR: fetches the distribution's sources of nanopb, of the version whose generator is
# installed, into DIR. Only where there is apt-get; the system's own configuration is read and stays as it is.
# Status 1: they cannot be had, and one line says why.
set -eu
target=$1
work=$target.$$ # others may be at it too

fail() {
  rm -rf "$work"
  echo "nanopb's sources cannot be fetched: $*" >&2
  exit 1
}

command -v apt-get >/dev/null 2>&1 || fail "this system has no apt-get"
version=$(dpkg-query -W -f='${Version}' nanopb 2>/dev/null) || fail "the package nanopb is not installed"
# nanopb | VERSION | URI SUITE/COMPONENT ARCHITECTURE Packages
origin=$(apt-cache madison nanopb 2>/dev/null | awk -v version="$version" '$3 == version && $NF == "Packages" { print $5, $6; exit }')
[ -n "$origin" ] || fail "apt-cache does not know where nanopb $version comes from (apt-get update?)"

rm -rf "$work"
mkdir -p "$work/parts" "$work/lists/partial" "$work/files"
work=$(cd "$work" && pwd)
suite=${origin#* }
echo "deb-src ${origin% *} ${suite%%/*} ${suite#*/}" >"$work/parts/nanopb.list"
apt() {
  apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" \
    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User= "$@"
}
apt update || fail "apt-get update failed for: $(cat "$work/parts/nanopb.list")"
(cd "$work/files" && apt source --download-only "nanopb=$version") || fail "apt-get source nanopb=$version failed"
mkdir "$work/nanopb"
tar -xf "$work"/files/nanopb_*.orig.tar.* -C "$work/nanopb" --strip-components=1 \
  --wildcards --no-wildcards-match-slash 'nanopb*/pb*.[ch]' ||
  fail "no runtime in the source package"
[ -f "$work/nanopb/pb_encode.c" ] || fail "no pb_encode.c in the source package"
[ -d "$target" ] || mv "$work/nanopb" "$target"
rm -rf "$work"
