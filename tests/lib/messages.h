/* Messages written down as literals. Needs the headers of the types that are used. */
#ifndef CMOX_TESTS_MESSAGES_H
#define CMOX_TESTS_MESSAGES_H

#define NEW(Type, type, ...)                                                                 \
  (&(Cmdmox__V1__##Type){.base = PROTOBUF_C_MESSAGE_INIT(&cmdmox__v1__##type##__descriptor), \
                         __VA_ARGS__})
#define PAYLOAD(...) &NEW(__VA_ARGS__)->base
#define FRAME(number, CASE, member, ...)                                         \
  NEW(Frame, frame, .id = (number), .body_case = CMDMOX__V1__FRAME__BODY_##CASE, \
      .member = __VA_ARGS__)
#define REQUEST(number, name, ms) \
  FRAME(number, REQUEST, request, NEW(Request, request, .method = T(name), .timeout_ms = (ms)))
#define RESPONSE(number)            \
  FRAME(number, RESPONSE, response, \
        NEW(Response, response, .result_case = CMDMOX__V1__RESPONSE__RESULT_PAYLOAD))
#define NOTIFY(name) FRAME(0, NOTIFY, notify, NEW(Notify, notify, .topic = T(name)))
#define T(text) ((char *)text)
#define B(text) \
  { sizeof(text) - 1, (uint8_t *)text }
#define LIST(member, type, ...) \
  .n_##member = sizeof((type[]){__VA_ARGS__}) / sizeof(type), .member = (type[]) { __VA_ARGS__ }
#define BYTES(member, ...) LIST(member, ProtobufCBinaryData, __VA_ARGS__)

#define NODE(CASE, ...) \
  NEW(MatcherNode, matcher_node, .test_case = CMDMOX__V1__MATCHER_NODE__TEST_##CASE, __VA_ARGS__)
#define INDEXES(...) NEW(IndexList, index_list, LIST(indexes, uint32_t, __VA_ARGS__))
#define ITEM(CASE, ...) \
  NEW(ArgvItem, argv_item, .kind_case = CMDMOX__V1__ARGV_ITEM__KIND_##CASE, __VA_ARGS__)
#define ENV_TEST(CASE, ...)                                                                     \
  NEW(EnvMatcherItem, env_matcher_item, .test_case = CMDMOX__V1__ENV_MATCHER_ITEM__TEST_##CASE, \
      __VA_ARGS__)
#define ACTION(number, CASE, ...)                                                        \
  NEW(Action, action, .call_id = (number), .kind_case = CMDMOX__V1__ACTION__KIND_##CASE, \
      __VA_ARGS__)
#define DOUBLE_ACTION(CASE, ...) \
  NEW(DoubleAction, double_action, .kind_case = CMDMOX__V1__DOUBLE_ACTION__KIND_##CASE, __VA_ARGS__)
#define EXIT(code) .end_case = CMDMOX__V1__REPLY__END_EXIT_CODE, .exit_code = (code)
#define SET(text) .change_case = CMDMOX__V1__ENV_CHANGE__CHANGE_VALUE, .value = B(text)

#endif
