/* Which shim directories this process has made: they stay until it ends, so that a
 * late child meets a launcher that answers 125. Static storage: it outlives every engine.
 *
 * A forked child owns none of it: it forgets the table at its first use and
 * removes nothing when it ends. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/host/shimdir_internal.h"

typedef enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_TOMB } slot_state_t;

typedef struct slot {
  slot_state_t state;
  unsigned long order;
  cmox_home_t home;
  char path[CMOX_SHIMDIR_PATH_SIZE];
} slot_t;

enum { VISITS_MAX = 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static slot_t slots[CMOX_SHIMDIRS_MAX];
static size_t used; /* slots below were used once */
static size_t tombs;
static unsigned long orders;
static pid_t owner;
static unsigned generation; /* how often this process's line has forked */
static unsigned owner_generation;
static struct {
  dev_t device;
  ino_t inode;
} visits[VISITS_MAX];
static size_t visit_count;

static void hold(void) { (void)pthread_mutex_lock(&mutex); }

static void release(void) { (void)pthread_mutex_unlock(&mutex); }

static void remove_path(const char *path) {
  char parent[CMOX_SHIMDIR_PATH_SIZE];
  size_t len = strlen(path);
  while (len > 1 && path[len - 1] != '/') len--;
  memcpy(parent, path, len);
  parent[len] = '\0';
  cmox_place_t place;
  if (cmox_place_open(parent, &place, NULL) != CMOX_OK) return;
  cmox_shimdir_remove(place.fd, path + len);
  (void)close(place.fd);
}

static void close_locks(void) {
  for (size_t i = 0; i < used; i++) {
    if (slots[i].state != SLOT_FREE && slots[i].home.lock_fd >= 0)
      (void)close(slots[i].home.lock_fd);
    slots[i].home.lock_fd = -1;
  }
}

static void in_forked_child(void) {
  generation++;
  release();
}

/* The pid alone does not tell: the first process of a new pid namespace is 1, as its parent may be.
 */
static bool is_owner(void) { return owner == getpid() && owner_generation == generation; }

/* After every atexit handler: those may still run commands. Before the client library, which may
 * end the process here, at 101. What a process that outlives us still has on its PATH stays, and a
 * later sweep takes it. */
__attribute__((destructor(102))) static void remove_all(void) {
  static cmox_litter_t litter[CMOX_SHIMDIRS_MAX];
  hold(); /* an engine's thread may still be making one */
  const size_t mine = is_owner() ? used : 0;
  for (size_t i = 0; i < mine; i++)
    if (slots[i].state != SLOT_FREE)
      memcpy(litter[i].name, strrchr(slots[i].path, '/') + 1, CMOX_SHIMDIR_NAME_LEN);
  if (mine > 0) (void)cmox_litter_mark(litter, mine);
  for (size_t i = 0; i < mine; i++)
    if (slots[i].state != SLOT_FREE && !litter[i].used) remove_path(slots[i].path);
  close_locks(); /* the process may go on: this is also what dlclose() runs */
  used = 0;
  release();
}

static void prepare(void) { (void)pthread_atfork(hold, release, in_forked_child); }

static void enter(void) {
  (void)pthread_once(&once, prepare);
  hold();
  if (is_owner()) return;
  owner = getpid();
  owner_generation = generation;
  close_locks(); /* the parent's locks: its own descriptors keep them */
  memset(slots, 0, used * sizeof *slots);
  used = tombs = visit_count = 0;
}

unsigned cmox_registry_generation(void) { return generation; }

int cmox_registry_enter(const char *path) {
  enter();
  size_t at = 0;
  while (at < used && slots[at].state != SLOT_FREE) at++;
  if (at == CMOX_SHIMDIRS_MAX) {
    release();
    return -1;
  }
  if (at == used) used++;
  slots[at] = (slot_t){.state = SLOT_LIVE, .order = orders++, .home = {.lock_fd = -1}};
  memcpy(slots[at].path, path, strlen(path) + 1);
  release();
  return (int)at;
}

void cmox_registry_forget(int slot) {
  enter();
  slots[slot].state = SLOT_FREE;
  if (slots[slot].home.lock_fd >= 0) (void)close(slots[slot].home.lock_fd);
  slots[slot].home.lock_fd = -1;
  release();
}

void cmox_registry_set_home(int slot, const cmox_home_t *home) {
  enter();
  slots[slot].home = *home;
  release();
}

/* The oldest tombstone goes; homes stay, because others link to their files. */
static void make_room(void) {
  slot_t *oldest = NULL;
  for (size_t i = 0; i < used; i++) {
    slot_t *slot = &slots[i];
    if (slot->state != SLOT_TOMB || slot->home.lock_fd >= 0) continue;
    if (!oldest || slot->order < oldest->order) oldest = slot;
  }
  if (!oldest) return;
  remove_path(oldest->path);
  oldest->state = SLOT_FREE;
  tombs--;
}

void cmox_registry_entomb(int slot) {
  enter();
  slots[slot].state = SLOT_TOMB;
  if (++tombs > CMOX_TOMBSTONES_MAX) make_room();
  release();
}

bool cmox_registry_find_home(const cmox_place_t *place, cmox_file_id_t source, cmox_home_t *home,
                             char path[CMOX_SHIMDIR_PATH_SIZE]) {
  bool found = false;
  enter();
  for (size_t i = 0; i < used && !found; i++) {
    const slot_t *slot = &slots[i];
    if (slot->state == SLOT_FREE || slot->home.lock_fd < 0) continue;
    if (slot->home.device != place->device || slot->home.inode != place->inode) continue;
    if (!cmox_file_id_equal(slot->home.source, source)) continue;
    *home = slot->home;
    memcpy(path, slot->path, sizeof slot->path);
    found = true;
  }
  release();
  return found;
}

bool cmox_registry_first_visit(const cmox_place_t *place) {
  enter();
  size_t at = 0;
  while (at < visit_count &&
         (visits[at].device != place->device || visits[at].inode != place->inode))
    at++;
  bool first = at == visit_count && visit_count < VISITS_MAX;
  if (first) {
    visits[visit_count].device = place->device;
    visits[visit_count++].inode = place->inode;
  }
  release();
  return first;
}
