/* How: the runner forks a child for each test. A handler of that fork notes what is open and makes
 * the child a directory; a destructor of the child compares. It has the priority of the one that
 * removes the library's directories, and stands before it in the order of linking: so it runs after
 * it. A failed test ends by _exit() and is not looked at: what it says itself is the cause. */
#include "tests/lib/leftovers.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "tests/lib/processes.h"

enum {
  PATIENCE_MS = 1000, /* a process that is about to end, such as a shim without its server, may */
  STEP_MS = 5
};

static pid_t runner, test;
static unsigned tests; /* started so far */
static char folder[64];
static char own[96];
static unsigned allowed;
static descriptors_t *before;
static void (*teller)(const char *text);

void leaves(leftover_t what, const char *reason) {
  ck_assert_msg(reason && *reason, "a test says why it leaves something");
  allowed |= what;
}

/* ---- Scratch ---- */

const char *scratch_place(void) {
  const char *place = getenv("TMPDIR");
  return place && *place ? place : "/tmp";
}

void scratch_directory(char *path, size_t size) {
  const int len = snprintf(path, size, "%s/XXXXXX", scratch_place());
  ck_assert_msg(len > 0 && (size_t)len < size, "%s is too long", scratch_place());
  ck_assert_msg(mkdtemp(path) != NULL, "%s: %s", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)info;
  (void)kind;
  (void)at;
  return remove(path);
}

void scratch_remove(const char *path) {
  enum { DESCRIPTORS = 16 };
  (void)nftw(path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

/* ---- What is left ---- */

typedef struct text {
  char bytes[2048];
  size_t len;
} text_t;

__attribute__((format(printf, 2, 3))) static void add(text_t *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const size_t room = sizeof text->bytes - text->len;
  const int len = vsnprintf(text->bytes + text->len, room, format, arguments);
  va_end(arguments);
  text->len += (size_t)len < room ? (size_t)len : room - 1;
}

static bool same(const descriptors_t *a, size_t i, const descriptors_t *b, size_t k) {
  return a->items[i].fd == b->items[k].fd && strcmp(a->items[i].target, b->items[k].target) == 0;
}

static void missing(const descriptors_t *from, const descriptors_t *in, const char *what,
                    text_t *text) {
  for (size_t i = 0; i < from->count; i++) {
    size_t k = 0;
    while (k < in->count && !same(from, i, in, k)) k++;
    if (k == in->count)
      add(text, "%s descriptor %d (%s); ", what, from->items[i].fd, from->items[i].target);
  }
}

static void find_descriptors(text_t *text) {
  descriptors_t *after = descriptors_read();
  if (before && after) {
    missing(after, before, "leaves", text);
    missing(before, after, "closed", text);
  }
  free(after);
}

typedef struct search {
  text_t *text; /* NULL: just look */
  bool living;
} search_t;

static bool is_dead(const process_t *process) {
  return process->state == 'Z' || process->state == 'X';
}

static bool consider(const process_t *process, void *user) {
  search_t *search = user;
  const bool child = process->parent == getpid();
  if (process->pid == getpid() || !(child || process->group == getpid())) return true;
  const bool dead = is_dead(process);
  if (dead && (!child || test == 0)) return true; /* an orphan, which its test could not wait for */
  search->living |= !dead;
  if (search->text)
    add(search->text, dead ? "did not wait for process %d (%s); " : "leaves process %d (%s); ",
        (int)process->pid, process->name);
  return true;
}

static void find_processes(text_t *text) {
  for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
    search_t search = {0};
    processes_visit(consider, &search);
    if (!search.living) break;
    (void)poll(NULL, 0, STEP_MS);
  }
  search_t search = {.text = text};
  processes_visit(consider, &search);
}

static void find_files(const char *path, text_t *text) {
  DIR *stream = opendir(path);
  if (!stream) return;
  for (const struct dirent *entry; (entry = readdir(stream));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      add(text, "leaves %s/%s; ", path, entry->d_name);
  (void)closedir(stream);
}

/* See above for the priority. */
__attribute__((destructor(101))) static void compare(void) {
  if (test == 0 || getpid() != test) return;
  text_t text = {0};
  if (!(allowed & LEAVES_DESCRIPTORS)) find_descriptors(&text);
  if (!(allowed & LEAVES_PROCESSES)) find_processes(&text);
  if (!(allowed & LEAVES_FILES)) find_files(own, &text);
  free(before);
  scratch_remove(own);
  if (text.len && teller) teller(text.bytes);
  if (text.len) ck_abort_msg("the test %.*s", (int)text.len - 2, text.bytes);
}

/* ---- The runner ---- */

static void count_test(void) {
  if (getpid() == runner) tests++;
}

static void begin_test(void) {
  if (getppid() != runner || test != 0) return;
  test = getpid();
  (void)snprintf(own, sizeof own, "%s/%u", folder, tests);
  if (mkdir(own, 0711) != 0 || chmod(own, 0711) != 0 || setenv("TMPDIR", own, 1) != 0 ||
      setenv("CMOX_TMPDIR", own, 1) != 0)
    _exit(3);
  before = descriptors_read();
}

void leftovers_tell(void (*tell)(const char *text)) { teller = tell; }

void leftovers_watch(void) {
  const char *place = getenv("CMOX_TMPDIR");
  (void)snprintf(folder, sizeof folder, "%.40s/t-XXXXXX",
                 place && *place ? place : scratch_place());
  if (!mkdtemp(folder) || chmod(folder, 0711) != 0) {
    perror(folder);
    exit(3);
  }
  runner = getpid();
  /* libuv keeps a pipe from its first loop to its end: it is there before the first test. */
  uv_loop_t loop;
  if (uv_loop_init(&loop) == 0) (void)uv_loop_close(&loop);
  (void)pthread_atfork(count_test, NULL, begin_test);
#ifdef PR_SET_CHILD_SUBREAPER
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* what left its test's group comes to us */
#endif
}

static bool end_process(const process_t *process, void *unused) {
  (void)unused;
  if (process->parent == getpid() && !is_dead(process)) (void)kill(process->pid, SIGKILL);
  return true;
}

bool leftovers_end(void) {
  text_t text = {0};
  find_processes(&text);
  processes_visit(end_process, NULL);
  scratch_remove(folder);
  if (text.len)
    (void)fprintf(stderr, "after all tests: the suite %.*s\n", (int)text.len - 2, text.bytes);
  return text.len == 0;
}
