/* Which command the launcher runs, and with what. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/leftovers.h"
#include "tests/lib/passing.h"

static void put_file(const char *path, const char *text, mode_t mode) {
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  ck_assert_int_eq(fclose(file), 0);
  ck_assert_int_eq(chmod(path, mode), 0);
}

/* ---- What is run ---- */

START_TEST(with_nothing_to_capture_the_launcher_becomes_the_command) {
  passing_scene_t scene;
  passing_open(&scene);
  const char *const environment[] = {"CMOX_IPC_TIMEOUT=10", "KEPT=k", "GONE=1", "SET=old", NULL};
  passing_begin_sh(&scene, CMOX_START(.environment = environment),
                   "echo $$ $KEPT-$GONE-$SET-$NEW; exit 5");
  passing_tell(
      scene.peer, 1, &PASSTHROUGH(SH),
      (const passing_change_t[]){{"GONE", NULL}, {"SET", "new"}, {"NEW", ""}, {NULL, NULL}});
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_ptr_nonnull(heard.report);
  ck_assert(heard.report->replaced);
  ck_assert_int_eq((int)heard.report->end_case,
                   CMDMOX__V1__REPORT_PASSTHROUGH_REQUEST__END__NOT_SET);
  ck_assert(!heard.completed);
  passing_free(&heard);
  char expected[64];
  snprintf(expected, sizeof expected, "%d k--new-\n", (int)scene.run.pid);
  cmox_run_exited(&scene.run, 5);
  if (!*scene.run.log) ck_assert_str_eq(scene.run.out, expected);
  passing_close(&scene);
}
END_TEST

START_TEST(captured_streams_reach_the_caller_and_the_server) {
  passing_scene_t scene;
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = CMOX_RUN_MEMORY),
                   "printf 'a\\000b\\377'; echo e >&2; exit 7");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_uint_eq(heard.len[1], 4);
  ck_assert_int_eq(memcmp(heard.data[1], "a\0b\377", 4), 0);
  ck_assert_str_eq((char *)heard.data[2], "e\n");
  ck_assert_uint_eq(heard.report->exit_code, 7);
  ck_assert_uint_eq(heard.report->stdout_bytes, 4);
  ck_assert_uint_eq(heard.report->stderr_bytes, 2);
  ck_assert_uint_eq(heard.report->call_id, 7);
  ck_assert(!heard.report->merged && !heard.report->lingering && !heard.report->timed_out);
  ck_assert_str_eq(heard.program, "/bin/sh");
  ck_assert(heard.completed);
  cmox_run_exited(&scene.run, 7);
  ck_assert_uint_eq(scene.run.out_len, 4);
  ck_assert_str_eq(scene.run.err, "e\n");
  passing_free(&heard);
  passing_close(&scene);
}
END_TEST

START_TEST(no_more_is_captured_than_was_asked_for) {
  passing_scene_t scene;
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = CMOX_RUN_MEMORY),
                   "head -c 300000 /dev/zero; echo e >&2");
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH, .capture_max_bytes = 10), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_uint_eq(heard.len[1], 10);
  ck_assert_uint_eq(heard.len[2], 2);
  ck_assert_uint_eq(heard.report->stdout_bytes, 300000);
  cmox_run_exited(&scene.run, 0);
  ck_assert_uint_eq(scene.run.out_len, 300000);
  passing_free(&heard);
  passing_close(&scene);
}
END_TEST

