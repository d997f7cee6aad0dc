// The header from C++17: functions, matchers, and the macros with lists. The
// designated initializers of the last two are an extension before C++20.
#include <cmdmox/cmdmox.h>
#include <cmdmox/engine.h>

#include <cstdio>
#include <cstdlib>
#include <string>

static std::string read_all(const char *line) {
  std::string text;
  FILE *pipe = popen(line, "r");
  if (!pipe) return text;
  for (int c; (c = fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  pclose(pipe);
  return text;
}

static bool is_short(cmox_bytes_t value, void *) { return value.len < 4; }

static void shout(cmox_handling_t *call, void *) {
  std::string text = cmox_handled_call(call)->argv[1].data + std::string("!\n");
  cmox_replies(call, .out = text.c_str());
}

/* Every macro of the language; nothing is called but what must be. */
static bool speak_all_of_it() {
  CMOX_SCOPED cmox_t *mox = cmox_new(nullptr);
  cmox_double_t *tar = cmox_mock(mox, "tar");
  cmox_with_matching_args(tar, CMOX_FLAG("-f", CMOX_GLOB("*.tar")),
                          CMOX_ANY_ORDER(CMOX_IS_A(CMOX_INT), CMOX_NOT(CMOX_ENDS_WITH("x"))),
                          CMOX_REST(CMOX_ONE_OF("a", "b")));
  cmox_with_matching_env(tar, "LEVEL", CMOX_ALL_OF(CMOX_STARTS_WITH("1"), CMOX_CONTAINS("2")));
  cmox_with_matching_env(tar, "CERTAINLY_NOT_SET", CMOX_UNSET);
  cmox_with_env(tar, "LEVEL", "12");
  cmox_with_cwd(tar, "/");
  cmox_with_matching_stdin(tar, CMOX_ANY_OF(CMOX_JSON_EQ("{}"), CMOX_EQ_BYTES("x", 1)));
  cmox_between(tar, 1, 2);
  cmox_returns_once(tar, .out = "first\n");
  cmox_returns(tar, .out = "then\n");
  cmox_double_t *zip = cmox_at_most(cmox_mock(mox, "zip"), 1);
  cmox_double_t *gz = cmox_any_times(cmox_mock(mox, "gzip"));
  cmox_in_order(tar, zip);
  cmox_in_sequence("packing", zip, gz);
  cmox_any_order(zip);
  cmox_after(gz, tar);
  cmox_never(cmox_mock(mox, "rm"));
  cmox_double_t *spy = cmox_spy(mox, "ls");
  cmox_passthrough(cmox_spy(mox, "true"), .timeout_ms = 60000);
  cmox_passthrough_once(spy, .uncaptured = true);
  cmox_returns(spy, .out = "");
  cmox_default_passthrough(mox, .capture_max_bytes = 1);
  bool good =
      cmox_replay(mox) == CMOX_OK &&
      read_all("cd / && echo '{ }' | LEVEL=12 tar -f a.tar y 1 b b; ls / > /dev/null; ls a; ls b; true") == "first\n" &&
      cmox_assert_called(spy) == CMOX_OK && cmox_assert_not_called(gz) == CMOX_OK &&
      cmox_assert_called_with(spy, "b") == CMOX_OK &&
      cmox_assert_any_call(spy, CMOX_CALL("a")) == CMOX_OK &&
      cmox_assert_has_calls(spy, CMOX_CALL("a"),
                            CMOX_CALL_MATCHING(CMOX_ARGS_CONTAIN(CMOX_EQ("b")))) == CMOX_OK &&
      cmox_assert_has_calls_in_any_order(spy, CMOX_CALL("b"), CMOX_CALL("a")) == CMOX_OK &&
      cmox_assert_last_call(spy, CMOX_CALL_NO_ARGS) == CMOX_E_VERIFICATION_FAILED &&
      cmox_verify(mox) == CMOX_OK;
  if (!good) std::fprintf(stderr, "%s\n", cmox_message(mox));
  return good;
}

static bool is_contained() {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.contained = true));
  cmox_allow(mox, "cat", "ls");
  cmox_absent(mox, "sed");
  return cmox_replay(mox) == CMOX_OK && read_all("command -v sed || echo x | cat") == "x\n" &&
         cmox_verify(mox) == CMOX_OK;
}

int main() {
  CMOX_SCOPED cmox_t *mox = cmox_new(CMOX_OPTIONS(.label = "c++"));
  cmox_double_t *clone = cmox_mock(mox, "git");
  cmox_with_matching_args(clone, CMOX_EQ("clone"), CMOX_REGEX("^https://"), CMOX_ANY);
  cmox_reply_t reply = {};
  reply.size = sizeof reply;
  reply.out = "cloned\n";
  cmox_returns_at(clone, CMOX_HERE, &reply);
  cmox_double_t *tag = cmox_mock(mox, "git");
  cmox_with_args(tag, "describe", "--tags");
  cmox_returns(tag, .out = "v1\n", .chunks = CMOX_CHUNKS(CMOX_OUT_AFTER(0, "so:\n"), CMOX_ERR_AFTER(1, "")),
               .files = CMOX_FILES(CMOX_FILE("/dev/null", "x"), CMOX_FILE_MODE("/dev/null", "x", 0)));
  cmox_with_no_args(cmox_times(cmox_mock(mox, "ssh"), 0));
  cmox_capture_stdin(cmox_stub(mox, "scp"));
  cmox_register_command(mox, "rsync");
  cmox_default_returns(mox, .out = "default\n");
  cmox_double_t *handled = cmox_mock(mox, "hg");
  cmox_with_matching_args(handled, CMOX_PREDICATE(is_short, nullptr));
  cmox_runs(handled, shout, nullptr);
  bool good = cmox_replay(mox) == CMOX_OK &&
              read_all("git clone https://x y; git describe --tags; rsync") == "cloned\nso:\nv1\ndefault\n" &&
              read_all("hg tip") == "tip!\n" &&
              cmox_verify(mox) == CMOX_OK && cmox_call_count(tag) == 1;
  if (!good) std::fprintf(stderr, "%s\n", cmox_message(mox));
  good = good && speak_all_of_it() && is_contained();
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
