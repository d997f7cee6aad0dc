/* What a call is answered with: the end, the output with its chunks, the files. */
#include "server/rpc/internal.h"

static cmox_code_t no_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "reply: out of memory");
}

static cmox_code_t convert_end(const Cmdmox__V1__Reply *from, cmox_reply_data_t *content,
                               cmox_error_t *error) {
  switch (from->end_case) {
    case CMDMOX__V1__REPLY__END_SIGNAL:
      if (!cmox_signal_name_ok(cmox_span_str(from->signal)))
        return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                         "\"%.40s\" is not the name of a signal; write it like SIGTERM",
                         from->signal);
      content->signal = from->signal;
      break;
    case CMDMOX__V1__REPLY__END_HANG:
      content->hang = from->hang;
      break;
    case CMDMOX__V1__REPLY__END_EXIT_CODE:
      if (from->exit_code > 255)
        return cmox_fail(error, CMOX_E_INVALID_ARGUMENT, "exit code %u is not within 0 to 255",
                         from->exit_code);
      content->exit_code = from->exit_code;
      break;
    default: /* none: exit code 0 */
      if (!cmox_newer_kind(&from->base)) break;
      return cmox_fail(error, CMOX_E_UNIMPLEMENTED, "this server does not know end %u of a reply",
                       cmox_newer_kind(&from->base));
  }
  return CMOX_OK;
}

static cmox_code_t convert_file(const Cmdmox__V1__FileEffect *from, cmox_reply_file_t *out,
                                cmox_error_t *error) {
  if (from->command.len)
    return cmox_fail(error, CMOX_E_UNIMPLEMENTED,
                     "this server cannot make a file the shim of a command yet");
  if (from->path.len == 0 || from->path.len > CMOX_FILE_PATH_MAX ||
      memchr(from->path.data, 0, from->path.len))
    return cmox_fail(error, CMOX_E_INVALID_ARGUMENT,
                     "a file needs a path of 1 to %u bytes without NUL", CMOX_FILE_PATH_MAX);
  if (from->mode > 0777)
    return cmox_fail(
        error, CMOX_E_INVALID_ARGUMENT, "the file %.*s: mode %o is not within 0 to 777 (octal)",
        from->path.len < 80 ? (int)from->path.len : 80, (const char *)from->path.data, from->mode);
  *out =
      (cmox_reply_file_t){cmox_from_bytes(from->path), cmox_from_bytes(from->content), from->mode};
  return CMOX_OK;
}

/* What is borrowed or built for one cmox_reply_new(). */
typedef struct parts {
  cmox_buf_t out, err; /* of the chunks, then of the reply */
  cmox_reply_chunk_t *chunks;
  cmox_reply_file_t *files;
} parts_t;

static cmox_code_t gather(const Cmdmox__V1__Reply *from, const cmox_extras_t *extras,
                          parts_t *parts, cmox_error_t *error) {
  parts->chunks = cmox_calloc(extras->n_chunks, sizeof *parts->chunks);
  parts->files = cmox_calloc(extras->n_files, sizeof *parts->files);
  if (!parts->chunks || !parts->files) return no_memory(error);
  for (size_t i = 0; i < extras->n_chunks; i++) {
    const Cmdmox__V1__TimedChunk *chunk = extras->chunks[i];
    cmox_buf_append(chunk->to_stderr ? &parts->err : &parts->out, chunk->data.data,
                    chunk->data.len);
    parts->chunks[i] = (cmox_reply_chunk_t){chunk->to_stderr, chunk->data.len, chunk->delay_ms};
  }
  cmox_buf_append_span(&parts->out, cmox_from_bytes(from->stdout_data));
  cmox_buf_append_span(&parts->err, cmox_from_bytes(from->stderr_data));
  if (parts->out.failed || parts->err.failed) return no_memory(error);
  for (size_t i = 0; i < extras->n_files; i++) {
    cmox_code_t code = convert_file(extras->files[i], &parts->files[i], error);
    if (code != CMOX_OK) return code;
  }
  return CMOX_OK;
}

cmox_code_t cmox_convert_reply(const Cmdmox__V1__Reply *from, const cmox_extras_t *extras,
                               cmox_reply_data_t **out, cmox_error_t *error) {
  parts_t parts = {.out = CMOX_BUF_EMPTY, .err = CMOX_BUF_EMPTY};
  cmox_reply_data_t content = {.delay_ms = from->delay_ms};
  cmox_code_t code = convert_end(from, &content, error);
  if (code == CMOX_OK) code = gather(from, extras, &parts, error);
  if (code == CMOX_OK) {
    content.out = cmox_buf_span(&parts.out);
    content.err = cmox_buf_span(&parts.err);
    content.chunks = parts.chunks;
    content.chunk_count = extras->n_chunks;
    content.files = parts.files;
    content.file_count = extras->n_files;
    *out = cmox_reply_new(&content);
    if (!*out) code = no_memory(error);
  }
  cmox_buf_clear(&parts.out);
  cmox_buf_clear(&parts.err);
  cmox_free_block(parts.chunks);
  cmox_free_block(parts.files);
  return code;
}
