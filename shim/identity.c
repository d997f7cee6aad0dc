#include "shim/identity.h"

#include <string.h>

#include "proto/limits.h"
#include "shim/os.h"
#include "shim/say.h"

#define OWN_NAME "cmdmox-shim"

static const char *last_part(const char *path) {
  const char *name = path;
  for (; *path; path++)
    if (*path == '/') name = path + 1;
  return name;
}

const char *cmox_identity(int argc, char **argv) {
  const char *path = cmox_os_started_as();
  const char *name = path ? last_part(path) : "";
  if (!*name && argc > 0) name = last_part(argv[0]);
  if (!*name) cmox_die("no command name: neither the system nor argv[0] tells one");
  cmox_say_as(name);
  return name;
}

void cmox_identity_answer_probe(const char *command, int argc, char **argv) {
  if (strcmp(command, OWN_NAME) != 0) return;
  if (argc != 2 || strcmp(argv[1], "--probe") != 0)
    cmox_die("this is the launcher that stands in for mocked commands: run it by a command's name");
  cmox_say(OWN_NAME " " CMDMOX_VERSION " protocol ");
  cmox_say_number(CMOX_PROTOCOL_MIN);
  cmox_say("-");
  cmox_say_number(CMOX_PROTOCOL_MAX);
  cmox_say_and_end();
}
