#!/bin/sh
# bundle.sh BUILD PROGRAMS LICENCES: what a package for one platform has of the build folder BUILD: the program and its shim,
# stripped, in the folder PROGRAMS; in the folder LICENCES the licences of what is linked into them. Both folders are made.
set -eu
[ $# -eq 3 ] || { sed -n 's/^# //p' "$0" >&2; exit 2; }
build=$1 programs=$2 licences=$3

# Debian's packages tell the licences; those of the libraries lie in the tree that the build took them from.
licence() {
  [ -f "$2" ] || { echo "bundle: $2 is missing: a package tells the licences of what is linked into its program" >&2; exit 1; }
  cp "$2" "$licences/LICENSE.$1"
}

mkdir -p "$programs" "$licences"
installed=$(mktemp -d)
trap 'rm -rf "$installed"' EXIT
cmake --install "$build" --component program --strip --prefix "$installed" >/dev/null
mv "$installed/bin/cmdmox" "$installed/libexec/cmdmox/cmdmox-shim" "$programs"

root=$(sed -n 's|^CMDMOX_ARCHIVE_uv:FILEPATH=\(.*\)/usr/lib/.*|\1|p' "$build/CMakeCache.txt")
for name in libc6-dev musl-dev libuv1-dev libprotobuf-c-dev libpcre2-dev libjansson-dev libmd-dev uthash-dev; do
  licence "$name" "$root/usr/share/doc/$name/copyright"
done
licence nanopb /usr/share/doc/nanopb/copyright
