/* Rules the schema keeps, each for a fact that would bite later; and that
 * docs/protocol.md speaks of every method and every error. */
#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmdmox/codes.h>

#include "proto/descriptor_set.h"
#include "tests/lib/files.h"
#include "tests/lib/run_suite.h"
#include "tests/lib/schema.h"

#define PROTO_DIR CMOX_SOURCE_DIR "/proto/cmdmox/v1"
#define FILES_MAX 32

static char files[FILES_MAX][128];
static size_t n_files;

static bool word_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool has_word(const char *text, const char *word) {
  const size_t len = strlen(word);
  for (const char *at = text; (at = strstr(at, word)); at += len)
    if ((at == text || !word_char(at[-1])) && !word_char(at[len])) return true;
  return false;
}

/* The text of a .proto file with its comments blanked. */
static char *load_proto(const char *name) {
  char path[512];
  snprintf(path, sizeof path, PROTO_DIR "/%s", name);
  char *text = cmox_test_read_file(path);
  for (char *at = text; (at = strstr(at, "//"));)
    while (*at && *at != '\n') *at++ = ' ';
  return text;
}

/* protoc-c refuses "optional", drops "stream" without a word, and with
 * CODE_SIZE leaves out the names that dispatch needs. */
START_TEST(no_forbidden_keyword) {
  static const char *const words[] = {"optional", "CODE_SIZE", "group", "map", "extend"};
  char *text = load_proto(files[_i]);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    ck_assert_msg(!has_word(text, words[i]), "%s uses %s", files[_i], words[i]);
  ck_assert_msg(!strstr(text, "(stream") && !strstr(text, "( stream"), "%s streams", files[_i]);
  ck_assert(has_word(text, "proto3"));
  free(text);
}
END_TEST

/* Macros or keywords on some platform: a struct member cannot have the name. `register` may be one:
 * the generators of C and C++ write register_, and no macro has that name. */
static const char *const forbidden[] = {
    "stdin",     "stdout",  "stderr",   "environ",   "errno",  "unix",       "linux",   "major",
    "minor",     "makedev", "errno_t",  "interface", "small",  "near",       "far",     "NULL",
    "EOF",       "assert",  "signal_t", "min",       "max",    "htons",      "ntohs",   "alloca",
    "offsetof",  "I",       "complex",  "bool",      "true",   "false",      "asm",     "typeof",
    "auto",      "break",   "case",     "char",      "const",  "continue",   "default", "do",
    "double",    "else",    "enum",     "extern",    "float",  "for",        "goto",    "if",
    "inline",    "int",     "long",     "restrict",  "return", "short",      "signed",  "sizeof",
    "static",    "struct",  "switch",   "typedef",   "union",  "unsigned",   "void",    "volatile",
    "while",     "class",   "new",      "delete",    "this",   "template",   "private", "public",
    "protected", "virtual", "operator", "namespace", "base",   "descriptor",
};

START_TEST(no_forbidden_field_name) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t n = cmox_test_types(&types);
  for (size_t t = 0; t < n; t++)
    for (unsigned f = 0; f < types[t]->n_fields; f++)
      for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        ck_assert_msg(strcmp(types[t]->fields[f].name, forbidden[i]) != 0, "%s.%s", types[t]->name,
                      forbidden[i]);
}
END_TEST

/* Depth below this type; protobuf-c recurses once a level, without a limit. */
static unsigned depth(const ProtobufCMessageDescriptor *type, unsigned level) {
  ck_assert_msg(level < 12, "%s is recursive, or nested without need", type->name);
  unsigned deepest = 0;
  for (unsigned f = 0; f < type->n_fields; f++) {
    if (type->fields[f].type != PROTOBUF_C_TYPE_MESSAGE) continue;
    const unsigned below = depth(type->fields[f].descriptor, level + 1);
    if (below > deepest) deepest = below;
  }
  return deepest + 1;
}

START_TEST(no_type_is_recursive) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t n = cmox_test_types(&types);
  ck_assert_uint_gt(n, 60);
  for (size_t t = 0; t < n; t++) depth(types[t], 0);
}
END_TEST

/* What proto/precheck.c relies on. */
START_TEST(messages_stay_small) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t n = cmox_test_types(&types);
  for (size_t t = 0; t < n; t++) ck_assert_msg(types[t]->n_fields < 64, "%s", types[t]->name);
}
END_TEST

