/* One scenario of tests/conformance at work, in a process of its own. What is not as the scenario
 * says ends that process: stage_fail(). Memory of the stage lives as long as the process. */
#ifndef CMOX_CONFORMANCE_STAGE_H
#define CMOX_CONFORMANCE_STAGE_H

#include <jansson.h>
#include <sys/types.h>

#include <cmdmox/cmdmox.h>

enum { NAMES_MAX = 64 };

/* A command that was started and is still to be waited for. */
typedef struct running {
  const char *name;
  pid_t pid;
  int out, err; /* files that it writes to */
} running_t;

typedef struct stage {
  const char *file;               /* of the scenario: where its doubles are declared */
  unsigned step;                  /* from 1 */
  const char *address;            /* of a server that runs already, or NULL */
  int said;                       /* where a failure is written */
  char place[160], programs[160]; /* the working directory, and one for programs of the scenario */
  cmox_t *mox;
  bool forgotten; /* the session was given up, and the process is to end with status 1 */
  struct {
    const char *name;
    cmox_double_t *dbl;
  } doubles[NAMES_MAX];
  size_t double_count;
  running_t running[NAMES_MAX];
  size_t running_count;
} stage_t;

/* ---- stage.c */

/* Ends the commands and the session, and removes what there was. */
void stage_close(stage_t *stage);
_Noreturn void stage_fail(stage_t *stage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
cmox_t *stage_session(stage_t *stage); /* begins it where no step has */
cmox_location_t stage_here(const stage_t *stage);
cmox_double_t *stage_double(stage_t *stage, const char *name);
/* Zeroed, and freed at the end of the scenario. */
void *stage_memory(stage_t *stage, size_t count, size_t size);
void stage_forget_memory(void);
/* json_unpack() that fails the scenario, also for keys that the format does not name. */
void stage_read(stage_t *stage, json_t *value, const char *format, ...);
/* After a step that declares something: whether it went well, or failed as `fails` says. */
void stage_declared(stage_t *stage, json_t *fails);

/* ---- text.c */

/* {"base64": ...}, {"repeat": ...} or text; NULL is "". */
cmox_bytes_t text_bytes(stage_t *stage, json_t *value);
const char *text_string(stage_t *stage, json_t *value); /* NULL stays NULL */
/* A list of them, in which {"copies": N, "of": VALUE} stands for N items. */
cmox_bytes_t *text_list(stage_t *stage, json_t *list, size_t *count);
const char *const *text_strings(stage_t *stage, json_t *list, size_t *count);
bool text_equal(cmox_bytes_t one, cmox_bytes_t other);
/* What the README calls a text that is expected. */
void text_expect(stage_t *stage, const char *what, json_t *expected, cmox_bytes_t actual);
/* The same of a text of cmdmox's, in which places of the test are not compared. */
void text_expect_told(stage_t *stage, const char *what, json_t *expected, cmox_bytes_t actual);

/* ---- matchers.c */

cmox_matcher_t matcher_of(stage_t *stage, json_t *value);
cmox_matcher_t *matchers_of(stage_t *stage, json_t *list, size_t *count);

/* ---- vocabulary.c: the handlers and predicates that every runner has */

typedef struct words {
  const char *const *items; /* the first one names the handler */
  size_t count;
} words_t;

cmox_handler_t handler_of(stage_t *stage, const char *name);
cmox_predicate_t predicate_of(stage_t *stage, const char *name);
void vocabulary_let_go(void); /* what hangs goes on */

/* ---- answers.c: refinements that say what a double answers; false: it is none of them */

bool refine_answer(stage_t *stage, cmox_double_t *dbl, const char *name, json_t *value);
void default_answer(stage_t *stage, json_t *value);

/* ---- doubles.c, calls.c, judge.c: the steps */

typedef struct step {
  const char *name; /* the key that makes it this step */
  void (*take)(stage_t *stage, json_t *step);
} step_t;

extern const step_t declaring_steps[], calling_steps[], judging_steps[]; /* up to a NULL */
void session_begin(stage_t *stage, json_t *options);                     /* NULL: none */
void calls_clear(stage_t *stage);                                        /* kills what still runs */

#endif
