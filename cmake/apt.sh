# shellcheck shell=sh
# Sourced: packages of the distribution without touching the system. Its own sources and keys are read; lists and
# packages go to a folder of ours. What fails ends the script with status 1 and one line that says why.
#
#   apt_begin WORK WHAT   a fresh folder WORK for lists and packages; WHAT is named when something fails
#   apt_origins PACKAGE [VERSION]   "URI SUITE COMPONENT", a line each: where the system has that package from
#   apt ARGUMENT...       apt-get with $work/parts as its sources; $architecture, when set, in place of the system's

apt_fail() {
  rm -rf "$work"
  echo "$what cannot be fetched: $*" >&2
  exit 1
}

apt_begin() {
  work=$1 what=$2
  command -v apt-get >/dev/null 2>&1 || apt_fail "this system has no apt-get"
  rm -rf "$work"
  mkdir -p "$work/parts" "$work/lists/partial" "$work/files"
  work=$(cd "$work" && pwd)
  : >"$work/status"
}

# PACKAGE | VERSION | URI SUITE/COMPONENT ARCHITECTURE Packages
apt_origins() {
  apt-cache madison "$1" 2>/dev/null |
    awk -v version="${2:-}" '(version == "" || $3 == version) && $NF == "Packages" { sub("/", " ", $6); print $5, $6 }' |
    sort -u
}

apt() {
  apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" \
    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User= \
    ${architecture:+-o APT::Architecture="$architecture" -o APT::Architectures="$architecture"} \
    ${architecture:+-o Dir::State::status="$work/status"} "$@"
}
