#!/bin/sh
# build.sh STEP...: the steps of building the package in a folder of its own, where CMakeLists.txt has put the sources.
#   install TREE                   what package-lock.json names, into TREE/node_modules
#   messages TREE PROTOC ARG...    the TypeScript of the schema, by protoc and the generator from node_modules
#   compile TREE                   TREE/cmdmox into TREE/package/dist; what src/ has no more is removed there
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
[ $# -ge 2 ] || { sed -n 's/^# //p' "$0" >&2; exit 2; }
step=$1 tree=$2
shift 2

die() { echo "client/js: $*" >&2; exit 1; }

for tool in node npm; do
  command -v "$tool" >/dev/null || die "$tool is missing: install Node.js 18.13 or later with its npm, or configure with -DCMDMOX_LANGUAGES=OFF"
done

case $step in
  install)
    cd "$tree"
    # Nothing of what is installed runs here: no install scripts. --prefer-offline: a lock names exact versions.
    npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error
    ;;
  messages)
    protoc=$1
    shift
    "$protoc" --plugin=protoc-gen-es="$tree/node_modules/.bin/protoc-gen-es" --es_out="$tree" \
      --es_opt=target=ts,import_extension=js "$@"
    ;;
  compile)
    cd "$tree"
    rm -rf package/dist
    for copy in cmdmox/*.*ts; do [ -f "$here/src/${copy#cmdmox/}" ] || rm "$copy"; done
    # What it says of a source is said of the place where it is written.
    status=0
    node node_modules/typescript/bin/tsc -p tsconfig.json >compile.log || status=$?
    sed 's|^cmdmox/|client/js/src/|; s|^client/js/src/v1/|build: cmdmox/v1/|' compile.log >&2
    [ "$status" -eq 0 ] || { rm -rf package/dist; exit "$status"; }
    ;;
  *) die "no such step: $step" ;;
esac
