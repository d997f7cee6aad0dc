/* A loop that makes the same wrong call two hundred times is one problem, told once.
 *
 * Alike are findings that would read alike and whose calls had the same arguments. Sorted, they
 * stand next to each other, the earliest call first; that one keeps its place among the findings
 * and the ids of the others. */
#include <stdlib.h>

#include "server/base/alloc.h"
#include "server/verify/verify.h"

static int compare_text(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : ""); }

static int compare_number(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

static int compare_arguments(const cmox_call_t *a, const cmox_call_t *b) {
  const cmox_span_list_t *left = &a->data.argv, *right = &b->data.argv;
  int order = compare_number(left->count, right->count);
  for (size_t i = 0; order == 0 && i < left->count; i++) {
    cmox_span_t x = left->items[i], y = right->items[i];
    order = compare_number(x.len, y.len);
    if (order == 0 && x.len) order = memcmp(x.data, y.data, x.len);
  }
  return order;
}

static int compare_differences(const cmox_finding_t *a, const cmox_finding_t *b) {
  int order = compare_number(a->difference_count, b->difference_count);
  for (size_t i = 0; order == 0 && i < a->difference_count; i++) {
    const cmox_difference_t *x = &a->differences[i], *y = &b->differences[i];
    order = compare_text(x->subject, y->subject);
    if (order == 0) order = compare_text(x->expected, y->expected);
    if (order == 0) order = compare_text(x->actual, y->actual);
    if (order == 0) order = compare_text(x->diff, y->diff);
  }
  return order;
}

/* 0: alike. */
static int compare(const cmox_finding_t *a, const cmox_finding_t *b) {
  int order = compare_number(a->kind, b->kind);
  if (order == 0) order = strcmp(a->message, b->message);
  if (order == 0)
    order = compare_number(a->expect ? a->expect->id : 0, b->expect ? b->expect->id : 0);
  if (order == 0) order = compare_arguments(a->call, b->call);
  return order == 0 ? compare_differences(a, b) : order;
}

static int compare_for_sort(const void *left, const void *right) {
  const cmox_finding_t *a = *(const cmox_finding_t *const *)left;
  const cmox_finding_t *b = *(const cmox_finding_t *const *)right;
  int order = compare(a, b);
  return order == 0 ? compare_number(a->call->id, b->call->id) : order;
}

/* Moves the calls of the findings behind the first one to it, and marks them by taking their call.
 */
static bool fold(cmox_finding_t **alike, size_t count) {
  if (count == 1) return true;
  cmox_finding_t *first = alike[0];
  first->other_count = count - 1;
  first->others = cmox_calloc(cmox_finding_listed(first), sizeof *first->others);
  if (!first->others) return false;
  for (size_t i = 0; i < cmox_finding_listed(first); i++) first->others[i] = alike[i + 1]->call->id;
  for (size_t i = 1; i < count; i++) alike[i]->call = NULL;
  return true;
}

static bool fold_all(cmox_finding_t **sorted, size_t count) {
  for (size_t begin = 0, end; begin < count; begin = end) {
    for (end = begin + 1; end < count && compare(sorted[begin], sorted[end]) == 0;) end++;
    if (!fold(sorted + begin, end - begin)) return false;
  }
  return true;
}

/* Lets go of those from `from` on that were folded into another. */
static void compact(cmox_findings_t *findings, size_t from) {
  size_t kept = from;
  for (size_t i = from; i < findings->count; i++) {
    if (findings->items[i].call)
      findings->items[kept++] = findings->items[i];
    else
      cmox_finding_clear(&findings->items[i]);
  }
  findings->count = kept;
}

bool cmox_findings_fold(cmox_findings_t *findings, size_t from) {
  size_t count = findings->count - from;
  if (count < 2) return true;
  cmox_finding_t **sorted = cmox_calloc(count, sizeof *sorted);
  if (!sorted) return false;
  for (size_t i = 0; i < count; i++) sorted[i] = &findings->items[from + i];
  qsort(sorted, count, sizeof *sorted, compare_for_sort);
  bool folded = fold_all(sorted, count);
  cmox_free_block(sorted);
  if (folded) compact(findings, from);
  return folded;
}
