#!/bin/sh
# wheels.sh FOLDER PACKAGE [BUILD...]: makes wheels into FOLDER: one of the package alone, which finds an installed
# cmdmox, and for each BUILD, a build folder with a static program, one that has that program and its shim in it.
# PACKAGE is the assembled package, build/PRESET/python, for the messages in it. The same sources give the same bytes; SOURCE_DATE_EPOCH is
# the time that the files in them have, else that of the last commit.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=${here%/client/python}
[ $# -ge 2 ] || { sed -n 's/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
package=$2
shift 2

umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
: "${SOURCE_DATE_EPOCH:=$(git -C "$top" log -1 --format=%ct 2>/dev/null || echo 315532800)}" # 1980, the first that zip knows
export SOURCE_DATE_EPOCH

die() { echo "wheels: $*" >&2; exit 1; }

for python in ${CMDMOX_PYTHON:-/usr/bin/python3 python3} ''; do
  [ -n "$python" ] || die "no Python with the packages build, setuptools and wheel (./dev wheels installs them)"
  "$python" -c 'import build, setuptools, wheel' 2>/dev/null && break
done

sources() {
  rm -rf "$stage/src"
  cp -R "$here/src" "$stage"
  cp "$package"/cmdmox/v1/*_pb2.py "$package"/cmdmox/v1/*_pb2.pyi "$stage/src/cmdmox/v1"
  cp "$here/pyproject.toml" "$here/setup.py" "$here/README.md" "$top/LICENSE" "$stage"
  find "$stage/src" -name __pycache__ -prune -exec rm -rf {} +
  find "$stage" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
}

wheel() {
  (cd "$stage" && "$python" -m build --wheel --no-isolation --outdir "$stage/made" . >"$stage/log" 2>&1 </dev/null) ||
    { cat "$stage/log" >&2; die "python -m build failed"; }
  mv "$stage"/made/*.whl "$folder"
  rm -rf "$stage/build" "$stage/made" "$stage"/src/*.egg-info
}

sources
wheel
for build; do
  sources
  sh "$top/client/bundle.sh" "$build" "$stage/src/cmdmox/_bin" "$stage"
  wheel
done
