#include <check.h>
#include <string.h>

#include "proto/address.h"
#include "proto/limits.h"
#include "tests/lib/run_suite.h"

typedef struct good_case {
  const char *text;
  cmox_scheme_t scheme;
  const char *path;
  unsigned port;
} good_case_t;

static const good_case_t good[] = {
    {"unix:/run/x", CMOX_SCHEME_UNIX, "/run/x", 0},
    {"/run/x", CMOX_SCHEME_UNIX, "/run/x", 0},
    {"./x", CMOX_SCHEME_UNIX, "./x", 0},
    {"socket", CMOX_SCHEME_UNIX, "socket", 0},
    {"unix", CMOX_SCHEME_UNIX, "unix", 0},
    {"/odd:name", CMOX_SCHEME_UNIX, "/odd:name", 0},
    {".odd:name", CMOX_SCHEME_UNIX, ".odd:name", 0},
    {"dir/odd:name", CMOX_SCHEME_UNIX, "dir/odd:name", 0},
    {"unix:tcp:a:1", CMOX_SCHEME_UNIX, "tcp:a:1", 0},
    {"TCP:a:1", CMOX_SCHEME_UNIX, "TCP:a:1", 0},
    {"9p:x", CMOX_SCHEME_UNIX, "9p:x", 0},
    {" tcp:a:1", CMOX_SCHEME_UNIX, " tcp:a:1", 0},
    {"/\xff\n", CMOX_SCHEME_UNIX, "/\xff\n", 0},
    {"pipe:cmdmox-1", CMOX_SCHEME_PIPE, "cmdmox-1", 0},
    {"tcp:localhost:1", CMOX_SCHEME_TCP, "localhost", 1},
    {"tcp:127.0.0.1:65535", CMOX_SCHEME_TCP, "127.0.0.1", 65535},
    {"tcp:[::1]:80", CMOX_SCHEME_TCP, "::1", 80},
    {"tcp:[host]:80", CMOX_SCHEME_TCP, "host", 80},
};

START_TEST(accepted) {
  const good_case_t *c = &good[_i];
  cmox_address_t address;
  ck_assert_int_eq(cmox_address_parse(c->text, strlen(c->text), &address), CMOX_OK);
  ck_assert_int_eq(address.scheme, c->scheme);
  ck_assert_uint_eq(address.path_len, strlen(c->path));
  ck_assert_mem_eq(address.path, c->path, strlen(c->path));
  ck_assert_uint_eq(address.port, c->port);
}
END_TEST

typedef struct bad_case {
  const char *text;
  cmox_code_t code;
} bad_case_t;

static const bad_case_t bad[] = {
    {"", CMOX_E_BAD_ADDRESS},
    {"unix:", CMOX_E_BAD_ADDRESS},
    {"pipe:", CMOX_E_BAD_ADDRESS},
    {"tcp:", CMOX_E_BAD_ADDRESS},
    {"tcp:host", CMOX_E_BAD_ADDRESS},
    {"tcp:80", CMOX_E_BAD_ADDRESS},
    {"tcp::80", CMOX_E_BAD_ADDRESS},
    {"tcp:host:", CMOX_E_BAD_ADDRESS},
    {"tcp:host:0", CMOX_E_BAD_ADDRESS},
    {"tcp:host:080", CMOX_E_BAD_ADDRESS},
    {"tcp:host:65536", CMOX_E_BAD_ADDRESS},
    {"tcp:host:99999", CMOX_E_BAD_ADDRESS},
    {"tcp:host:100000", CMOX_E_BAD_ADDRESS},
    {"tcp:host:4294967297", CMOX_E_BAD_ADDRESS},
    {"tcp:host:+1", CMOX_E_BAD_ADDRESS},
    {"tcp:host:1 ", CMOX_E_BAD_ADDRESS},
    {"tcp:host:1x", CMOX_E_BAD_ADDRESS},
    {"tcp:::1:80", CMOX_E_BAD_ADDRESS},
    {"tcp:[]:80", CMOX_E_BAD_ADDRESS},
    {"tcp:[:80", CMOX_E_BAD_ADDRESS},
    {"tcp:]:80", CMOX_E_BAD_ADDRESS},
    {"tcp:[::1:80", CMOX_E_BAD_ADDRESS},
    {"tcp:::1]:80", CMOX_E_BAD_ADDRESS},
    {"tcp:[::1]80", CMOX_E_BAD_ADDRESS},
    {"tcp:[a]b]:80", CMOX_E_BAD_ADDRESS},
    {"http://host:1", CMOX_E_UNSUPPORTED_SCHEME},
    {"vsock:1:2", CMOX_E_UNSUPPORTED_SCHEME},
    {"unixx:/a", CMOX_E_UNSUPPORTED_SCHEME},
    {"uni:/a", CMOX_E_UNSUPPORTED_SCHEME},
    {"a+b.c-9:x", CMOX_E_UNSUPPORTED_SCHEME},
    {"x:", CMOX_E_UNSUPPORTED_SCHEME},
};

START_TEST(refused) {
  cmox_address_t address;
  ck_assert_int_eq(cmox_address_parse(bad[_i].text, strlen(bad[_i].text), &address), bad[_i].code);
}
END_TEST

START_TEST(nul_inside) {
  cmox_address_t address;
  ck_assert_int_eq(cmox_address_parse("/a\0b", 4, &address), CMOX_E_BAD_ADDRESS);
  ck_assert_int_eq(cmox_address_parse("unix:\0", 6, &address), CMOX_E_BAD_ADDRESS);
}
END_TEST

START_TEST(length_is_the_given_one) {
  cmox_address_t address;
  ck_assert_int_eq(cmox_address_parse("tcp:host:8080", 12, &address), CMOX_OK);
  ck_assert_uint_eq(address.port, 808);
}
END_TEST

START_TEST(path_bound) {
  char text[5 + CMOX_SOCKET_PATH_MAX + 2] = "unix:";
  memset(text + 5, 'x', CMOX_SOCKET_PATH_MAX + 1);
  text[5] = '/';
  cmox_address_t address;
  for (size_t over = 0; over < 3; over++) {
    const size_t len = CMOX_SOCKET_PATH_MAX - 1 + over;
    const cmox_code_t want = over == 2 ? CMOX_E_PATH_TOO_LONG : CMOX_OK;
    ck_assert_int_eq(cmox_address_parse(text, 5 + len, &address), want);
    ck_assert_int_eq(cmox_address_parse(text + 5, len, &address), want);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("address");
  TCase *cases = tcase_create("parse");
  tcase_add_loop_test(cases, accepted, 0, sizeof good / sizeof *good);
  tcase_add_loop_test(cases, refused, 0, sizeof bad / sizeof *bad);
  tcase_add_test(cases, nul_inside);
  tcase_add_test(cases, length_is_the_given_one);
  tcase_add_test(cases, path_bound);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
