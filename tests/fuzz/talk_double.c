#include "tests/fuzz/talk_double.h"

typedef ProtobufCBinaryData bytes_t;

static bytes_t bytes(fuzz_in_t *in) {
  const cmox_span_t span = fuzz_bytes(in);
  return (bytes_t){span.len, (uint8_t *)(uintptr_t)span.data};
}

static void fill_nodes(fuzz_in_t *in, double_parts_t *parts) {
  static const Cmdmox__V1__MatcherNode__TestCase kinds[] = {
      CMDMOX__V1__MATCHER_NODE__TEST_EQUALS,      CMDMOX__V1__MATCHER_NODE__TEST_ANY,
      CMDMOX__V1__MATCHER_NODE__TEST_STARTS_WITH, CMDMOX__V1__MATCHER_NODE__TEST_CONTAINS,
      CMDMOX__V1__MATCHER_NODE__TEST_REGEX,       CMDMOX__V1__MATCHER_NODE__TEST_GLOB,
      CMDMOX__V1__MATCHER_NODE__TEST__NOT_SET};
  parts->message.n_matchers = fuzz_u8(in) % (NODES_MAX + 1);
  parts->message.matchers = parts->node_list;
  for (size_t i = 0; i < parts->message.n_matchers; i++) {
    Cmdmox__V1__MatcherNode *node = parts->node_list[i] = &parts->nodes[i];
    cmdmox__v1__matcher_node__init(node);
    const uint8_t kind = fuzz_u8(in);
    node->test_case = kinds[kind >= 0xf8 ? kind % 7 : kind % 5];
    if (kind >= 0xe0 && kind < 0xf0) {
      node->test_case = CMDMOX__V1__MATCHER_NODE__TEST_CALLBACK;
      node->callback = kind & 3;
    } else if (node->test_case == CMDMOX__V1__MATCHER_NODE__TEST_ANY)
      node->any = 1;
    else if (node->test_case)
      node->equals = bytes(in); /* a member of the union for all others */
  }
}

static void fill_argv(fuzz_in_t *in, double_parts_t *parts) {
  cmdmox__v1__argv_matcher__init(&parts->argv);
  parts->message.argv = &parts->argv;
  parts->argv.items = parts->item_list;
  parts->argv.n_items = fuzz_u8(in) % (ARGS_MAX + 1);
  for (size_t i = 0; i < parts->argv.n_items; i++) {
    Cmdmox__V1__ArgvItem *item = parts->item_list[i] = &parts->items[i];
    const uint8_t node = fuzz_u8(in);
    cmdmox__v1__argv_item__init(item);
    item->kind_case =
        node == 0xff ? CMDMOX__V1__ARGV_ITEM__KIND_REST : CMDMOX__V1__ARGV_ITEM__KIND_ONE;
    item->one = node >= 0xf0 || !parts->message.n_matchers
                    ? node
                    : node % (uint32_t)parts->message.n_matchers;
  }
}

static void fill_effects(fuzz_in_t *in, double_parts_t *parts) {
  const uint8_t how = fuzz_u8(in);
  cmdmox__v1__timed_chunk__init(&parts->chunk);
  cmdmox__v1__file_effect__init(&parts->file);
  parts->chunk_list[0] = parts->chunk_list[1] = &parts->chunk;
  parts->file_list[0] = parts->file_list[1] = &parts->file;
  parts->action.chunks = parts->chunk_list;
  parts->action.n_chunks = how % 3;
  parts->action.files = parts->file_list;
  parts->action.n_files = (how >> 2) % 3;
  parts->chunk.to_stderr = (how & 0x10) != 0;
  if (how & 0x20) parts->chunk.delay_ms = (uint32_t)fuzz_number(in);
  if (how & 0x40) parts->file.mode = (uint32_t)fuzz_number(in);
  parts->chunk.data = parts->file.path = bytes(in);
  parts->file.content = bytes(in);
  if (how >= 0xf8) parts->file.command = bytes(in);
}

