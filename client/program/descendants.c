#include "client/program/descendants.h"

#ifdef __linux__
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

typedef struct process {
  pid_t pid, parent, session;
  unsigned long long started; /* ticks since the system was */
  bool ended;
  bool ours;
} process_t;

void cmox_gather_orphans(bool gather) {
  (void)prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)gather, 0, 0, 0);
}

/* proc(5): "PID (NAME) STATE PARENT GROUP SESSION ...", the 22nd is when it was started. A name
 * may hold anything. */
static bool read_process(const char *pid, process_t *one) {
  enum { PARENT = 4, SESSION = 6, STARTED = 22 };
  char text[1024];
  (void)snprintf(text, sizeof text, "/proc/%.20s/stat", pid);
  const int fd = open(text, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t len = read(fd, text, sizeof text - 1);
  (void)close(fd);
  text[len > 0 ? len : 0] = '\0';
  const char *at = strrchr(text, ')');
  if (!at || strlen(at) < 4) return false;
  *one = (process_t){.pid = (pid_t)strtol(pid, NULL, 10), .ended = at[2] == 'Z' || at[2] == 'X'};
  char *next = NULL;
  at += 3;
  for (int field = PARENT; field <= STARTED; field++, at = next) {
    const unsigned long long value = strtoull(at, &next, 10);
    if (field == PARENT) one->parent = (pid_t)value;
    if (field == SESSION) one->session = (pid_t)value;
    if (field == STARTED) one->started = value;
  }
  return true;
}

/* All that there are; to be freed. */
static process_t *read_processes(size_t *count) {
  process_t *all = NULL;
  size_t space = 0;
  /* By open(), which TSan sees: it knows what libuv closes by its number only. */
  const int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
  const struct dirent *entry;
  while (directory && (entry = readdir(directory))) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    if (*count == space) {
      process_t *grown = realloc(all, (space = space * 2 + 64) * sizeof *all);
      if (!grown) break;
      all = grown;
    }
    *count += read_process(entry->d_name, &all[*count]);
  }
  if (directory)
    (void)closedir(directory);
  else if (fd >= 0)
    (void)close(fd);
  return all;
}

/* Marks the children of us, or of one that is marked. True: there were more. */
static bool mark_children(process_t *all, size_t count, unsigned long long since) {
  const pid_t self = getpid();
  bool more = false;
  for (size_t i = 0; i < count; i++) {
    bool ours = all[i].parent == self;
    for (size_t k = 0; k < count && !ours; k++) ours = all[k].ours && all[k].pid == all[i].parent;
    if (all[i].ours || !ours || all[i].started < since) continue;
    more = all[i].ours = true;
  }
  return more;
}

unsigned long long cmox_started(pid_t pid) {
  char name[24];
  process_t one;
  (void)snprintf(name, sizeof name, "%ld", (long)pid);
  return read_process(name, &one) ? one.started : 0;
}

size_t cmox_descendants(unsigned long long since, bool daemons, int signal_number) {
  size_t count = 0;
  size_t found = 0;
  process_t *all = read_processes(&count);
  while (mark_children(all, count, since)) continue;
  const pid_t session = getsid(0);
  for (size_t i = 0; i < count; i++) {
    if (!all[i].ours || all[i].ended || (!daemons && all[i].session != session)) continue;
    found++;
    if (signal_number == 0) continue;
    (void)kill(all[i].pid, signal_number);
    (void)kill(all[i].pid, SIGCONT);
  }
  free(all);
  return found;
}
#else
void cmox_gather_orphans(bool gather) { (void)gather; }
unsigned long long cmox_started(pid_t pid) {
  (void)pid;
  return 0;
}
size_t cmox_descendants(unsigned long long since, bool daemons, int signal_number) {
  (void)since, (void)daemons, (void)signal_number;
  return 0;
}
#endif
