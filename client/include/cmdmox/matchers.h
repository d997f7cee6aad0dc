/* What a value of a call may be: an argument, stdin, a variable, the working directory. */
#ifndef CMOX_MATCHERS_H
#define CMOX_MATCHERS_H

#include <cmdmox/base.h>

#ifdef __cplusplus
#include <initializer_list>

extern "C" {
#endif

/* ---- Matchers --------------------------------------------------------- */

typedef enum cmox_match_kind {
  CMOX_MATCH_EQUALS = 1,
  CMOX_MATCH_ANY = 2,
  CMOX_MATCH_STARTS_WITH = 3,
  CMOX_MATCH_CONTAINS = 4,
  CMOX_MATCH_REGEX = 5,
  CMOX_MATCH_ENDS_WITH = 6,
  CMOX_MATCH_GLOB = 7,
  CMOX_MATCH_IS_A = 8,
  CMOX_MATCH_JSON_EQUALS = 9,
  CMOX_MATCH_ALL_OF = 10,
  CMOX_MATCH_ANY_OF = 11,
  CMOX_MATCH_NOT = 12,
  CMOX_MATCH_ONE_OF = 13,
  CMOX_MATCH_UNSET = 14, /* variables only */
  CMOX_MATCH_REST = 15,  /* from here on: lists of arguments only */
  CMOX_MATCH_ANY_ORDER = 16,
  CMOX_MATCH_ARGS_CONTAIN = 17,
  CMOX_MATCH_FLAG = 18,
  CMOX_MATCH_PREDICATE = 19
} cmox_match_kind_t;

/* What CMOX_IS_A() knows. */
typedef enum cmox_type {
  CMOX_INT = 1,   /* digits, perhaps with a sign */
  CMOX_FLOAT = 2, /* a decimal number, inf or nan */
  CMOX_BOOL = 3,  /* true false yes no on off 1 0, in any case of letters */
  CMOX_PATH = 4,  /* not empty */
  CMOX_JSON = 5   /* one JSON value of any kind */
} cmox_type_t;

#define CMOX_TEXT_LENGTH ((size_t)-1) /* "up to the NUL" */

/* Whether a value is accepted; see "Code of the test's that runs while a call waits". */
typedef bool (*cmox_predicate_t)(cmox_bytes_t value, void *context);

typedef struct cmox_matcher {
  cmox_match_kind_t kind;
  const char *data;
  size_t len; /* bytes, or CMOX_TEXT_LENGTH */
  cmox_type_t type;
  size_t count; /* of children or texts */
  const struct cmox_matcher *children;
  const char *const *texts;
  cmox_predicate_t predicate; /* data is its name */
  void *context;
} cmox_matcher_t;

#ifdef __cplusplus
#define CMOX_MATCHER_(kind, data, len) \
  (cmox_matcher_t{kind, data, len, cmox_type_t(), 0, nullptr, nullptr, nullptr, nullptr})
#define CMOX_TYPE_(type) \
  (cmox_matcher_t{CMOX_MATCH_IS_A, nullptr, 0, type, 0, nullptr, nullptr, nullptr, nullptr})
#define CMOX_PREDICATE_(name, predicate, context)                                          \
  (cmox_matcher_t{CMOX_MATCH_PREDICATE, name, CMOX_TEXT_LENGTH, cmox_type_t(), 0, nullptr, \
                  nullptr, predicate, context})
#define CMOX_CHILDREN_(kind, name, ...) cmox_matcher_of_(kind, name, {__VA_ARGS__})
#define CMOX_TEXTS_(kind, ...) cmox_matcher_of_texts_(kind, {__VA_ARGS__})
#else
#define CMOX_MATCHER_(kind, data, len) \
  ((cmox_matcher_t){kind, data, len, 0, 0, NULL, NULL, NULL, NULL})
#define CMOX_TYPE_(type) \
  ((cmox_matcher_t){CMOX_MATCH_IS_A, NULL, 0, type, 0, NULL, NULL, NULL, NULL})
#define CMOX_PREDICATE_(name, predicate, context)                                              \
  ((cmox_matcher_t){CMOX_MATCH_PREDICATE, name, CMOX_TEXT_LENGTH, 0, 0, NULL, NULL, predicate, \
                    context})
#define CMOX_CHILDREN_(kind, name, ...)                                                     \
  ((cmox_matcher_t){kind, name, (name) != NULL ? CMOX_TEXT_LENGTH : 0, 0,                   \
                    sizeof((const cmox_matcher_t[]){__VA_ARGS__}) / sizeof(cmox_matcher_t), \
                    (const cmox_matcher_t[]){__VA_ARGS__}, NULL, NULL, NULL})
#define CMOX_TEXTS_(kind, ...)                                                                     \
  ((cmox_matcher_t){kind, NULL, 0, 0, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
                    NULL, (const char *const[]){__VA_ARGS__}, NULL, NULL})
#endif
#define CMOX_EQ(text) CMOX_MATCHER_(CMOX_MATCH_EQUALS, (text), CMOX_TEXT_LENGTH)
#define CMOX_EQ_BYTES(data, len) CMOX_MATCHER_(CMOX_MATCH_EQUALS, (data), (len))
#define CMOX_ANY CMOX_MATCHER_(CMOX_MATCH_ANY, NULL, 0)
#define CMOX_STARTS_WITH(text) CMOX_MATCHER_(CMOX_MATCH_STARTS_WITH, (text), CMOX_TEXT_LENGTH)
#define CMOX_CONTAINS(text) CMOX_MATCHER_(CMOX_MATCH_CONTAINS, (text), CMOX_TEXT_LENGTH)
/* PCRE2 over bytes; not anchored. */
#define CMOX_REGEX(pattern) CMOX_MATCHER_(CMOX_MATCH_REGEX, (pattern), CMOX_TEXT_LENGTH)
#define CMOX_ENDS_WITH(text) CMOX_MATCHER_(CMOX_MATCH_ENDS_WITH, (text), CMOX_TEXT_LENGTH)
/* The whole value: * any bytes, ? one byte, [a-z] [!a-z] one of a set, \ takes the next as it is.
 */
#define CMOX_GLOB(pattern) CMOX_MATCHER_(CMOX_MATCH_GLOB, (pattern), CMOX_TEXT_LENGTH)
#define CMOX_IS_A(type) CMOX_TYPE_(type) /* CMOX_IS_A(CMOX_INT) */
/* The same JSON document: white space and the order of members do not count. */
#define CMOX_JSON_EQ(text) CMOX_MATCHER_(CMOX_MATCH_JSON_EQUALS, (text), CMOX_TEXT_LENGTH)
#define CMOX_ONE_OF(...) CMOX_TEXTS_(CMOX_MATCH_ONE_OF, __VA_ARGS__) /* CMOX_ONE_OF("a", "b") */
/* Of other matchers: CMOX_ALL_OF(CMOX_STARTS_WITH("v"), CMOX_NOT(CMOX_EQ("v1"))). The arguments
 * live as long as the block around them, in C++ only as the expression: use them in one expression.
 */
#define CMOX_ALL_OF(...) CMOX_CHILDREN_(CMOX_MATCH_ALL_OF, NULL, __VA_ARGS__)
#define CMOX_ANY_OF(...) CMOX_CHILDREN_(CMOX_MATCH_ANY_OF, NULL, __VA_ARGS__)
#define CMOX_NOT(matcher) CMOX_CHILDREN_(CMOX_MATCH_NOT, NULL, matcher)
/* What a function of the test's accepts: CMOX_PREDICATE(is_even, NULL). It is called while the code
 * under test runs, on another thread; see cmox_runs(). Reports name the function. */
#define CMOX_PREDICATE(function, context) CMOX_PREDICATE_(#function, function, context)

/* In the list of cmox_with_matching_args(). */

/* All arguments that are left, none to many, each accepted by the matcher; last in the list. */
#define CMOX_REST(matcher) CMOX_CHILDREN_(CMOX_MATCH_REST, NULL, matcher)
/* As many arguments as matchers, next to each other, in any order; at most 64. */
#define CMOX_ANY_ORDER(...) CMOX_CHILDREN_(CMOX_MATCH_ANY_ORDER, NULL, __VA_ARGS__)
/* All arguments that are left: each matcher accepts another one of them, in any order, and others
 * may stand among them; last in the list, at most 64. */
#define CMOX_ARGS_CONTAIN(...) CMOX_CHILDREN_(CMOX_MATCH_ARGS_CONTAIN, NULL, __VA_ARGS__)
/* "--name value" or "--name=value": CMOX_FLAG("--name", CMOX_ANY) */
#define CMOX_FLAG(name, matcher) CMOX_CHILDREN_(CMOX_MATCH_FLAG, name, matcher)

#ifdef __cplusplus
}

/* What the macros above call. */
inline cmox_matcher_t cmox_matcher_of_(cmox_match_kind_t kind, const char *name,
                                       std::initializer_list<cmox_matcher_t> children) {
  return cmox_matcher_t{kind,
                        name,
                        name ? CMOX_TEXT_LENGTH : 0,
                        cmox_type_t(),
                        children.size(),
                        children.begin(),
                        nullptr,
                        nullptr,
                        nullptr};
}
inline cmox_matcher_t cmox_matcher_of_texts_(cmox_match_kind_t kind,
                                             std::initializer_list<const char *> texts) {
  return cmox_matcher_t{kind,    nullptr,       0,       cmox_type_t(), texts.size(),
                        nullptr, texts.begin(), nullptr, nullptr};
}
#endif

#endif
