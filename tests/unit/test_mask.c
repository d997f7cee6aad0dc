/* What of a command line may be shown: "before[secret]after". */
#include <check.h>
#include <string.h>

#include "server/base/alloc.h"
#include "server/model/mask.h"
#include "tests/lib/run_suite.h"

static const struct {
  const char *before; /* the argument before it */
  const char *argument;
  const char *shown; /* NULL: as it is */
} cases[] = {
    {"", "--token=abc", "--token=***"},
    {"", "--api-key=abc", "--api-key=***"},
    {"--password", "abc", "***"},
    {"--password", "--verbose", NULL},
    {"--password", "-v", NULL},
    {"--password", "-abc", "***"},
    {"--password", "-", "***"},
    {"", "MYSQL_PWD=abc", "MYSQL_PWD=***"},
    {"", "PWD=abc", NULL},
    {"", "OLDPWD=abc", NULL},
    {"", "GITHUB_TOKEN=abc", "GITHUB_TOKEN=***"},
    {"", "https://me:abc@host/x", "https://me:***@host/x"},
    {"", "https://abc@host/x", "https://***@host/x"},
    {"", "https://host/a@b", NULL},
    {"", "https://host/x?access_token=abc&y=1", "https://host/x?access_token=***&y=1"},
    {"", "https://host/x?page=2&y=1", NULL},
    {"", "https://me:abc@host/p?token=def&password=ghi",
     "https://me:***@host/p?token=***&password=***"},
    {"--password", "***", NULL},
    {"-H", "Authorization: Bearer abc", "Authorization:***"},
    {"", "--header=Cookie: session=abc", "--header=Cookie:***"},
    {"", "--env=API_TOKEN=abc", "--env=API_TOKEN=***"},
    {"", "--env=A=b:SECRET:abc", "--env=A=b:SECRET:***"},
    {"", "{\"password\": \"a\\\"bc\", \"x\": \"y\"}", "{\"password\": \"***\", \"x\": \"y\"}"},
    {"", "{\"a\":\"b\",\"token\":123}", "{\"a\":\"b\",\"token\":***}"},
    {"", "{\"token\" : {\"value\": \"abc\"}, \"x\": 1}", "{\"token\" : ***"},
    {"", "[{\"secret\": \"a\"}, {\"secret\": \"b\"}]",
     "[{\"secret\": \"***\"}, {\"secret\": \"***\"}]"},
    {"", "{'api_key': 'abc'}", "{'api_key': '***'}"},
    {"", "{\"body\": \"{\\\"token\\\": \\\"abc\\\"}\"}", "{\"body\": \"{\\\"token\\\": ***}\"}"},
    {"", "{\"name\": \"abc\"}", NULL},
    {"", "{\"token\":", NULL},
    {"", "\"", NULL},
    {"", ":", NULL},
    {"", "\":", NULL},
    {"", "password", NULL},
    {"", "--tokens", NULL},
    {"-p", "src/dir", NULL},
    {"", "", NULL},
    {"", "=", NULL},
    {"", "https://", NULL},
    {"", "a://@", NULL},
};

START_TEST(shows_what_it_should) {
  cmox_span_t args[] = {cmox_span_str(cases[_i].before), cmox_span_str(cases[_i].argument)};
  cmox_buf_t out = CMOX_BUF_EMPTY;
  bool masked = cmox_mask_argument((cmox_span_list_t){args, 2}, 1, &out);
  ck_assert_msg(masked == (cases[_i].shown != NULL), "%s", cases[_i].argument);
  char *text = cmox_buf_take_text(&out);
  if (masked) ck_assert_str_eq(text, cases[_i].shown);
  cmox_free_block(text);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("mask");
  TCase *all = tcase_create("mask");
  tcase_add_loop_test(all, shows_what_it_should, 0, (int)(sizeof cases / sizeof *cases));
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
