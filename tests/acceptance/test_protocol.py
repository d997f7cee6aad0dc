"""Errors of the protocol: each has its stable reason, and fails no more than it must."""

import unittest

from google.protobuf import descriptor_pb2

from support import Case, Listening, cmdmox, until
from cmdmox_client import LinkClosed
from cmdmox_doubles import Matcher, mock, patch, returns, stub, times

from cmdmox.v1 import agent_pb2, control_pb2, frame_pb2, shim_pb2

SERVICES = [agent_pb2.DESCRIPTOR.services_by_name["AgentService"],
            control_pb2.DESCRIPTOR.services_by_name["ControlService"],
            shim_pb2.DESCRIPTOR.services_by_name["ShimService"]]
METHODS = {f"{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods}
GARBAGE = {"cut": b"\x0a\x7f", "wrong wire type": b"\x08\x01\x0d", "ones": b"\xff" * 12}


class Methods(Case):
    def test_methods_that_are_not_built_answer_unimplemented(self):
        built = set(self.client.GetServerInfo().methods)
        self.assertIn("cmdmox.v1.ControlService/Verify", built)
        self.assertLessEqual(built, METHODS.keys())
        missing = METHODS.keys() - built
        self.assertIn("cmdmox.v1.AgentService/OpenLink", missing)
        self.assertIn("cmdmox.v1.ControlService/LoadFixture", missing)
        unknown = ["cmdmox.v1.ControlService/Nothing", "cmdmox.v2.ControlService/Ping", "cmdmox.v1.ControlService/",
                   "cmdmox.v1.ControlService/Ping/", "cmdmox.v1.CallbackService/Handle", "Ping", "", "/"]
        for method in [*missing, *unknown]:
            with self.subTest(method):
                error = self.assert_reason("UNIMPLEMENTED", self.client.request, method, b"")
                self.assertEqual(error.code, 12)

    def test_garbage_fails_its_own_request_only(self):
        session = self.session(stub(b"cmd", None, returns(b"ok")))
        for method in self.client.GetServerInfo().methods:
            if "ControlService" not in method:
                continue
            for name, payload in GARBAGE.items():
                with self.subTest(f"{method}: {name}"):
                    self.assert_reason("BAD_PAYLOAD", self.client.request, method, payload)
        self.assertEqual(self.client.Ping(payload=b"\x00\xff").payload, b"\x00\xff")
        self.assertEqual(self.run_in(session, ["cmd"]), (0, b"ok", b""))

    def test_text_that_is_not_utf8_is_refused(self):
        create = "cmdmox.v1.ControlService/CreateSession"
        self.assert_reason("BAD_PAYLOAD", self.client.request, create, b"\x0a\x01\xff")

    def test_each_method_that_names_a_session_knows_the_unknown(self):
        doomed = self.session()
        doomed.delete()
        for full_name in self.client.GetServerInfo().methods:
            method = METHODS[full_name]
            if "session_id" not in method.input_type.fields_by_name or "ControlService" not in full_name:
                continue
            for unknown in (b"", b"short", b"\0" * 16, doomed.id):
                with self.subTest(full_name, unknown=unknown):
                    error = self.assert_reason("NOT_FOUND", getattr(self.client, method.name), session_id=unknown)
                    self.assertEqual(error.code, 5)

    def test_the_schema_is_handed_out(self):
        files = descriptor_pb2.FileDescriptorSet.FromString(self.client.GetDescriptorSet().file_descriptor_set)
        services = {service.name for file in files.file for service in file.service}
        self.assertEqual(services, {"AgentService", "CallbackService", "ControlService", "ShimService"})

    def test_what_the_server_cannot_do_yet_is_refused_by_name(self):
        session = self.session(replay=False)
        self.assert_reason("UNIMPLEMENTED", session.declare, mock(b"x", actions={"items": [{"replay": {}}]}))


class BadUse(Case):
    def test_command_names(self):
        table = {
            "y_plain": b"git", "y_space": b"a b", "y_not_utf8": b"\xff\xfe", "y_newline": b"a\nb", "y_dash": b"-rf",
            "y_dots_inside": b"a..b", "y_three_dots": b"...", "y_hidden": b".git", "y_longest": b"x" * 255,
            "y_backslash": b"a\\b", "y_own_name": b"cmdmox-shim",
            "n_empty": b"", "n_slash": b"a/b", "n_leading_slash": b"/bin/ls", "n_nul": b"a\0b", "n_nul_last": b"git\0",
            "n_dot": b".", "n_dot_dot": b"..", "n_too_long": b"x" * 256, "n_huge": b"x" * 100_000,
        }
        session = self.session(replay=False)
        for case, name in table.items():
            for declare in (lambda: session.declare(stub(name)),
                            lambda: self.client.RegisterCommands(session_id=session.id, commands=[name])):
                with self.subTest(case):
                    if case.startswith("y_"):
                        declare()
                    else:
                        self.assertEqual(self.assert_reason("BAD_COMMAND_NAME", declare).code, 3)
        session.replay()

    def test_declarations(self):
        session = self.session(replay=False)
        [number] = session.declare(stub(b"known"))
        for pattern in (b"(", b"[", b"*", b"(?<n", b"\\", b"a{2,1}"):
            with self.subTest(pattern=pattern):
                error = self.assert_reason("BAD_REGEX", session.declare, mock(b"x", [Matcher(regex=pattern)]))
                self.assertEqual(error.code, 3)
        table = [
            ("BAD_MATCHER", mock(b"x", argv={"items": [{"one": 0}]})),
            ("BAD_MATCHER", mock(b"x", [Matcher()])),
            ("BAD_MATCHER", mock(b"x", stdin_match={"node": 1})),
            ("BAD_MATCHER", mock(b"x", cwd_match={"node": 0})),
            ("BAD_MATCHER", mock(b"x", argv={"items": [{"rest": 0}]})),
            ("BAD_MATCHER", mock(b"x", env_match={"items": [{"name": b"A"}]})),
            ("BAD_MATCHER", mock(b"x", env_match={"items": [{"name": b"A", "node": 0}]})),
            ("INVALID_ARGUMENT", mock(b"x", env_match={"items": [{"name": b"A=B", "absent": True}]})),
            ("INVALID_ARGUMENT", mock(b"x", env_injection={"changes": [{"name": b"", "value": b"1"}]})),
            ("INVALID_ARGUMENT", mock(b"x", env_injection={"changes": [{"name": b"A", "value": b"\0"}]})),
            ("INVALID_ARGUMENT", stub(b"x", sequences={"steps": [{"sequence": "s"}]})),
            ("INVALID_ARGUMENT", mock(b"x", sequences={"steps": [{"sequence": "s"}, {"sequence": "s", "position": 1}]})),
            ("INVALID_ARGUMENT", mock(b"x", actions={"items": [{"reply": {}}, {"reply": {}}]})),
            ("NOT_FOUND", mock(b"x", after={"double_ids": [999]})),
            ("INVALID_ARGUMENT", mock(b"x", None, returns(exit_code=256))),
            ("INVALID_ARGUMENT", mock(b"x", None, returns(signal="TERM"))),
            ("INVALID_ARGUMENT", mock(b"x", None, returns(signal=""))),
            ("INVALID_ARGUMENT", mock(b"x", None, times(3, 2))),
            ("INVALID_ARGUMENT", stub(b"x", None, times(1))),
            ("INVALID_ARGUMENT", patch()),
        ]
        for reason, double in table:
            with self.subTest(str(double)):
                self.assert_reason(reason, session.declare, double)
        self.assert_reason("BAD_REGEX", session.refine, number, patch(args=[Matcher(regex=b"(")]))
        self.assert_reason("INVALID_ARGUMENT", session.refine, number, patch(times(1)))
        session.replay()
        self.assert_passed(session)


class Links(Listening):
    def test_request_ids_of_the_other_side_close_the_link(self):
        for number in (0, 2, 4_294_967_294):
            with self.subTest(number):
                client = self.connect()
                with self.assertRaises(LinkClosed) as caught:
                    client.request("cmdmox.v1.ControlService/Ping", b"", request_id=number)
                self.assertEqual(caught.exception.go_away.reason, "BAD_FRAME")
        self.connect().Ping()

    def test_versions_that_do_not_meet(self):
        for versions in ((7, 9), (0, 0), (2, 1)):
            with self.subTest(versions):
                error = self.assert_reason("VERSION_MISMATCH", self.connect, versions=versions)
                self.assertIn("1 to 1", error.message)
                self.assertIn(f"{versions[0]} to {versions[1]}", error.message)
        self.assertEqual(self.connect(versions=(0, 9)).hello.version, 1)

    def test_a_frame_that_is_no_message_closes_the_link_with_a_word(self):
        client = self.connect()
        client.socket.sendall(b"\x03\xff\xff\xff")
        client.thread.join(client.timeout)
        self.assertEqual(client.go_away.reason, "BAD_FRAME")

    def test_frames_and_ids_that_nobody_asked_for_are_ignored(self):
        client = self.connect()
        client.send()
        client.send(id=9, response=frame_pb2.Response(payload=b""))
        client.send(id=11, cancel=frame_pb2.Cancel(reason="changed my mind"))
        client.send(notify=frame_pb2.Notify(topic="cmdmox.v1.Unknown", payload=b"\xff"))
        client.socket.sendall(b"\x05\x08\x0d\xfa\x7f\x00")  # id 13 and an unknown field
        self.assertEqual(client.Ping(payload=b"x").payload, b"x")

    def test_roles_keep_to_their_addresses(self):
        session = cmdmox.Session(self.connect())
        shims = session.env[b"CMOX_IPC_SOCKET"].removeprefix(b"unix:")
        self.assert_reason("PERMISSION_DENIED", self.connect, role=frame_pb2.ROLE_SHIM)
        self.assert_reason("PERMISSION_DENIED", self.connect, shims)
        self.assert_reason("UNIMPLEMENTED", self.connect, role=frame_pb2.ROLE_AGENT)
        shim = self.connect(shims, role=frame_pb2.ROLE_SHIM)
        for name in ("Ping", "DeleteSession", "Verify", "GetServerInfo"):
            self.assert_reason("PERMISSION_DENIED", getattr(shim, name))
        self.assert_reason("PERMISSION_DENIED", session.client.request, "cmdmox.v1.ShimService/Invoke", b"")

    def test_a_launcher_in_another_language(self):
        """The same contract from the other side; asking again with the same key counts once."""
        session = cmdmox.Session(self.connect())
        session.declare(mock(b"git", [b"status"], returns(b"clean", exit_code=3)))
        session.replay()
        shims = session.env[b"CMOX_IPC_SOCKET"].removeprefix(b"unix:")
        invoke = shim_pb2.InvokeRequest(command=b"git", argv=[b"git", b"status"], invocation_key=b"k" * 16, pid=7)
        for _ in range(2):
            shim = self.connect(shims, role=frame_pb2.ROLE_SHIM)
            self.assertEqual(shim.hello.session_id, session.id)
            answer = shim_pb2.InvokeResponse.FromString(
                shim.request("cmdmox.v1.ShimService/Invoke", invoke.SerializeToString()))
            reply = answer.action.reply
            self.assertEqual((reply.stdout_data, reply.exit_code), (b"clean", 3))
        done = shim_pb2.Completed(call_id=answer.action.call_id, stdout_written=5)
        shim.send(notify=frame_pb2.Notify(topic=done.DESCRIPTOR.full_name, payload=done.SerializeToString()))
        [call] = until(lambda: [call for call in session.invocations() if call.stdout_written], "Completed")
        self.assertEqual((call.pid, call.state, call.end_ns > 0), (7, control_pb2.CALL_STATE_COMPLETED, True))
        self.assertTrue(session.verify().passed)


if __name__ == "__main__":
    unittest.main()