static void fill_passthrough(fuzz_in_t *in, double_parts_t *parts) {
  cmdmox__v1__passthrough__init(&parts->passthrough);
  parts->action.kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_PASSTHROUGH;
  parts->action.passthrough = &parts->passthrough;
  const uint8_t how = fuzz_u8(in);
  parts->passthrough.capture_stdin = how & 1;
  parts->passthrough.capture_stdout = (how & 2) != 0;
  parts->passthrough.capture_stderr = (how & 4) != 0;
  if (how & 8) parts->passthrough.capture_max_bytes = fuzz_number(in);
  if (how & 16) parts->passthrough.timeout_ms = (uint32_t)fuzz_number(in);
  if (how & 32) parts->action.gate = fuzz_text(in);
  if (how >= 0xf0) parts->passthrough.program = bytes(in);
}

void talk_fill_reply(fuzz_in_t *in, double_parts_t *parts) {
  cmdmox__v1__action_list__init(&parts->actions);
  cmdmox__v1__double_action__init(&parts->action);
  cmdmox__v1__reply__init(&parts->reply);
  parts->message.actions = &parts->actions;
  parts->action_list[0] = parts->action_list[1] = &parts->action;
  parts->actions.items = parts->action_list;
  const uint8_t how = fuzz_u8(in);
  parts->actions.n_items = how == 0xff ? 2 : how == 0xfe ? 0 : 1;
  if ((how & 0xc8) == 0xc0) {
    fill_passthrough(in, parts);
    return;
  }
  const bool handler = (how & 0xc8) == 0xc8;
  parts->action.kind_case =
      handler ? CMDMOX__V1__DOUBLE_ACTION__KIND_HANDLER : CMDMOX__V1__DOUBLE_ACTION__KIND_REPLY;
  if (!handler) parts->action.reply = &parts->reply;
  if (how & 1) parts->reply.stdout_data = bytes(in);
  if (how & 2) parts->reply.stderr_data = bytes(in);
  if (how & 4) parts->action.gate = fuzz_text(in);
  if (how & 8) parts->reply.delay_ms = (uint32_t)fuzz_number(in);
  if (how & 0x40) fill_effects(in, parts);
  switch (how >> 4 & 3) {
    case 1:
      parts->reply.end_case = CMDMOX__V1__REPLY__END_EXIT_CODE;
      parts->reply.exit_code = (uint32_t)fuzz_number(in);
      break;
    case 2:
      parts->reply.end_case = CMDMOX__V1__REPLY__END_SIGNAL;
      parts->reply.signal = fuzz_signal(in);
      break;
    case 3:
      parts->reply.end_case = CMDMOX__V1__REPLY__END_HANG;
      parts->reply.hang = fuzz_u8(in) & 1;
      break;
    default:
      break;
  }
}

static void fill_count(fuzz_in_t *in, double_parts_t *parts) {
  cmdmox__v1__count__init(&parts->count);
  parts->message.count = &parts->count;
  parts->count.minimum = fuzz_number(in);
  const uint64_t maximum = fuzz_number(in);
  if (maximum == 31) return;
  parts->count.upper_case = CMDMOX__V1__COUNT__UPPER_MAXIMUM;
  parts->count.maximum = maximum;
}

static void fill_stdin(fuzz_in_t *in, double_parts_t *parts, uint8_t facets) {
  if (facets & 2) {
    cmdmox__v1__stdin_matcher__init(&parts->stdin_match);
    parts->message.stdin_match = &parts->stdin_match;
    parts->stdin_match.node = fuzz_u8(in) & 7;
  }
  if (facets & 4) {
    cmdmox__v1__stdin_policy__init(&parts->stdin_policy);
    parts->message.stdin_policy = &parts->stdin_policy;
    parts->stdin_policy.mode = (Cmdmox__V1__StdinMode)(fuzz_u8(in) % 5);
    parts->stdin_policy.max_bytes = fuzz_number(in);
    parts->stdin_policy.deadline_ms = (uint32_t)fuzz_number(in);
  }
}

