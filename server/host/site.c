#include "server/host/site.h"

#include "server/base/alloc.h"
#include "server/base/trace.h"
#include "server/host/search.h"
#include "server/host/spill.h"
#include "server/host/watch.h"

struct cmox_site {
  cmox_sites_t *sites;
  cmox_hosted_t *hosted; /* NULL: closed */
  cmox_shimdir_t *dir;
  cmox_listener_t *listener;
  cmox_spill_file_t spill;
  bool replaying;
  cmox_watch_t *watch; /* NULL: none */
  cmox_reach_t reach;
};

static void on_shim_link(cmox_listener_t *listener, cmox_link_t *link) {
  cmox_site_t *site = cmox_listener_user(listener);
  if (site->hosted)
    cmox_rpc_accept_shim(site->hosted, link);
  else
    cmox_link_close(link, CMOX_OK);
}

static void on_shim_listener_closed(cmox_listener_t *listener) {
  cmox_site_t *site = cmox_listener_user(listener);
  cmox_sites_t *sites = site->sites;
  cmox_free_block(site);
  sites->open--;
  sites->closed(sites->user);
}

static const cmox_listener_events_t shim_listener_events = {on_shim_link, on_shim_listener_closed};

static cmox_code_t make_directory(const cmox_sites_t *sites, cmox_span_t temporary_directory,
                                  cmox_shimdir_t **out, cmox_error_t *error) {
  cmox_shimdir_settings_t settings = *sites->settings;
  char *given = NULL;
  if (temporary_directory.len) {
    given = cmox_strndup(temporary_directory.data, temporary_directory.len);
    if (!given) return cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
    settings.temporary_directory = given;
  }
  cmox_code_t code = cmox_shimdir_create(&settings, out, error);
  CMOX_TRACE(SHIMDIR_CREATE, cmox_trace_text(code == CMOX_OK ? cmox_shimdir_bin(*out) : given),
             cmox_trace_text(cmox_code_reason(code)));
  cmox_free_block(given);
  return code;
}

/* ---- Evidence for reports ---- */

static bool runs(void *context, const char *path) {
  (void)context;
  return cmox_search_runs(path);
}

static size_t programs(void *context, cmox_span_t command, cmox_real_program_t *out, size_t most,
                       bool *unknown) {
  cmox_site_t *site = context;
  const char *rest = cmox_shimdir_own_path(site->dir);
  char file[PATH_MAX];
  size_t count = 0;
  while (count < most && cmox_search_program(&rest, command, file)) {
    out[count].path = cmox_watch_ask(site->watch, file, &out[count].opened);
    *unknown |= !out[count].path;
    if (out[count].path) count++;
  }
  return count;
}

/* Who opens an isolated program has called the shim that stands in its place. */
static bool is_isolated(const cmox_site_t *site, cmox_span_t command) {
  const char *real = site->sites->settings->isolated;
  char file[PATH_MAX];
  return cmox_search_program(&real, command, file);
}

static bool find(void *context, cmox_span_t command, char file[CMOX_PROGRAM_PATH_MAX]) {
  _Static_assert(CMOX_PROGRAM_PATH_MAX >= PATH_MAX, "a path fits");
  const cmox_site_t *site = context;
  if (is_isolated(site, command)) return false; /* it is the shim already */
  const char *rest = cmox_shimdir_own_path(site->dir);
  return cmox_search_program(&rest, command, file);
}

static void watch_command(cmox_site_t *site, cmox_span_t command) {
  if (!site->watch || is_isolated(site, command)) return;
  const char *rest = cmox_shimdir_own_path(site->dir);
  char file[PATH_MAX];
  while (site->watch && cmox_search_program(&rest, command, file))
    cmox_watch_add(site->watch, file);
}

static void watch_listed(void *user, cmox_span_t command) { watch_command(user, command); }

static void begin_replay(cmox_site_t *site) {
  if (site->replaying) return;
  site->replaying = true;
  if (!site->sites->watches) return;
  site->watch = cmox_watch_new();
  cmox_shimdir_each(site->dir, watch_listed, site);
}

static const cmox_reach_t *site_reach(cmox_site_t *site) {
  site->reach = (cmox_reach_t){.bin = cmox_shimdir_bin(site->dir),
                               .context = site,
                               .runs = runs,
                               .watches = site->sites->watches,
                               .programs = programs,
                               .find = find};
  return &site->reach;
}

/* ---- Life ---- */

