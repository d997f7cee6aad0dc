#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/program/verbs.h"

#include <cmdmox/codes.h>

const cmox_verb_t cmox_verbs[] = {
    {"serve", "--stdio\n--listen ADDRESS",
     "Run an engine for test clients in other processes and languages.",
     "  --stdio           speak the protocol on stdin and stdout; end when stdin is closed\n"
     "  --listen ADDRESS  accept clients at unix:/path, and print the address when ready;\n"
     "                    end on SIGINT, SIGTERM or SIGHUP and remove the socket\n",
     cmox_verb_serve},
    {"version", "", "Print the version.", "", cmox_verb_version},
    {"help", "[VERB]", "Say how to use cmdmox, or one verb of it.", "", cmox_verb_help},
    {0},
};

static const cmox_verb_t *find(const char *name) {
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
  if (strcmp(name, "--version") == 0) name = "version";
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    if (strcmp(verb->name, name) == 0) return verb;
  return NULL;
}

static void print_usage(FILE *to, const cmox_verb_t *verb) {
  const char *line = verb->usage;
  do {
    size_t len = strcspn(line, "\n");
    (void)fprintf(to, "usage: cmdmox %s%s%.*s\n", verb->name, len ? " " : "", (int)len, line);
    line += len;
  } while (*line++ == '\n');
}

int cmox_usage_error(const cmox_verb_t *verb, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)fprintf(stderr, "cmdmox %s: ", verb->name);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  print_usage(stderr, verb);
  return CMOX_EXIT_USAGE;
}

int cmox_finish_output(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  (void)fprintf(stderr, "cmdmox: cannot write to stdout: %s\n", strerror(errno));
  return cmox_code_exit_status(CMOX_E_IO);
}

static void list_verbs(FILE *to) {
  (void)fprintf(to, "usage: cmdmox VERB [ARGUMENT...]\n\n");
  for (const cmox_verb_t *verb = cmox_verbs; verb->name; verb++)
    (void)fprintf(to, "  %-10s %s\n", verb->name, verb->summary);
  (void)fprintf(to, "\nMore about one of them: cmdmox help VERB\n");
}

int cmox_verb_help(const cmox_verb_t *verb, int argc, char **argv) {
  if (argc > 2) return cmox_usage_error(verb, "one verb at a time");
  if (argc < 2) {
    list_verbs(stdout);
    return cmox_finish_output();
  }
  const cmox_verb_t *about = find(argv[1]);
  if (!about) return cmox_usage_error(verb, "there is no verb \"%s\"", argv[1]);
  print_usage(stdout, about);
  (void)printf("\n%s\n%s%s", about->summary, *about->details ? "\n" : "", about->details);
  return cmox_finish_output();
}

int cmox_verb_version(const cmox_verb_t *verb, int argc, char **argv) {
  if (argc > 1) return cmox_usage_error(verb, "unexpected argument \"%s\"", argv[1]);
  (void)printf("cmdmox %s\n", CMDMOX_VERSION);
  return cmox_finish_output();
}

int main(int argc, char **argv) {
  if (argc < 2) {
    list_verbs(stderr);
    return CMOX_EXIT_USAGE;
  }
  const cmox_verb_t *verb = find(argv[1]);
  if (verb) return verb->run(verb, argc - 1, argv + 1);
  (void)fprintf(stderr, "cmdmox: there is no verb \"%s\"; see: cmdmox help\n", argv[1]);
  return CMOX_EXIT_USAGE;
}
