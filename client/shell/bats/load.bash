# Command mocking in tests of bats, by the program cmdmox:
#
#   bats_load_library cmdmox
#
#   @test "it pushes" {
#     cmdmox_mock git push origin
#     run ./release.sh
#     [ "$status" -eq 0 ]
#   }
#
# The first function that declares something begins a session of the test; before the file's teardown the session is
# verified, and ends. docs/bats.md and docs/reference/bats.md have the rest.
#
# Names that begin with cmdmox__ (two underscores) are nobody's but the library's. It uses nothing that is newer than bash 3.2,
# and runs under set -eETu.
cmdmox__here=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd) || return
source "$cmdmox__here/src/tell.bash"
source "$cmdmox__here/src/session.bash"
source "$cmdmox__here/src/teardown.bash"
source "$cmdmox__here/src/doubles.bash"
source "$cmdmox__here/src/calls.bash"