START_TEST(the_search_is_that_of_a_shell) {
  passing_scene_t scene;
  char path[512];
  passing_open(&scene);
  for (int i = 0; i < 4; i++) {
    static const char *const names[] = {"directory", "no-x", "real", "later"};
    ck_assert_int_eq(mkdir(passing_path(&scene, names[i]), 0755), 0);
  }
  ck_assert_int_eq(mkdir(passing_path(&scene, "directory/git"), 0755), 0);
  put_file(passing_path(&scene, "no-x/git"), "#!/bin/sh\necho wrong\n", 0644);
  put_file(passing_path(&scene, "real/git"), "echo \"$0 $1\"\n", 0755); /* no #!: sh runs it */
  put_file(passing_path(&scene, "later/git"), "#!/bin/sh\necho wrong\n", 0755);
  snprintf(path, sizeof path, "%s/bin:/no/such:%s/directory:%s/no-x:real:%s/later", scene.stage.dir,
           scene.place, scene.place, scene.place);
  const char *const argv[] = {"git", "word", NULL};
  passing_begin(&scene, CMOX_START(.argv = argv));
  passing_tell(scene.peer, 1, &PASSTHROUGH(.search_path = BYTES_OF(path), BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(heard.program, "real/git");
  cmox_run_exited(&scene.run, 0);
  ck_assert_str_eq(scene.run.out, "real/git word\n");
  passing_free(&heard);
  passing_close(&scene);
}
END_TEST

START_TEST(a_caller_that_names_the_shim_by_its_path_names_the_command) {
  passing_scene_t scene;
  passing_open(&scene);
  put_file(passing_path(&scene, "real"), "#!/bin/sh\n", 0755);
  char own[160];
  snprintf(own, sizeof own, "%s", cmox_stage_path(&scene.stage, "bin/git"));
  const char *const argv[] = {own, "-c", "echo \"$0\"; cat /proc/$$/cmdline", NULL};
  passing_begin(&scene, CMOX_START(.argv = argv));
  passing_tell(scene.peer, 1, &PASSTHROUGH(SH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  cmox_run_exited(&scene.run, 0);
  ck_assert_str_eq(scene.run.out, "/bin/sh\n/bin/sh");
  passing_free(&heard);
  passing_close(&scene);
}
END_TEST

/* How it ends when nothing can be run. */
static void refuses(passing_scene_t *scene, const Cmdmox__V1__Passthrough *how, int status,
                    const char *why) {
  passing_begin(scene, CMOX_START(.in = CMOX_RUN_MEMORY));
  passing_tell(scene->peer, 1, how, NULL);
  passing_heard_t heard = passing_hear(scene->peer);
  ck_assert_msg(heard.completed, "no Completed for status %d, %s", status, why);
  if (status == 125) {
    ck_assert_ptr_null(heard.report);
    ck_assert_msg(strstr(heard.failure, why) != NULL, "%s", heard.failure);
  } else {
    ck_assert_str_eq(heard.failure, "");
    ck_assert_msg(strstr(heard.report->failure, why) != NULL, "%s", heard.report->failure);
    ck_assert_uint_eq(heard.report->exit_code, (unsigned)status);
  }
  passing_free(&heard);
  cmox_run_exited(&scene->run, status);
  static const char start[] = "cmdmox: git: cannot run the real command: ";
  ck_assert_msg(strncmp(scene->run.err, start, sizeof start - 1) == 0, "%s", scene->run.err);
  ck_assert_msg(strstr(scene->run.err, why) != NULL, "%s", scene->run.err);
  ck_assert_ptr_eq(strchr(scene->run.err, '\n'), scene->run.err + scene->run.err_len - 1);
  cmox_run_free(&scene->run);
}

START_TEST(what_cannot_be_run_ends_as_in_a_shell) {
  passing_scene_t scene;
  char path[256];
  passing_open(&scene);
  ck_assert_int_eq(mkdir(passing_path(&scene, "no-x"), 0755), 0);
  put_file(passing_path(&scene, "no-x/git"), "", 0644);
  put_file(passing_path(&scene, "no-interpreter"), "#!/no/such/interpreter\n", 0755);
  put_file(passing_path(&scene, "no-format"), "\177ELF", 0755);
  refuses(&scene, &PASSTHROUGH(.search_path = BYTES_OF("/no/such:/dev/null")), 127, "not found");
  refuses(&scene, &PASSTHROUGH(.program = BYTES_OF("/no/such")), 127, "No such file");
  refuses(&scene, &PASSTHROUGH(.program = BYTES_OF("/")), 126, "Permission denied");
  snprintf(path, sizeof path, "/no/such:%s/no-x", scene.place);
  refuses(&scene, &PASSTHROUGH(.search_path = BYTES_OF(path)), 126, "Permission denied");
  snprintf(path, sizeof path, "%s/no-interpreter", scene.place);
  refuses(&scene, &PASSTHROUGH(.program = BYTES_OF(path), BOTH), 127, "No such file");
  scratch_remove(scene.place);
  cmox_stage_close(&scene.stage);
}
END_TEST

/* P23 */
START_TEST(it_never_runs_itself) {
  passing_scene_t scene;
  char path[256];
  passing_open(&scene);
  ck_assert_int_eq(symlink(cmox_stage_path(&scene.stage, "bin/git"), passing_path(&scene, "git")),
                   0);
  ck_assert_int_eq(mkdir(passing_path(&scene, "hard"), 0755), 0);
  ck_assert_int_eq(
      link(cmox_stage_path(&scene.stage, "cmdmox-shim"), passing_path(&scene, "hard/git")), 0);
  static const char why[] = "the real command is this shim";
  refuses(&scene, &PASSTHROUGH(.search_path = BYTES_OF(cmox_stage_path(&scene.stage, "bin"))), 125,
          why);
  refuses(&scene, &PASSTHROUGH(.search_path = BYTES_OF(scene.place)), 125, why);
  refuses(&scene, &PASSTHROUGH(.search_path = BYTES_OF("/no/such::hard")), 125, why);
  refuses(&scene, &PASSTHROUGH(.search_path = BYTES_OF("hard"), BOTH), 125, why);
  refuses(&scene, &PASSTHROUGH(.program = BYTES_OF("./git")), 125, why);
  refuses(&scene, &PASSTHROUGH(.program = BYTES_OF(cmox_stage_path(&scene.stage, "cmdmox-shim"))),
          125, why);
  /* Nor a copy that is nobody's shim; `cmdmox isolate` puts such in place of programs. */
  cmox_stage_copy(cmox_stage_path(&scene.stage, "cmdmox-shim"), passing_path(&scene, "hard/copy"));
  refuses(&scene, &PASSTHROUGH(.program = BYTES_OF("hard/copy")), 125, why);
  snprintf(path, sizeof path, "%s/../bin/git", cmox_stage_path(&scene.stage, "bin"));
  refuses(&scene, &PASSTHROUGH(.program = BYTES_OF(path), BOTH), 125, why);
  scratch_remove(scene.place);
  cmox_stage_close(&scene.stage);
}
END_TEST

/* They share its file when one process has both. */
START_TEST(the_shim_of_another_session_is_a_command_like_any) {
  passing_scene_t scene;
  passing_open(&scene);
  const char *const other = passing_path(&scene, "cmdmox-shim");
  ck_assert_int_eq(link(cmox_stage_path(&scene.stage, "cmdmox-shim"), other), 0);
  put_file(passing_path(&scene, "endpoint"), "unix:/no/such", 0644);
  ck_assert_int_eq(mkdir(passing_path(&scene, "bin"), 0755), 0);
  ck_assert_int_eq(symlink("../cmdmox-shim", passing_path(&scene, "bin/git")), 0);
  passing_begin(&scene, CMOX_START(.in = CMOX_RUN_MEMORY));
  passing_tell(scene.peer, 1, &PASSTHROUGH(.search_path = BYTES_OF("bin"), BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  ck_assert_str_eq(heard.program, "bin/git");
  passing_free(&heard);
  cmox_run_exited(&scene.run, 125);
  ck_assert_msg(strstr(scene.run.err, "/no/such") != NULL, "%s", scene.run.err);
  passing_close(&scene);
}
END_TEST

static char *status_of(const char *text, const char *key) {
  static char line[64];
  const char *at = strstr(text, key);
  ck_assert_msg(at != NULL, "no %s in: %s", key, text);
  snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
  return line;
}

START_TEST(signals_are_inherited_as_they_were) {
  passing_scene_t scene;
  sigset_t blocked, before;
  const char *const argv[] = {"cat", "/proc/self/status", NULL};
  passing_open(&scene);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  passing_begin(&scene, CMOX_START(.argv = argv));
  signal(SIGCHLD, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, NULL);
  passing_tell(scene.peer, 1, &PASSTHROUGH(.program = BYTES_OF("/bin/cat"), BOTH), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  cmox_run_exited(&scene.run, 0);
  ck_assert_str_eq(status_of(scene.run.out, "SigBlk:"), "SigBlk:\t0000000000000800");
  if (!*scene.run.log)
    ck_assert_str_eq(status_of(scene.run.out, "SigIgn:"), "SigIgn:\t0000000000010001");
  passing_free(&heard);
  passing_close(&scene);
}
END_TEST

START_TEST(no_descriptor_of_the_launcher_is_inherited) {
  passing_scene_t scene;
  const char *const argv[] = {"ls", "/proc/self/fd", NULL};
  passing_open(&scene);
  passing_begin(&scene, CMOX_START(.argv = argv));
  passing_tell(scene.peer, 1,
               &PASSTHROUGH(.program = BYTES_OF("/bin/ls"), BOTH, .capture_stdin = 1), NULL);
  passing_heard_t heard = passing_hear(scene.peer);
  cmox_run_exited(&scene.run, 0);
  cmox_run_t direct;
  cmox_run_start(&scene.stage, CMOX_START(.exact = "/bin/ls", .argv = argv), &direct);
  cmox_run_exited(&direct, 0);
  if (!*scene.run.log) ck_assert_str_eq(scene.run.out, direct.out);
  cmox_run_free(&direct);
  passing_free(&heard);
  passing_close(&scene);
}
END_TEST

/* Out of descriptors, or of room for what it keeps of stdin. */
START_TEST(what_the_launcher_lacks_is_told) {
#ifdef __SANITIZE_ADDRESS__ /* the search for leaks at its exit needs a descriptor, too */
  if (strstr(getenv("CMDMOX_TEST_SHIM"), "-host")) return;
#endif
  passing_scene_t scene;
  passing_open(&scene);
  passing_begin_sh(&scene, CMOX_START(.in = CMOX_RUN_MEMORY), "echo never");
  if (!*scene.run.log) {
    ck_assert_int_eq(
        prlimit(scene.run.pid, RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 4, .rlim_max = 4}, NULL),
        0);
    passing_tell(scene.peer, 1, &PASSTHROUGH(SH, BOTH), NULL);
    passing_heard_t heard = passing_hear(scene.peer);
    ck_assert_ptr_null(heard.report);
    ck_assert_msg(strncmp(heard.failure, "cannot capture: ", 16) == 0, "%s", heard.failure);
    passing_free(&heard);
    cmox_run_exited(&scene.run, 125);
    ck_assert_msg(strncmp(scene.run.err, "cmdmox: git: cannot capture: ", 29) == 0, "%s",
                  scene.run.err);
  } else {
    close(scene.peer);
    cmox_run_finish(&scene.run);
  }
  passing_close(&scene);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {with_nothing_to_capture_the_launcher_becomes_the_command,
                                captured_streams_reach_the_caller_and_the_server,
                                no_more_is_captured_than_was_asked_for,
                                the_search_is_that_of_a_shell,
                                a_caller_that_names_the_shim_by_its_path_names_the_command,
                                what_cannot_be_run_ends_as_in_a_shell,
                                it_never_runs_itself,
                                the_shim_of_another_session_is_a_command_like_any,
                                signals_are_inherited_as_they_were,
                                no_descriptor_of_the_launcher_is_inherited,
                                what_the_launcher_lacks_is_told,
                                NULL};
  return cmox_check_main("passthrough", tests);
}
