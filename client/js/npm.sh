#!/bin/sh
# npm.sh FOLDER PACKAGE [BUILD...]: makes the npm packages into FOLDER as tarballs: cmdmox itself, and for each BUILD, a build
# folder with a static program, @cmdmox/linux-x64 or -arm64, which has that program and its shim. npm installs the one
# that fits as an optional dependency of cmdmox; nothing runs when it does. PACKAGE is the compiled package,
# build/PRESET/js/package. The same sources give the same bytes.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=${here%/client/js}
[ $# -ge 2 ] || { sed -n 's/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
package=$2
shift 2

umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
die() { echo "npm packages: $*" >&2; exit 1; }
[ -d "$package/dist" ] || die "$package/dist is missing: ./dev build makes it"

mkdir "$stage/0"
cp -R "$package/dist" "$here/README.md" "$stage/0"
count=0
for build; do
  count=$((count + 1))
  sh "$top/client/bundle.sh" "$build" "$stage/$count/bin" "$stage/$count"
done
cd "$stage"
# shellcheck disable=SC2046 # numbers
node "$here/manifest.mjs" "$here/package.json" $(seq 0 "$count")
for each in $(seq 0 "$count"); do
  cp "$top/LICENSE" "$each"
  find "$each" -type d -exec chmod 755 {} + -o -path '*/bin/*' -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
  # npm gives the files in a tarball a time of its own, the same for all.
  (cd "$each" && npm pack --ignore-scripts --pack-destination "$folder" >"$stage/log" 2>&1) || { cat "$stage/log" >&2; die "npm pack failed"; }
done
