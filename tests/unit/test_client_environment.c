#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/lib/environment.h"
#include "server/base/alloc.h"
#include "tests/lib/run_suite.h"

extern char **environ;

static cmox_entries_t entries;

static void add(const char *entry) {
  ck_assert_int_eq(cmox_entries_add(&entries, entry, strlen(entry), NULL), CMOX_OK);
}

static void setup(void) {
  add("PATH=/shims:/usr/bin");
  add("CMOX_IPC_SOCKET=unix:/shims/s");
  add("WITH_EQUALS=a=b");
  ck_assert_int_eq(setenv("PATH", "/usr/bin", 1), 0);
  ck_assert_int_eq(setenv("WITH_EQUALS", "", 1), 0);
  ck_assert_int_eq(unsetenv("CMOX_IPC_SOCKET"), 0);
}

static void teardown(void) { cmox_entries_clear(&entries); }

static void expect_untouched(void) {
  ck_assert_str_eq(getenv("PATH"), "/usr/bin");
  ck_assert_str_eq(getenv("WITH_EQUALS"), "");
  ck_assert_ptr_null(getenv("CMOX_IPC_SOCKET"));
}

START_TEST(applies_and_restores_set_empty_and_unset) {
  cmox_applied_t applied = {0};
  ck_assert_int_eq(cmox_environment_apply(&applied, &entries, "the session at x.c:1", NULL),
                   CMOX_OK);
  ck_assert_str_eq(getenv("PATH"), "/shims:/usr/bin");
  ck_assert_str_eq(getenv("CMOX_IPC_SOCKET"), "unix:/shims/s");
  ck_assert_str_eq(getenv("WITH_EQUALS"), "a=b");
  ck_assert_int_eq(cmox_environment_apply(&applied, &entries, "the session at x.c:1", NULL),
                   CMOX_OK);
  ck_assert_int_eq(cmox_environment_restore(&applied, NULL), CMOX_OK);
  expect_untouched();
  ck_assert_int_eq(cmox_environment_restore(&applied, NULL), CMOX_OK);
}
END_TEST

START_TEST(restores_over_what_the_code_under_test_did) {
  cmox_applied_t applied = {0};
  ck_assert_int_eq(cmox_environment_apply(&applied, &entries, "the session at x.c:1", NULL),
                   CMOX_OK);
  ck_assert_int_eq(setenv("PATH", "/elsewhere", 1), 0);
  ck_assert_int_eq(unsetenv("WITH_EQUALS"), 0);
  ck_assert_int_eq(setenv("UNRELATED", "stays", 1), 0);
  ck_assert_int_eq(cmox_environment_restore(&applied, NULL), CMOX_OK);
  expect_untouched();
  ck_assert_str_eq(getenv("UNRELATED"), "stays");
}
END_TEST

START_TEST(one_at_a_time_in_a_process) {
  cmox_applied_t first = {0};
  cmox_applied_t second = {0};
  cmox_error_t error;
  ck_assert_int_eq(cmox_environment_apply(&first, &entries, "the session at x.c:1", NULL), CMOX_OK);
  ck_assert_int_eq(cmox_environment_apply(&second, &entries, "the session at x.c:1", &error),
                   CMOX_E_ENVIRONMENT_BUSY);
  ck_assert_ptr_eq(strstr(error.message, "the session at x.c:1 is applied"), error.message);
  static const char *const ways_out[] = {"cmox_verify()", "cmox_free()", "ck_cmox_teardown",
                                         "CMOX_ENVIRONMENT_NONE"};
  for (size_t i = 0; i < sizeof ways_out / sizeof *ways_out; i++)
    ck_assert_msg(strstr(error.message, ways_out[i]), "%s: %s", ways_out[i], error.message);
  ck_assert_int_eq(cmox_environment_restore(&second, NULL), CMOX_OK);
  ck_assert_str_eq(getenv("PATH"), "/shims:/usr/bin");
  ck_assert_int_eq(cmox_environment_restore(&first, NULL), CMOX_OK);
  ck_assert_int_eq(cmox_environment_apply(&second, &entries, "the session at x.c:1", NULL),
                   CMOX_OK);
  ck_assert_int_eq(cmox_environment_restore(&second, NULL), CMOX_OK);
}
END_TEST

