/* What the descriptors say of a message's JSON. The one thing that they do not say is which numbers
 * are indexes of matchers: that is the table here. */
#include <ctype.h>
#include <string.h>

#include "cmdmox/v1/document.pb-c.h"
#include "server/json/internal.h"

static const struct {
  const cmox_type_t *type;
  const char *field;
} references[] = {
    {&cmdmox__v1__matcher_node__descriptor, "not"},
    {&cmdmox__v1__index_list__descriptor, "indexes"},
    {&cmdmox__v1__argv_item__descriptor, "one"},
    {&cmdmox__v1__argv_item__descriptor, "rest"},
    {&cmdmox__v1__flag_value__descriptor, "value"},
    {&cmdmox__v1__stdin_matcher__descriptor, "node"},
    {&cmdmox__v1__cwd_matcher__descriptor, "node"},
    {&cmdmox__v1__env_matcher_item__descriptor, "node"},
};

void cmox_camel_name(const char *name, char out[CMOX_NAME_MAX]) {
  size_t len = 0;
  for (; *name && len + 1 < CMOX_NAME_MAX; name++) {
    out[len] = *name;
    if (*name == '_' && name[1]) out[len] = (char)toupper((unsigned char)*++name);
    len++;
  }
  out[len] = '\0';
}

const cmox_field_t *cmox_field_named(const cmox_type_t *type, const char *name) {
  for (unsigned i = 0; i < type->n_fields; i++) {
    char camel[CMOX_NAME_MAX];
    cmox_camel_name(type->fields[i].name, camel);
    if (strcmp(type->fields[i].name, name) == 0 || strcmp(camel, name) == 0)
      return &type->fields[i];
  }
  return NULL;
}

bool cmox_is_reference(const cmox_type_t *type, const cmox_field_t *field) {
  for (size_t i = 0; i < sizeof references / sizeof *references; i++)
    if (references[i].type == type && strcmp(references[i].field, field->name) == 0) return true;
  return false;
}

const cmox_type_t *cmox_matcher_type(void) { return &cmdmox__v1__matcher_node__descriptor; }

const cmox_field_t *cmox_table_field(const cmox_type_t *type) {
  for (unsigned i = 0; i < type->n_fields; i++)
    if (cmox_is_repeated(&type->fields[i]) && type->fields[i].descriptor == cmox_matcher_type())
      return &type->fields[i];
  return NULL;
}

const cmox_field_t *cmox_list_field(const cmox_type_t *type) {
  const cmox_field_t *list = NULL;
  for (unsigned i = 0; i < type->n_fields; i++) {
    const cmox_field_t *field = &type->fields[i];
    if (cmox_is_repeated(field) && !list)
      list = field;
    else if (cmox_is_repeated(field) || strcmp(field->name, "append") != 0)
      return NULL;
  }
  return list;
}

const cmox_field_t *cmox_bare_reference(const cmox_type_t *type) {
  if (type->n_fields == 0 || cmox_is_repeated(&type->fields[0])) return NULL;
  return cmox_is_reference(type, &type->fields[0]) ? &type->fields[0] : NULL;
}

void cmox_short_name(const ProtobufCEnumDescriptor *type, const char *name,
                     char out[CMOX_NAME_MAX]) {
  static const char tail[] = "UNSPECIFIED"; /* of the value 0, behind what all of them begin with */
  const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(type, 0);
  const size_t prefix = zero ? strlen(zero->name) - (sizeof tail - 1) : 0;
  if (zero && strncmp(zero->name, name, prefix) == 0) name += prefix;
  size_t len = 0;
  for (; name[len] && len + 1 < CMOX_NAME_MAX; len++)
    out[len] = (char)tolower((unsigned char)name[len]);
  out[len] = '\0';
}
