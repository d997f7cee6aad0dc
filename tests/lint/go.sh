#!/bin/sh
# The sources of Go are formatted as gofmt has it, and go vet finds nothing in them: of the module and of its tests, in the
# workspace that ./dev build makes.
set -eu
cd "${1:-$(dirname "$0")/../..}"
unformatted=$(find . \( -name build -o -name .git \) -prune -o -name '*.go' -exec gofmt -l {} +)
[ -z "$unformatted" ] || { printf 'not formatted; run gofmt -w on:\n%s\n' "$unformatted"; exit 1; }

workspace=$PWD/build/dev/go.work
[ -f "$workspace" ] || exit 0
for module in build/dev/go tests; do
  [ ! -f "$module/go.mod" ] || (cd "$module" && GOWORK=$workspace GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go vet ./...)
done