static void discard(cmox_site_t *site) {
  cmox_shimdir_entomb(site->dir);
  cmox_free_block(site);
}

static cmox_code_t open_site(void *context, cmox_hosted_t *hosted, const cmox_site_wishes_t *wishes,
                             cmox_site_t **out, cmox_error_t *error) {
  cmox_sites_t *sites = context;
  cmox_site_t *site = cmox_calloc(1, sizeof *site);
  if (!site) return cmox_fail(error, CMOX_E_NO_MEMORY, "session: out of memory");
  site->sites = sites;
  site->hosted = hosted;
  cmox_code_t code = make_directory(sites, wishes->temporary_directory, &site->dir, error);
  if (code == CMOX_OK)
    code = cmox_shimdir_set_path(site->dir, wishes->path, wishes->contained, error);
  if (code == CMOX_OK)
    code = cmox_listener_open(sites->loop, cmox_shimdir_socket(site->dir), &shim_listener_events,
                              site, &site->listener, error);
  if (code != CMOX_OK) {
    discard(site);
    return code;
  }
  sites->open++;
  cmox_spill_file_init(&site->spill, cmox_shimdir_socket(site->dir));
  *out = site;
  return CMOX_OK;
}

static const char *site_bin(const cmox_site_t *site) { return cmox_shimdir_bin(site->dir); }

static void site_path(const cmox_site_t *site, cmox_buf_t *out) {
  cmox_shimdir_path(site->dir, out);
}

static cmox_spill_t *site_spill(cmox_site_t *site) { return &site->spill.door; }

static const char *site_socket(const cmox_site_t *site) { return cmox_shimdir_socket(site->dir); }

static cmox_code_t add_shim(cmox_site_t *site, cmox_span_t command, cmox_error_t *error) {
  cmox_code_t code = cmox_shimdir_add(site->dir, command, error);
  CMOX_TRACE(SHIMDIR_ADD, cmox_trace_bytes(command), cmox_trace_text(cmox_code_reason(code)));
  if (code == CMOX_OK) watch_command(site, command);
  return code;
}

static cmox_code_t allow(cmox_site_t *site, cmox_span_t command, cmox_error_t *error) {
  cmox_code_t code = cmox_shimdir_allow(site->dir, command, error);
  CMOX_TRACE(SHIMDIR_ALLOW, cmox_trace_bytes(command), cmox_trace_text(cmox_code_reason(code)));
  return code;
}

static cmox_code_t seal(cmox_site_t *site, bool *more, cmox_error_t *error) {
  return cmox_shimdir_seal(site->dir, more, error);
}

static cmox_code_t make_absent(cmox_site_t *site, cmox_span_t command, bool *more,
                               cmox_error_t *error) {
  cmox_code_t code = cmox_shimdir_hide(site->dir, command, more, error);
  if (*more) return code;
  CMOX_TRACE(SHIMDIR_HIDE, cmox_trace_bytes(command), cmox_trace_text(cmox_code_reason(code)));
  return code;
}

static cmox_code_t follow_path(cmox_site_t *site, cmox_span_t path, cmox_error_t *error) {
  return cmox_shimdir_follow_path(site->dir, path, error);
}

static cmox_code_t check_shims(cmox_site_t *site, cmox_error_t *error) {
  cmox_code_t code = cmox_shimdir_check(site->dir, error);
  CMOX_TRACE(SHIMDIR_CHECK, cmox_trace_text(cmox_shimdir_bin(site->dir)),
             cmox_trace_text(cmox_code_reason(code)));
  return code;
}

static void close_site(cmox_site_t *site) {
  site->hosted = NULL;
  cmox_spill_file_close(&site->spill);
  cmox_watch_free(site->watch);
  cmox_shimdir_t *dir = site->dir;
  site->dir = NULL;
  cmox_listener_close(site->listener); /* frees site when it is gone */
  cmox_shimdir_entomb(dir);
}

void cmox_sites_offer(cmox_rpc_host_t *host) {
  host->open_site = open_site;
  host->site_bin = site_bin;
  host->site_path = site_path;
  host->site_socket = site_socket;
  host->site_spill = site_spill;
  host->site_reach = site_reach;
  host->begin_replay = begin_replay;
  host->add_shim = add_shim;
  host->seal = seal;
  host->allow = allow;
  host->make_absent = make_absent;
  host->follow_path = follow_path;
  host->check_shims = check_shims;
  host->close_site = close_site;
}
