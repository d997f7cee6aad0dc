/* Refining a double: each function here builds a patch with one facet and sends
 * it as one UpdateDouble. What is wrong with it, here or on the server, is kept
 * with the place where the test said it, and the next call goes on. */
#include "client/lib/refine.h"

#include "server/base/alloc.h"

cmox_code_t cmox_out_of_memory(cmox_error_t *error) {
  return cmox_fail(error, CMOX_E_NO_MEMORY, "out of memory");
}

cmox_code_t cmox_update(cmox_double_t *dbl, Cmdmox__V1__Double *patch, cmox_error_t *error) {
  if (dbl->id == 0) return CMOX_OK; /* the server never took it, and that is kept already */
  Cmdmox__V1__UpdateDoubleRequest request = CMDMOX__V1__UPDATE_DOUBLE_REQUEST__INIT;
  request.session_id = cmox_session_id(dbl->mox);
  request.double_id = dbl->id;
  request.patch = patch;
  ProtobufCMessage *response;
  cmox_code_t code = cmox_call(dbl->mox, "UpdateDouble", &request.base, &response, error);
  cmox_wire_free(response);
  return code;
}

cmox_double_t *cmox_refine(cmox_double_t *dbl, cmox_location_t where, const char *function,
                           cmox_refinement_t act, const void *arguments) {
  if (!dbl) return &cmox_poison_double;
  cmox_t *mox = dbl->mox;
  if (cmox_enter(mox) != CMOX_OK) return dbl;
  cmox_error_t error = {.code = CMOX_OK};
  if (act(dbl, arguments, &error) != CMOX_OK) cmox_keep_problem(mox, where, function, &error);
  cmox_leave(mox);
  return dbl;
}
