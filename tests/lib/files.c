#include "tests/lib/files.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not ck_assert: programs without Check use these too. */
#define NEED(condition, ...)      \
  do {                            \
    if (condition) break;         \
    fprintf(stderr, __VA_ARGS__); \
    abort();                      \
  } while (0)

char *cmox_test_read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  NEED(file != NULL, "cannot read %s\n", path);
  size_t len = 0, capacity = 1u << 16;
  char *text = malloc(capacity);
  NEED(text, "out of memory\n");
  for (;;) {
    const size_t got = fread(text + len, 1, capacity - len - 1, file);
    if (got == 0) break;
    len += got;
    if (len + 1 == capacity) {
      capacity *= 2;
      text = realloc(text, capacity);
      NEED(text, "out of memory\n");
    }
  }
  fclose(file);
  text[len] = '\0';
  return text;
}

uint8_t *cmox_test_unhex(const char *text, size_t *len) {
  uint8_t *bytes = malloc(strlen(text) / 2 + 1);
  NEED(bytes, "out of memory\n");
  size_t n = 0;
  while (*text) {
    if (*text == '#') {
      text += strcspn(text, "\n");
    } else if (isspace((unsigned char)*text)) {
      text++;
    } else {
      NEED(isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]), "not hex: %.10s\n",
           text);
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
  NEED(file != NULL, "cannot write %s\n", path);
  fprintf(file, "# %s\n", comment);
  for (size_t i = 0; i < len; i++)
    fprintf(file, "%02x%s", data[i], i % 32 == 31 || i + 1 == len ? "\n" : "");
  NEED(fclose(file) == 0, "cannot write %s\n", path);
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
