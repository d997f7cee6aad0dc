/* Only in the static program: libuv's core can ask for a user's home directory, which nobody does
 * here, and glibc would have to load the system's own libraries for the answer. In its place there
 * is no such user (cmake/StaticProgram.cmake wraps the two), and whatever else would load a library
 * is refused by the linker. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

int __wrap_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
                      struct passwd **found);
int __wrap_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size,
                      struct group **found);

int __wrap_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
                      struct passwd **found) {
  (void)uid, (void)entry, (void)buffer, (void)size;
  *found = NULL;
  return ENOENT;
}

int __wrap_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size,
                      struct group **found) {
  (void)gid, (void)entry, (void)buffer, (void)size;
  *found = NULL;
  return ENOENT;
}