START_TEST(a_child_may_apply_its_own_and_leaves_the_inherited_one) {
  cmox_applied_t inherited = {0};
  ck_assert_int_eq(cmox_environment_apply(&inherited, &entries, "the session at x.c:1", NULL),
                   CMOX_OK);
  pid_t child = fork();
  if (child == 0) {
    cmox_applied_t own = {0};
    if (cmox_environment_apply(&own, &entries, "the session at x.c:1", NULL) != CMOX_OK) _exit(1);
    (void)cmox_environment_restore(&inherited, NULL);
    if (strcmp(getenv("PATH"), "/shims:/usr/bin") != 0) _exit(2);
    cmox_applied_t third = {0};
    if (cmox_environment_apply(&third, &entries, "the session at x.c:1", NULL) !=
        CMOX_E_ENVIRONMENT_BUSY)
      _exit(3);
    _exit(0);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(cmox_environment_restore(&inherited, NULL), CMOX_OK);
  expect_untouched();
}
END_TEST

static size_t occurrences(char *const *block, const char *entry) {
  size_t count = 0;
  for (; *block; block++) count += strcmp(*block, entry) == 0;
  return count;
}

/* Puts an entry that setenv() would not make into the environment. */
static void plant(char *entry, const char *slot) {
  ck_assert_int_eq(setenv(slot, "", 1), 0);
  for (char **at = environ; *at; at++)
    if (strncmp(*at, slot, strlen(slot)) == 0 && (*at)[strlen(slot)] == '=') *at = entry;
}

START_TEST(a_second_path_cannot_lead_around_the_shims) {
  static char odd[] = "no equals sign", second[] = "PATH=/real";
  plant(odd, "FIRST_SLOT");
  plant(second, "SECOND_SLOT");
  char **merged = cmox_environment_merge(&entries);
  cmox_applied_t applied = {0};
  ck_assert_int_eq(cmox_environment_apply(&applied, &entries, "the session at x.c:1", NULL),
                   CMOX_OK);
  size_t paths = 0;
  for (char **at = environ; *at; at++) paths += strncmp(*at, "PATH=", 5) == 0;
  ck_assert_uint_eq(paths, 1);
  ck_assert_str_eq(getenv("PATH"), "/shims:/usr/bin");
  ck_assert_int_eq(cmox_environment_restore(&applied, NULL), CMOX_OK);
  expect_untouched();
  ck_assert_uint_eq(occurrences(merged, "PATH=/shims:/usr/bin"), 1);
  ck_assert_uint_eq(occurrences(merged, "PATH=/usr/bin"), 0);
  ck_assert_uint_eq(occurrences(merged, "PATH=/real"), 0);
  ck_assert_uint_eq(occurrences(merged, "no equals sign"), 1);
  cmox_free_block(merged);
}
END_TEST

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All entries, sorted: their order is setenv()'s business. */
static size_t snapshot(char *out[256]) {
  size_t count = 0;
  for (char **at = environ; *at; at++) {
    ck_assert_uint_lt(count, 256);
    out[count++] = strdup(*at);
  }
  qsort(out, count, sizeof *out, by_text);
  return count;
}

START_TEST(what_it_did_not_change_stays_to_the_byte) {
  static char odd[] = "no equals sign", bytes[] = "BYTES=\xff\n=", twice[] = "BYTES=again";
  plant(odd, "FIRST_SLOT");
  plant(bytes, "SECOND_SLOT");
  plant(twice, "THIRD_SLOT");
  ck_assert_int_eq(setenv("EMPTY", "", 1), 0);
  char *before[256], *after[256];
  const size_t count = snapshot(before);
  for (int i = 0; i < 3; i++) {
    cmox_applied_t applied = {0};
    ck_assert_int_eq(cmox_environment_apply(&applied, &entries, "the session at x.c:1", NULL),
                     CMOX_OK);
    ck_assert_int_eq(cmox_environment_restore(&applied, NULL), CMOX_OK);
  }
  ck_assert_uint_eq(snapshot(after), count);
  for (size_t i = 0; i < count; i++) {
    ck_assert_str_eq(after[i], before[i]);
    free(after[i]);
    free(before[i]);
  }
}
END_TEST

START_TEST(merging_copies_and_changes_nothing) {
  ck_assert_int_eq(setenv("KEPT", "before", 1), 0);
  char **merged = cmox_environment_merge(&entries);
  ck_assert_int_eq(setenv("KEPT", "after", 1), 0);
  ck_assert_uint_eq(occurrences(merged, "KEPT=before"), 1);
  ck_assert_uint_eq(occurrences(merged, "WITH_EQUALS=a=b"), 1);
  expect_untouched();
  cmox_free_block(merged);
}
END_TEST

static const char *const bad[] = {"", "=value", "name"};

START_TEST(entries_of_the_server_are_checked) {
  cmox_entries_t none = {0};
  ck_assert_int_eq(cmox_entries_add(&none, bad[_i], strlen(bad[_i]), NULL), CMOX_E_BAD_PAYLOAD);
  ck_assert_int_eq(cmox_entries_add(&none, "A=b\0c", 5, NULL), CMOX_E_BAD_PAYLOAD);
  ck_assert_uint_eq(none.count, 0);
}
END_TEST

static size_t left;

static void *limited(void *context, void *block, size_t size) {
  (void)context;
  if (left == 0) return NULL;
  left--;
  return realloc(block, size);
}

static void plain_free(void *context, void *block) {
  (void)context;
  free(block);
}

START_TEST(out_of_memory_leaves_everything_as_it_was) {
  const cmox_alloc_hooks_t hooks = {limited, plain_free, NULL};
  cmox_alloc_set_hooks(&hooks);
  size_t failures = 0;
  for (size_t allowed = 0;; allowed++) {
    cmox_applied_t applied = {0};
    left = allowed;
    cmox_code_t code = cmox_environment_apply(&applied, &entries, "the session at x.c:1", NULL);
    if (code == CMOX_OK) {
      ck_assert_int_eq(cmox_environment_restore(&applied, NULL), CMOX_OK);
      break;
    }
    failures++;
    ck_assert_int_eq(code, CMOX_E_NO_MEMORY);
    expect_untouched();
  }
  cmox_alloc_set_hooks(NULL);
  ck_assert_uint_gt(failures, 3);
  expect_untouched();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("client_environment");
  TCase *cases = tcase_create("environment");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_test(cases, applies_and_restores_set_empty_and_unset);
  tcase_add_test(cases, restores_over_what_the_code_under_test_did);
  tcase_add_test(cases, one_at_a_time_in_a_process);
  tcase_add_test(cases, a_child_may_apply_its_own_and_leaves_the_inherited_one);
  tcase_add_test(cases, a_second_path_cannot_lead_around_the_shims);
  tcase_add_test(cases, what_it_did_not_change_stays_to_the_byte);
  tcase_add_test(cases, merging_copies_and_changes_nothing);
  tcase_add_loop_test(cases, entries_of_the_server_are_checked, 0, sizeof bad / sizeof *bad);
  tcase_add_test(cases, out_of_memory_leaves_everything_as_it_was);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
