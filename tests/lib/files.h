/* Files of tests: hex with '#' comments, and whole texts. */
#ifndef CMOX_TESTS_FILES_H
#define CMOX_TESTS_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The whole file, NUL-terminated; the caller frees. Fails the test when it
 * cannot be read. */
char *cmox_test_read_file(const char *path);

/* Decodes hex digits, spaces and '#' comments to the end of the line; the
 * caller frees. Fails the test on anything else. */
uint8_t *cmox_test_unhex(const char *text, size_t *len);

/* The rest of the line "# key: value", copied into value; "" when there is none. */
void cmox_test_header(const char *text, const char *key, char *value, size_t size);

/* Writes "# comment", then the bytes, 32 on a line. */
void cmox_test_write_hex(const char *path, const char *comment, const uint8_t *data, size_t len);

/* Names of the files in a folder that end in suffix, sorted; returns how many,
 * 0 when it cannot be read. Can be called outside of a test. */
size_t cmox_test_list(const char *folder, const char *suffix, char names[][128], size_t capacity);

#endif
