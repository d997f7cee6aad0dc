#!/bin/sh
# How the module and its tests are built, with the go that is on PATH: no other is downloaded.
#
#   build.sh plugin TREE OUT              protoc-gen-go, of the version that go.mod names
#   build.sh messages TREE PLUGIN PROTOC OPTION... FILE...
#                                         internal/v1 of the module at TREE
#   build.sh run FOLDER ARGUMENT...       go ARGUMENT... there
set -eu
verb=$1 tree=$2
shift 2

command -v go >/dev/null || {
  echo "cmdmox: the Go client needs go 1.19 or later, and there is none: ./dev installs it; or configure with -DCMDMOX_LANGUAGES=OFF" >&2
  exit 3
}
export GOTOOLCHAIN=local GOFLAGS="-buildvcs=false${GOFLAGS:+ $GOFLAGS}"

# All messages are one package of Go, which the schema does not name: other clients make their own.
messages() {
  plugin=$1 protoc=$2
  shift 2
  for file; do
    case $file in
      *.proto) set -- "$@" "--go_opt=Mcmdmox/v1/${file##*/}=cmdmox/internal/v1" ;;
    esac
  done
  exec "$protoc" --plugin=protoc-gen-go="$plugin" --go_out="$tree" --go_opt=module=cmdmox "$@"
}

cd "$tree"
case $verb in
  plugin) exec go build -o "$1" google.golang.org/protobuf/cmd/protoc-gen-go ;;
  messages) messages "$@" ;;
  run) exec go "$@" ;;
esac
