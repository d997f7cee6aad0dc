/* What the words of `cmdmox run` say, as the document that they stand for. */
#ifndef CMOX_PROGRAM_RUN_DOCUMENT_H
#define CMOX_PROGRAM_RUN_DOCUMENT_H

#include "client/program/double_flags.h"
#include "client/program/embedded.h"
#include "cmdmox/v1/document.pb-c.h"

enum {
  CMOX_RUN_DOUBLES = 1,
  CMOX_RUN_MOCK,
  CMOX_RUN_STUB,
  CMOX_RUN_SPY,
  CMOX_RUN_CONTAINED,
  CMOX_RUN_ALLOW,
  CMOX_RUN_ABSENT,
  CMOX_RUN_REGISTER,
  CMOX_RUN_DEFAULT_PASSTHROUGH,
  CMOX_RUN_MAX_JOURNAL,
  CMOX_RUN_LABEL,
  CMOX_RUN_TIMEOUT,
  CMOX_RUN_JSON,
  CMOX_RUN_JUNIT,
  CMOX_RUN_TAP,
  CMOX_RUN_QUIET,
  CMOX_RUN_PRINT
};

extern const cmox_option_t cmox_run_doubles[];
extern const cmox_option_t cmox_run_others[];

typedef struct cmox_run_document {
  Cmdmox__V1__Document all;   /* views of what follows */
  Cmdmox__V1__Document *file; /* as it was read; NULL: none */
  bool file_is_stdin;
  cmox_draft_t *drafts; /* of flags */
  size_t draft_count;
  Cmdmox__V1__Double **doubles; /* both */
  ProtobufCBinaryData *names[3];
  Cmdmox__V1__Location *locations;
  Cmdmox__V1__DocumentSession session;
  Cmdmox__V1__DoubleAction default_action;
  Cmdmox__V1__Passthrough passthrough;
  uint32_t *lines; /* of the doubles of the file */
  uint32_t *name_lines[3];
  cmox_written_t written;
} cmox_run_document_t;

/* 0, or the exit status when stderr says what is wrong. To be cleared whatever comes of it. */
int cmox_run_document_read(cmox_run_document_t *document, const cmox_verb_t *verb,
                           const cmox_arguments_t *arguments);
void cmox_run_document_clear(cmox_run_document_t *document);

/* Gives the doubles of the file their places in it, for reports. False: memory is out. */
bool cmox_run_document_locate(cmox_run_document_t *document);

#endif