START_TEST(enums_begin_unspecified) {
  const ProtobufCMessageDescriptor *const *types;
  const size_t n = cmox_test_types(&types);
  size_t seen = 0;
  for (size_t t = 0; t < n; t++)
    for (unsigned f = 0; f < types[t]->n_fields; f++) {
      if (types[t]->fields[f].type != PROTOBUF_C_TYPE_ENUM) continue;
      const ProtobufCEnumDescriptor *type = types[t]->fields[f].descriptor;
      const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(type, 0);
      ck_assert_msg(zero != NULL, "%s has no 0", type->name);
      const size_t len = strlen(zero->name);
      ck_assert_msg(len > 12 && strcmp(zero->name + len - 12, "_UNSPECIFIED") == 0, "%s",
                    zero->name);
      seen++;
    }
  ck_assert_uint_gt(seen, 8);
}
END_TEST

/* Each method has types of its own, so that either can grow alone. */
START_TEST(methods_have_types_of_their_own) {
  const ProtobufCServiceDescriptor *service = cmox_test_services[_i];
  for (unsigned m = 0; m < service->n_methods; m++) {
    char want[128];
    snprintf(want, sizeof want, "cmdmox.v1.%sRequest", service->methods[m].name);
    ck_assert_str_eq(service->methods[m].input->name, want);
    snprintf(want, sizeof want, "cmdmox.v1.%sResponse", service->methods[m].name);
    ck_assert_str_eq(service->methods[m].output->name, want);
  }
}
END_TEST

static bool contains(const unsigned char *data, size_t len, const char *text) {
  const size_t n = strlen(text);
  for (size_t i = 0; i + n <= len; i++)
    if (memcmp(data + i, text, n) == 0) return true;
  return false;
}

START_TEST(descriptor_set_is_embedded) {
  ck_assert_uint_gt(cmox_descriptor_set_len, 1000);
  for (size_t i = 0; i < n_files; i++) {
    char name[160];
    snprintf(name, sizeof name, "cmdmox/v1/%s", files[i]);
    ck_assert_msg(contains(cmox_descriptor_set, cmox_descriptor_set_len, name), "%s", name);
  }
}
END_TEST

START_TEST(documented_methods) {
  char *text = cmox_test_read_file(CMOX_SOURCE_DIR "/docs/protocol.md");
  for (size_t s = 0; s < 4; s++)
    for (unsigned m = 0; m < cmox_test_services[s]->n_methods; m++) {
      ck_assert_msg(has_word(text, cmox_test_services[s]->short_name), "%s",
                    cmox_test_services[s]->name);
      char cell[128];
      snprintf(cell, sizeof cell, "| `%s` |", cmox_test_services[s]->methods[m].name);
      ck_assert_msg(strstr(text, cell) != NULL, "no row for %s", cell);
    }
  free(text);
}
END_TEST

START_TEST(documented_errors) {
  char *text = cmox_test_read_file(CMOX_SOURCE_DIR "/docs/protocol.md");
  static const struct {
    int number;
    const char *reason;
    int grpc;
    const char *text;
  } rows[] = {
#define CMOX_ERROR(number, name, reason, grpc, exit_status, text) \
  {(number), (reason), (grpc), (text)},
#include <cmdmox/errors.def>
#undef CMOX_ERROR
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char row[256];
    snprintf(row, sizeof row, "| %d | `%s` | %d | %s |", rows[i].number, rows[i].reason,
             rows[i].grpc, rows[i].text);
    ck_assert_msg(strstr(text, row) != NULL, "docs/protocol.md has no row \"%s\"", row);
  }
  free(text);
}
END_TEST

int main(void) {
  n_files = cmox_test_list(PROTO_DIR, ".proto", files, FILES_MAX);
  Suite *suite = suite_create("schema");
  TCase *cases = tcase_create("rules");
  tcase_add_loop_test(cases, no_forbidden_keyword, 0, (int)n_files);
  tcase_add_test(cases, no_forbidden_field_name);
  tcase_add_test(cases, no_type_is_recursive);
  tcase_add_test(cases, messages_stay_small);
  tcase_add_test(cases, enums_begin_unspecified);
  tcase_add_loop_test(cases, methods_have_types_of_their_own, 0, 4);
  tcase_add_test(cases, descriptor_set_is_embedded);
  tcase_add_test(cases, documented_methods);
  tcase_add_test(cases, documented_errors);
  suite_add_tcase(suite, cases);
  return run_suite(suite) || n_files == 0;
}
