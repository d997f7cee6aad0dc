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
  cmox_returns(tag, .out = "v1\n");
  cmox_with_no_args(cmox_times(cmox_mock(mox, "ssh"), 0));
  cmox_capture_stdin(cmox_stub(mox, "scp"));
  cmox_register_command(mox, "rsync");
  cmox_double_t *handled = cmox_mock(mox, "hg");
  cmox_with_matching_args(handled, CMOX_PREDICATE(is_short, nullptr));
  cmox_runs(handled, shout, nullptr);
  bool good = cmox_replay(mox) == CMOX_OK &&
              read_all("git clone https://x y; git describe --tags") == "cloned\nv1\n" &&
              read_all("hg tip") == "tip!\n" &&
              cmox_verify(mox) == CMOX_OK && cmox_call_count(tag) == 1;
  if (!good) std::fprintf(stderr, "%s\n", cmox_message(mox));
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
