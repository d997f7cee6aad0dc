#include <cmdmox/codes.h>

#include <stddef.h>
#include <string.h>

typedef struct code_row {
  cmox_code_t code;
  uint32_t grpc;
  int exit_status;
  const char *reason;
  const char *text;
} code_row_t;

static const code_row_t rows[] = {
#define CMOX_ERROR(number, name, reason, grpc, exit_status, text) \
  {CMOX_E_##name, (grpc), (exit_status), (reason), (text)},
#include <cmdmox/errors.def>
#undef CMOX_ERROR
};

static const code_row_t *find(cmox_code_t code) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].code == code) return &rows[i];
  return NULL;
}

const char *cmox_code_reason(cmox_code_t code) {
  if (code == CMOX_OK) return "OK";
  const code_row_t *row = find(code);
  return row ? row->reason : "UNKNOWN";
}

const char *cmox_code_text(cmox_code_t code) {
  if (code == CMOX_OK) return "success";
  const code_row_t *row = find(code);
  return row ? row->text : "unknown error";
}

uint32_t cmox_code_grpc(cmox_code_t code) {
  if (code == CMOX_OK) return 0;
  const code_row_t *row = find(code);
  return row ? row->grpc : 2;
}

int cmox_code_exit_status(cmox_code_t code) {
  if (code == CMOX_OK) return 0;
  const code_row_t *row = find(code);
  return row ? row->exit_status : 3;
}

cmox_code_t cmox_code_from_reason(const char *reason) {
  if (!reason) return CMOX_E_INTERNAL;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].reason, reason) == 0) return rows[i].code;
  return CMOX_E_INTERNAL;
}
