/* cmdmox gc: removes what killed processes left in the places of shim directories, and says so. */
#include <cmdmox/codes.h>
#include <string.h>

#include "client/program/verbs.h"
#include "server/base/quote.h"
#include "server/host/shimdir.h"

typedef struct collection {
  bool json;
  size_t told;
  size_t stuck;
} collection_t;

static const struct {
  const char *state;
  const char *words; /* of a line */
} words_of[] = {
    [CMOX_REMAINS_LIVING] = {"living", "left, its session lives:"},
    [CMOX_REMAINS_USED] = {"used", "left, a process still has it on its PATH:"},
    [CMOX_REMAINS_LEFT] = {"unused", "to be removed:"},
    [CMOX_REMAINS_REMOVED] = {"removed", "removed:"},
    [CMOX_REMAINS_STUCK] = {"stuck", "cannot be removed; look what is in it:"},
};

static void tell(void *user, const char *path, cmox_remains_t remains) {
  collection_t *collection = user;
  collection->stuck += remains == CMOX_REMAINS_STUCK;
  if (!collection->json) {
    (void)printf("%s %s\n", words_of[remains].words, path);
  } else {
    cmox_buf_t line = CMOX_BUF_EMPTY;
    cmox_buf_puts(&line, collection->told ? ",\n  {\"path\": " : "\n  {\"path\": ");
    cmox_quote_json(&line, cmox_span_str(path), CMOX_QUOTE_ALL);
    cmox_buf_printf(&line, ", \"state\": \"%s\"}", words_of[remains].state);
    cmox_print(&line);
    cmox_buf_clear(&line);
  }
  collection->told++;
}

int cmox_verb_gc(const cmox_verb_t *verb, const cmox_arguments_t *arguments) {
  const bool remove = cmox_given(arguments, CMOX_GC_DRY_RUN) == NULL;
  collection_t collection = {.json = cmox_given(arguments, CMOX_GC_JSON) != NULL};
  cmox_shimdir_settings_t settings;
  cmox_error_t error;
  const char *places[CMOX_SHIMDIR_PLACES_MAX];
  if (cmox_shimdir_settings_read(NULL, &settings, &error) != CMOX_OK) {
    (void)fprintf(stderr, "cmdmox %s: %s\n", verb->name, error.message);
    return cmox_code_exit_status(error.code);
  }
  if (collection.json) (void)fputs("[", stdout);
  const size_t count = cmox_shimdir_places(&settings, places);
  for (size_t i = 0; i < count; i++)
    (void)cmox_shimdir_survey(places[i], remove, tell, &collection);
  if (collection.json) (void)puts(collection.told ? "\n]" : "]");
  cmox_shimdir_settings_clear(&settings);
  const int written = cmox_finish_output();
  if (written) return written;
  return collection.stuck ? cmox_code_exit_status(CMOX_E_IO) : 0;
}
