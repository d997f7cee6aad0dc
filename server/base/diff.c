/* The longest common subsequence of lines by the textbook's table, behind what both begin with and
 * before what both end with. Texts that differ in more than TABLE_MAX pairs of lines are shown as
 * wholly different: no reader follows them line by line. */
#include "server/base/diff.h"

#include "server/base/alloc.h"
#include "server/base/quote.h"

enum { CONTEXT = 3, SHOWN_LINES_MAX = 60, LINE_SHOWN_MAX = 200, TABLE_MAX = 1000000 };

bool cmox_diff_is_text(cmox_span_t text) {
  return text.len && memchr(text.data, '\n', text.len) && !memchr(text.data, 0, text.len);
}

typedef struct lines {
  cmox_span_t *items; /* owned; each with its newline, if it has one */
  size_t count;
} lines_t;

static bool split(cmox_span_t text, lines_t *lines) {
  size_t count = 1;
  for (size_t i = 0; i + 1 < text.len; i++) count += text.data[i] == '\n';
  lines->items = cmox_calloc(count, sizeof *lines->items);
  lines->count = 0;
  if (!lines->items) return false;
  for (size_t start = 0; start < text.len;) {
    const uint8_t *end = memchr(text.data + start, '\n', text.len - start);
    size_t next = end ? (size_t)(end - text.data) + 1 : text.len;
    lines->items[lines->count++] = cmox_span(text.data + start, next - start);
    start = next;
  }
  return true;
}

/* One line of the result: its mark, and its number in the actual text. */
typedef struct edit {
  char mark;
  cmox_span_t line;
  size_t number;
} edit_t;

typedef struct edits {
  edit_t *items;
  size_t count;
} edits_t;

static void add(edits_t *edits, char mark, cmox_span_t line, size_t number) {
  edits->items[edits->count++] = (edit_t){mark, line, number};
}

/* table[i][j]: how many lines the ends of both from line i and j on have in common. */
static void walk(edits_t *edits, const lines_t *a, const lines_t *b, size_t from, size_t a_end,
                 size_t b_end, const uint16_t *table) {
  size_t i = from, j = from, width = b_end - from + 1;
#define COMMON(i, j) table[((i)-from) * width + ((j)-from)]
  while (i < a_end && j < b_end) {
    if (table && cmox_span_equal(a->items[i], b->items[j])) {
      add(edits, ' ', a->items[i++], ++j);
    } else if (!table || COMMON(i + 1, j) >= COMMON(i, j + 1)) {
      add(edits, '-', a->items[i], j + 1);
      i++;
    } else {
      add(edits, '+', b->items[j], j + 1);
      j++;
    }
  }
#undef COMMON
  for (; i < a_end; i++) add(edits, '-', a->items[i], j + 1);
  for (; j < b_end; j++) add(edits, '+', b->items[j], j + 1);
}

static void compare(edits_t *edits, const lines_t *a, const lines_t *b) {
  size_t from = 0, a_end = a->count, b_end = b->count;
  while (from < a_end && from < b_end && cmox_span_equal(a->items[from], b->items[from])) from++;
  while (a_end > from && b_end > from &&
         cmox_span_equal(a->items[a_end - 1], b->items[b_end - 1])) {
    a_end--;
    b_end--;
  }
  for (size_t i = 0; i < from; i++) add(edits, ' ', a->items[i], i + 1);
  size_t rows = a_end - from + 1, columns = b_end - from + 1;
  uint16_t *table = NULL;
  if (rows <= TABLE_MAX / columns && rows < UINT16_MAX && columns < UINT16_MAX)
    table = cmox_calloc(rows * columns, sizeof *table);
  for (size_t i = rows - 1; table && i-- > 0;)
    for (size_t j = columns - 1; j-- > 0;) {
      uint16_t below = table[(i + 1) * columns + j], beside = table[i * columns + j + 1];
      table[i * columns + j] = cmox_span_equal(a->items[from + i], b->items[from + j])
                                   ? (uint16_t)(table[(i + 1) * columns + j + 1] + 1)
                                   : (below > beside ? below : beside);
    }
  walk(edits, a, b, from, a_end, b_end, table);
  cmox_free_block(table);
  for (size_t i = a_end, j = b_end; i < a->count; i++) add(edits, ' ', a->items[i], ++j);
}

static void put_line(cmox_buf_t *out, const edit_t *edit) {
  cmox_span_t line = edit->line;
  bool ended = line.data[line.len - 1] == '\n';
  if (ended) line.len--;
  cmox_buf_putc(out, edit->mark);
  cmox_quote_line(out, line, LINE_SHOWN_MAX);
  cmox_buf_putc(out, '\n');
  if (!ended) cmox_buf_puts(out, "\\ no newline at the end\n");
}

/* Whether a changed line is near enough to show this one. */
static bool near_change(const edits_t *edits, size_t index) {
  size_t first = index > CONTEXT ? index - CONTEXT : 0;
  size_t last = index + CONTEXT < edits->count ? index + CONTEXT : edits->count - 1;
  for (size_t i = first; i <= last; i++)
    if (edits->items[i].mark != ' ') return true;
  return false;
}

static void put_edits(cmox_buf_t *out, const edits_t *edits) {
  size_t shown = 0;
  bool before = false;
  for (size_t i = 0; i < edits->count; i++) {
    bool show = near_change(edits, i);
    if (show && !before) cmox_buf_printf(out, "@@ line %zu @@\n", edits->items[i].number);
    before = show;
    if (!show) continue;
    if (++shown > SHOWN_LINES_MAX) {
      cmox_buf_puts(out, "... (more lines differ)\n");
      return;
    }
    put_line(out, &edits->items[i]);
  }
}

void cmox_diff_lines(cmox_buf_t *out, cmox_span_t expected, cmox_span_t actual) {
  if (cmox_span_equal(expected, actual)) return;
  lines_t a = {NULL, 0}, b = {NULL, 0};
  edits_t edits = {NULL, 0};
  bool complete = split(expected, &a) && split(actual, &b);
  if (complete) edits.items = cmox_calloc(a.count + b.count, sizeof *edits.items);
  if (edits.items) {
    compare(&edits, &a, &b);
    put_edits(out, &edits);
  } else {
    out->failed = true;
  }
  cmox_free_block(edits.items);
  cmox_free_block(a.items);
  cmox_free_block(b.items);
}
