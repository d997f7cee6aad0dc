#include "server/verify/finding.h"

#include "server/base/alloc.h"

void cmox_finding_clear(cmox_finding_t *finding) {
  cmox_differences_free(finding->differences, finding->difference_count);
  cmox_free_block(finding->others);
  cmox_free_block(finding->message);
  cmox_free_block(finding->suggestion);
  cmox_free_block(finding->hint);
}

void cmox_findings_clear(cmox_findings_t *findings) {
  for (size_t i = 0; i < findings->count; i++) cmox_finding_clear(&findings->items[i]);
  cmox_free_block(findings->items);
  *findings = (cmox_findings_t){0};
}

cmox_finding_t *cmox_findings_add(cmox_findings_t *findings) {
  cmox_finding_t *grown =
      cmox_grow(findings->items, &findings->capacity, findings->count + 1, sizeof *grown);
  if (!grown) return NULL;
  findings->items = grown;
  cmox_finding_t *finding = &grown[findings->count++];
  *finding = (cmox_finding_t){0};
  return finding;
}

bool cmox_findings_passed(const cmox_findings_t *findings) {
  for (size_t i = 0; i < findings->count; i++)
    if (!findings->items[i].advisory) return false;
  return true;
}

const char *cmox_finding_name(cmox_finding_kind_t kind) {
  switch (kind) {
#define NAME(name)          \
  case CMOX_FINDING_##name: \
    return #name;
    NAME(UNEXPECTED_CALL)
    NAME(EXCESS_CALL)
    NAME(WRONG_COUNT)
    NAME(ORDER)
    NAME(UNFULFILLED)
    NAME(IN_FLIGHT)
    NAME(NEVER_COMPLETED)
    NAME(HANDLER_FAILED)
    NAME(REFUSED_CALL)
    NAME(SHIMS_CHANGED)
    NAME(COULD_NOT_RUN)
#undef NAME
  }
  return "UNSPECIFIED";
}
