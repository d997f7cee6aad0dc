#include "tests/lib/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t read_text(const char *pid, const char *file, char *text, size_t size) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%.20s/%s", pid, file);
  FILE *stream = fopen(path, "re");
  const size_t len = stream ? fread(text, 1, size - 1, stream) : 0;
  if (stream) (void)fclose(stream);
  text[len] = '\0';
  return len;
}

static bool read_process(const char *pid, process_t *process) {
  char stat[512];
  if (read_text(pid, "stat", stat, sizeof stat) == 0) return false;
  const char *open = strchr(stat, '(');
  char *close = strrchr(stat, ')'); /* the name between may hold anything */
  if (!open || !close) return false;
  *process = (process_t){.pid = (pid_t)strtol(pid, NULL, 10)};
  int parent = 0, group = 0;
  if (sscanf(close + 1, " %c %d %d", &process->state, &parent, &group) != 3) return false;
  process->parent = parent;
  process->group = group;
  *close = '\0';
  size_t len = read_text(pid, "cmdline", process->name, sizeof process->name);
  if (len == 0) (void)snprintf(process->name, sizeof process->name, "%s", open + 1);
  for (size_t i = 0; i + 1 < len; i++)
    if (process->name[i] == '\0') process->name[i] = ' ';
  return true;
}

void processes_visit(bool (*visit)(const process_t *process, void *user), void *user) {
  DIR *proc = opendir("/proc");
  if (!proc) return;
  bool more = true;
  for (const struct dirent *entry; more && (entry = readdir(proc));) {
    process_t process;
    if (isdigit((unsigned char)entry->d_name[0]) && read_process(entry->d_name, &process))
      more = visit(&process, user);
  }
  (void)closedir(proc);
}

descriptors_t *descriptors_read(void) {
  DIR *folder = opendir("/proc/self/fd");
  if (!folder) return NULL;
  descriptors_t *found = calloc(1, sizeof *found + DESCRIPTORS_MAX * sizeof *found->items);
  for (const struct dirent *entry; found && (entry = readdir(folder));) {
    const int fd = (int)strtol(entry->d_name, NULL, 10);
    if (entry->d_name[0] == '.' || fd == dirfd(folder) || found->count == DESCRIPTORS_MAX) continue;
    char *target = found->items[found->count].target;
    if (readlinkat(dirfd(folder), entry->d_name, target, sizeof found->items->target - 1) < 0)
      continue;
    found->items[found->count++].fd = fd;
  }
  (void)closedir(folder);
  return found;
}