static void fill_env(fuzz_in_t *in, double_parts_t *parts, uint8_t what) {
  cmdmox__v1__env_matcher__init(&parts->env_match);
  parts->message.env_match = &parts->env_match;
  parts->env_match.append = what >> 7;
  parts->env_match.items = parts->env_list;
  parts->env_match.n_items = 1 + (what >> 6 & 1);
  for (size_t i = 0; i < parts->env_match.n_items; i++) {
    Cmdmox__V1__EnvMatcherItem *item = parts->env_list[i] = &parts->env_items[i];
    cmdmox__v1__env_matcher_item__init(item);
    item->name = bytes(in);
    item->test_case = (Cmdmox__V1__EnvMatcherItem__TestCase)(2 + (what & 1));
    item->node = fuzz_u8(in);
  }
}

static void fill_injection(fuzz_in_t *in, double_parts_t *parts, uint8_t what) {
  cmdmox__v1__env_injection__init(&parts->injection);
  parts->message.env_injection = &parts->injection;
  parts->injection.append = what >> 7;
  parts->injection.changes = parts->change_list;
  parts->injection.n_changes = 1 + (what >> 6 & 1);
  for (size_t i = 0; i < parts->injection.n_changes; i++) {
    Cmdmox__V1__EnvChange *change = parts->change_list[i] = &parts->changes[i];
    cmdmox__v1__env_change__init(change);
    change->name = bytes(in);
    if (what & 1) continue;
    change->change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE;
    change->value = bytes(in);
  }
}

static void fill_order(fuzz_in_t *in, double_parts_t *parts, uint8_t what) {
  cmdmox__v1__sequence_list__init(&parts->sequences);
  parts->message.sequences = &parts->sequences;
  parts->sequences.append = what >> 7;
  parts->sequences.steps = parts->step_list;
  parts->sequences.n_steps = 1 + (what >> 6 & 1);
  for (size_t i = 0; i < parts->sequences.n_steps; i++) {
    Cmdmox__V1__SequenceStep *step = parts->step_list[i] = &parts->steps[i];
    cmdmox__v1__sequence_step__init(step);
    step->sequence = fuzz_text(in);
    step->position = fuzz_u8(in);
  }
}

/* Environment, directory, order: one of them. */
static void fill_context(fuzz_in_t *in, double_parts_t *parts) {
  const uint8_t what = fuzz_u8(in);
  switch (what >> 1 & 7) {
    case 0:
      fill_env(in, parts, what);
      break;
    case 1:
      fill_injection(in, parts, what);
      break;
    case 2:
      fill_order(in, parts, what);
      break;
    case 3:
      cmdmox__v1__predecessors__init(&parts->after);
      parts->message.after = &parts->after;
      parts->after.append = what >> 7;
      parts->after.n_double_ids = what >> 6 & 1;
      parts->after.double_ids = parts->before;
      parts->before[0] = fuzz_u8(in);
      break;
    default:
      cmdmox__v1__cwd_matcher__init(&parts->cwd_match);
      parts->message.cwd_match = &parts->cwd_match;
      parts->cwd_match.node = fuzz_u8(in);
  }
}

Cmdmox__V1__Double *talk_fill_double(fuzz_in_t *in, double_parts_t *parts) {
  cmdmox__v1__double__init(&parts->message);
  const uint8_t head = fuzz_u8(in), facets = fuzz_u8(in);
  parts->message.kind =
      head >= 0xf0 ? (Cmdmox__V1__DoubleKind)(head & 0xf) : (Cmdmox__V1__DoubleKind)(1 + head % 3);
  parts->message.command = bytes(in);
  fill_nodes(in, parts);
  if (facets & 1) fill_argv(in, parts);
  fill_stdin(in, parts, facets);
  if (facets & 8) fill_count(in, parts);
  if (facets & 16) talk_fill_reply(in, parts);
  if (facets & 32) {
    cmdmox__v1__location__init(&parts->location);
    parts->message.location = &parts->location;
    parts->location.file = fuzz_text(in);
    parts->location.line = fuzz_u8(in);
  }
  if (facets & 64) fill_context(in, parts);
  return &parts->message;
}
