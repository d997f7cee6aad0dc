#include "tests/lib/files.h"

#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *cmox_test_read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "cannot read %s", path);
  size_t len = 0, capacity = 1u << 16;
  char *text = malloc(capacity);
  ck_assert_ptr_nonnull(text);
  for (;;) {
    const size_t got = fread(text + len, 1, capacity - len - 1, file);
    if (got == 0) break;
    len += got;
    if (len + 1 == capacity) {
      capacity *= 2;
      text = realloc(text, capacity);
      ck_assert_ptr_nonnull(text);
    }
  }
  fclose(file);
  text[len] = '\0';
  return text;
}

uint8_t *cmox_test_unhex(const char *text, size_t *len) {
  uint8_t *bytes = malloc(strlen(text) / 2 + 1);
  ck_assert_ptr_nonnull(bytes);
  size_t n = 0;
  while (*text) {
    if (*text == '#') {
      text += strcspn(text, "\n");
    } else if (isspace((unsigned char)*text)) {
      text++;
    } else {
      ck_assert_msg(isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]),
                    "not hex: %.10s", text);
      const char pair[3] = {text[0], text[1], '\0'};
      bytes[n++] = (uint8_t)strtoul(pair, NULL, 16);
      text += 2;
    }
  }
  *len = n;
  return bytes;
}

void cmox_test_header(const char *text, const char *key, char *value, size_t size) {
  char start[64];
  snprintf(start, sizeof start, "# %s: ", key);
  const char *found = strstr(text, start);
  value[0] = '\0';
  if (!found) return;
  found += strlen(start);
  snprintf(value, size, "%.*s", (int)strcspn(found, "\n"), found);
}

void cmox_test_write_hex(const char *path, const char *comment, const uint8_t *data, size_t len) {
  FILE *file = fopen(path, "wb");
  ck_assert_msg(file != NULL, "cannot write %s", path);
  fprintf(file, "# %s\n", comment);
  for (size_t i = 0; i < len; i++)
    fprintf(file, "%02x%s", data[i], i % 32 == 31 || i + 1 == len ? "\n" : "");
  ck_assert_int_eq(fclose(file), 0);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

size_t cmox_test_list(const char *folder, const char *suffix, char names[][128], size_t capacity) {
  DIR *dir = opendir(folder);
  if (!dir) return 0;
  size_t n = 0;
  for (const struct dirent *entry; (entry = readdir(dir));) {
    const size_t len = strlen(entry->d_name);
    if (len < strlen(suffix) || len >= 128) continue;
    if (strcmp(entry->d_name + len - strlen(suffix), suffix) != 0) continue;
    if (n == capacity) break;
    memcpy(names[n++], entry->d_name, len + 1);
  }
  closedir(dir);
  qsort(names, n, sizeof *names, by_name);
  return n;
}
