"""Passthrough as the server sees it: a peer that plays the shim is told what to run, and reports of it."""

import hashlib
import os
import socket
import unittest

from support import Case, cmdmox, until
from cmdmox.v1 import control_pb2, double_pb2, frame_pb2, shim_pb2
from cmdmox_doubles import capture_stdin, double, mock, passes, patch, returns, spy

STDIN, STDOUT, STDERR = frame_pb2.STREAM_STDIN, frame_pb2.STREAM_STDOUT, frame_pb2.STREAM_STDERR
PENDING, COMPLETED, LOST = (control_pb2.CALL_STATE_PENDING, control_pb2.CALL_STATE_COMPLETED,
                            control_pb2.CALL_STATE_LOST)
SHIM = shim_pb2.DESCRIPTOR.services_by_name["ShimService"].full_name
CAP = 16 << 20


class Peer:
    """A shim on its own link: `action` is what it was told last."""

    def __init__(self, case, session, argv, env=(), key=None, wait=True):
        self.case, self.key = case, key or os.urandom(16)
        entries = dict(entry.split(b"=", 1) for entry in session.created.env_block)
        self.link = socket.socket(socket.AF_UNIX)
        self.link.connect(entries[b"CMOX_IPC_SOCKET"].removeprefix(b"unix:"))
        files = self.link.makefile("rb"), self.link.makefile("wb")
        case.addCleanup(case.hang_up, self.link, *files)
        self.client = cmdmox.Client(*files, role=frame_pb2.ROLE_SHIM)
        self.invoke = shim_pb2.InvokeRequest(command=argv[0], argv=argv, env_block=env, cwd=b"/",
                                             invocation_key=self.key)
        self.call_id, self.action = 0, None
        if wait:
            self.ask("Invoke", self.invoke, shim_pb2.InvokeResponse)

    def ask(self, method, request, response):
        payload = self.client.request(f"{SHIM}/{method}", request.SerializeToString())
        self.action = response.FromString(payload).action
        self.call_id = self.action.call_id

    def told(self):
        self.case.assertEqual(self.action.WhichOneof("kind"), "passthrough", self.action)
        return self.action.passthrough

    def piece(self, stream, data):
        self.client.send(id=1, stream_data=frame_pb2.StreamData(stream=stream, data=data, monotonic_ns=1))

    def stdin(self, data, end=shim_pb2.STDIN_END_EOF):
        self.piece(STDIN, data)
        self.ask("ContinueInvoke", shim_pb2.ContinueInvokeRequest(call_id=self.call_id, stdin_bytes=len(data),
                                                                  stdin_end=end), shim_pb2.ContinueInvokeResponse)

    def report(self, call_id=None, **fields):
        request = shim_pb2.ReportPassthroughRequest(call_id=call_id or self.call_id, **fields)
        self.client.request(f"{SHIM}/ReportPassthrough", request.SerializeToString())

    def completed(self, **fields):
        message = shim_pb2.Completed(**{"call_id": self.call_id, **fields})
        self.client.send(notify={"topic": message.DESCRIPTOR.full_name, "payload": message.SerializeToString()})
        self.client.thread.join(self.client.timeout)  # the server closes the link

    def ends(self, **report):
        report.setdefault("program", b"/real/git")
        self.report(**report)
        self.completed(stdout_written=report.get("stdout_bytes", 0), stderr_written=report.get("stderr_bytes", 0))

    def leave(self):
        self.case.hang_up(self.link)
        self.client.thread.join(self.client.timeout)


class Passing(Case):
    @staticmethod
    def hang_up(link, *files):
        try:
            link.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was first, or it was done before
            pass
        for file in (*files, link):
            file.close()

    def call(self, session, *argv, **fields):
        return Peer(self, session, list(argv or (b"git",)), **fields)

    def only_call(self, session):
        [call] = session.invocations()
        return call

    def one_finding(self, session):
        report = session.verify()
        [finding] = report.findings
        self.assertEqual(report.passed, finding.advisory, report.text)
        return finding


class Told(Passing):
    def test_where_to_look_and_what_to_change(self):
        session = self.session(spy(b"git", None, passes()), path=b"/one:/two")
        self.assertEqual(self.call(session).told(), shim_pb2.Passthrough(
            search_path=b"/one:/two", env_changes=[{"name": b"CMOX_PASSTHROUGH", "value": b"git"}],
            capture_stdout=True, capture_stderr=True, capture_max_bytes=CAP, kill_after_ms=5000))

    def test_what_the_double_says(self):
        how = {"capture_stdin": True, "capture_stdout": False, "capture_max_bytes": 7, "timeout_ms": 8,
               "kill_after_ms": 9}
        session = self.session(spy(b"git", None, passes(**how)))
        told = self.call(session).told()
        self.assertEqual({name: getattr(told, name) for name in how}, how)

    def test_the_program_of_its_environment(self):
        table = {
            (b"git", b"CMOX_REAL_COMMAND_git=/a"): b"/a",
            (b"git", b"CMOX_REAL_COMMAND_GIT=/b"): b"/b",
            (b"git", b"CMOX_REAL_COMMAND_GIT=/b", b"CMOX_REAL_COMMAND_git=/a"): b"/a",
            (b"git", b"CMOX_REAL_COMMAND_GIT=/b", b"CMOX_REAL_COMMAND_git="): b"/b",
            (b"git", b"CMOX_REAL_COMMAND_Git=/c"): b"",
            (b"git", b"CMOX_REAL_COMMAND_GITK=/c", b"CMOX_REAL_COMMAND_GI=/c", b"CMOX_REAL_COMMAND_"): b"",
            (b"g++-12.3", b"CMOX_REAL_COMMAND_G___12_3=/d"): b"/d",
            (b"g++", b"CMOX_REAL_COMMAND_g++=/e"): b"/e",
            (b"\xc3\xa9", b"CMOX_REAL_COMMAND___=/f"): b"/f",
        }
        session = self.session(*(spy(name, None, passes()) for name in {key[0] for key in table}))
        for (command, *env), program in table.items():
            with self.subTest(command=command, env=env):
                told = self.call(session, command, env=env).told()
                self.assertEqual((told.program, told.search_path == b""), (program, program != b""))

    def test_what_with_env_says_goes_along(self):
        injection = {"env_injection": {"changes": [{"name": b"A", "value": b"1"}, {"name": b"B"}]}}
        session = self.session(spy(b"git", None, passes(), injection))
        changes = self.call(session, env=[b"CMOX_PASSTHROUGH=make/git"]).told().env_changes
        self.assertEqual([(change.name, change.WhichOneof("change"), change.value) for change in changes],
                         [(b"A", "value", b"1"), (b"B", None, b""), (b"CMOX_PASSTHROUGH", "value", b"make/git/git")])

    def test_a_command_that_comes_back_for_ever(self):
        session = self.session(spy(b"git", None, passes()))
        for above in (b"git", b"/".join([b"git"] * 7), b"", b"/", b"make/" * 1000, b"gi/gitt" * 20, b"16"):
            self.call(session, env=[b"CMOX_PASSTHROUGH=" + above]).told()
        # The last two: once it has happened, and with too many others.
        for above in (b"/".join([b"git"] * 8), b"make/git", b"make/" * 2000):
            with self.subTest(above=above):
                reply = self.call(session, env=[b"CMOX_PASSTHROUGH=" + above]).action.reply
                self.assertEqual(reply.exit_code, 125)
                self.assertIn(b"come back to its own shim too often", reply.stderr_data)
        self.call(session, env=[b"CMOX_PASSTHROUGH=make"]).told()
        self.assertEqual(session.count(), 11)
        report = session.verify()
        self.assertFalse(report.passed)
        self.assertEqual({finding.kind for finding in report.findings if not finding.advisory},
                         {control_pb2.FINDING_KIND_UNEXPECTED_CALL})

    def test_the_default_action(self):
        session = self.session(mock(b"git", [b"push"], returns()), replay=False)
        action = passes(timeout_ms=5)["actions"]["items"][0]
        self.client.SetDefaultAction(session_id=session.id, action=action)
        session.replay()
        self.assertEqual(self.call(session, b"git", b"log").told().timeout_ms, 5)
        self.assertEqual(self.call(session, b"git", b"push").action.WhichOneof("kind"), "reply")
        reply = self.call(session, b"git", b"log", env=[b"CMOX_PASSTHROUGH=" + b"git/" * 8]).action.reply
        self.assertEqual(reply.exit_code, 125)

    def test_in_turns_with_replies(self):
        session = self.session(spy(b"git", None, returns(b"r")), replay=False)
        once = {"actions": {**passes(repeat=1)["actions"], "append": True}}
        session.refine(1, patch(once))
        session.replay()
        self.call(session).told()
        for _ in range(2):
            self.assertEqual(self.call(session).action.reply.stdout_data, b"r")

    def test_at_a_gate(self):
        session = self.session(spy(b"git", None, passes(gate="g")))
        peer = self.call(session, wait=False)
        peer.client.waiting[1] = waiter = cmdmox.queue.Queue()
        peer.client.send(id=1, request={"method": f"{SHIM}/Invoke", "payload": peer.invoke.SerializeToString()})
        self.assertEqual(until(lambda: session.release("g")), 1)
        answer = waiter.get(timeout=peer.client.timeout)
        peer.action = shim_pb2.InvokeResponse.FromString(answer.payload).action
        peer.call_id, peer.client.next_id = peer.action.call_id, 3
        peer.told()
        peer.ends(exit_code=0)
        self.assertEqual(self.only_call(session).state, COMPLETED)

    def test_what_is_refused(self):
        session = self.session(replay=False)
        for how in ({"search_path": b"/x"}, {"env_changes": [{"name": b"A"}]}):
            with self.subTest(how=how):
                error = self.assert_reason("INVALID_ARGUMENT", session.declare, spy(b"git", None, passes(**how)))
                self.assertIn("CMOX_REAL_COMMAND_", error.message)
        for program in (b"x", b"./x", b"/x\0y", b"\0/x", b"C:x", b":", b"~/x"):
            with self.subTest(program=program):
                error = self.assert_reason("INVALID_ARGUMENT", session.declare, spy(b"git", None, passes(program=program)))
                self.assertIn("not an absolute path", error.message)
        session.declare(spy(b"git", None, passes(program=b"C:/x")))
        for more in ({"chunks": [{"data": b"x"}]}, {"files": [{"path": b"x"}]}):
            action = {**more, "passthrough": {}}
            self.assert_reason("INVALID_ARGUMENT", session.declare, spy(b"git", actions={"items": [action]}))


class Stdin(Passing):
    def test_what_is_captured_is_not_read_before(self):
        session = self.session(spy(b"git", None, passes(), capture_stdin()))
        peer = self.call(session)
        self.assertTrue(peer.told().capture_stdin)
        peer.piece(STDIN, b"two ")
        peer.piece(STDIN, b"parts")
        peer.ends(exit_code=0, stdin_bytes=9)
        capture = self.only_call(session).stdin_capture
        self.assertEqual((capture.data, capture.length, capture.truncated), (b"two parts", 9, False))
        read = self.client.ReadCallStdin(session_id=session.id, call_id=peer.call_id, offset=4)
        self.assertEqual((read.data, read.length), (b"parts", 9))

    def test_assertions_know_what_the_command_read(self):
        session = self.session(spy(b"git", None, passes(), capture_stdin()))
        peer = self.call(session)
        peer.piece(STDIN, b"hello")
        peer.ends(exit_code=0, stdin_bytes=5)

        def called_with(data):
            pattern = double(double_pb2.DOUBLE_KIND_UNSPECIFIED, b"", None, stdin=data)
            return self.client.AssertCalls(session_id=session.id, double_id=1, patterns=[pattern],
                                           assertion=control_pb2.CALL_ASSERTION_CALLED_WITH)

        self.assertTrue(called_with(b"hello").passed)
        refused = called_with(b"other")
        self.assertFalse(refused.passed)
        self.assertIn("hello", refused.text)

    def test_what_was_read_to_decide_is_kept_by_the_shim(self):
        session = self.session(mock(b"git", None, returns(b"r"), stdin=b"yes"),
                               spy(b"git", None, passes(), capture_stdin()))
        peer = self.call(session)
        self.assertEqual(peer.action.WhichOneof("kind"), "read_stdin")
        self.assertTrue(peer.action.read_stdin.keep)
        peer.stdin(b"no")
        self.assertFalse(peer.told().capture_stdin)
        peer.ends(exit_code=0, stdin_bytes=1)
        capture = self.only_call(session).stdin_capture
        self.assertEqual((capture.data, capture.stdin_end), (b"no", shim_pb2.STDIN_END_EOF))

    def test_nobody_keeps_what_no_real_command_can_want(self):
        session = self.session(mock(b"git", None, returns(b"r"), stdin=b"yes"), spy(b"svn", None, passes()))
        peer = self.call(session)
        self.assertFalse(peer.action.read_stdin.keep)
        self.client.SetDefaultAction(session_id=session.id, action=passes()["actions"]["items"][0])
        self.assertTrue(self.call(session).action.read_stdin.keep)

    def test_drained_is_nothing_that_a_real_command_is_asked_for(self):
        drain = {"stdin_policy": {"mode": double_pb2.STDIN_MODE_DRAIN}}
        session = self.session(spy(b"git", None, passes(), drain))
        self.assertFalse(self.call(session).told().capture_stdin)


class Journal(Passing):
    def test_a_call_from_its_start_to_its_end(self):
        session = self.session(spy(b"git", None, passes()))
        peer = self.call(session, b"git", b"log")
        peer.piece(STDOUT, b"a\0")
        peer.piece(STDERR, b"warn")
        running = until(lambda: [call for call in session.invocations() if call.stderr_capture.data])[0]
        self.assertEqual((running.state, running.end_ns, running.stdout_capture.data), (PENDING, 0, b"a\0"))
        peer.piece(STDOUT, b"b")
        peer.ends(exit_code=3, stdout_bytes=3, stderr_bytes=4)
        call = self.only_call(session)
        self.assertEqual((call.state, call.WhichOneof("end"), call.exit_code), (COMPLETED, "exit_code", 3))
        self.assertEqual((call.stdout_capture.data, call.stderr_capture.data), (b"a\0b", b"warn"))
        self.assertEqual((call.program, call.stdout_written, call.stderr_written), (b"/real/git", 3, 4))
        self.assertFalse(call.merged or call.timed_out or call.lingering or call.replaced)
        self.assertFalse(call.stdout_capture.truncated)
        self.assertFalse(session.verify().findings)

    def test_what_else_a_report_says(self):
        session = self.session(spy(b"git", None, passes()))
        flags = {"merged": True, "timed_out": True, "lingering": True}
        self.call(session).ends(signal="SIGTERM", **flags)
        call = self.only_call(session)
        self.assertEqual((call.WhichOneof("end"), call.signal), ("signal", "SIGTERM"))
        self.assertEqual({name: getattr(call, name) for name in flags}, flags)

    def test_of_what_nobody_read_there_is_no_digest(self):
        session = self.session(spy(b"git", None, passes(capture_max_bytes=3)))
        peer = self.call(session)
        peer.piece(STDOUT, b"abc")
        peer.ends(exit_code=0, stdout_bytes=10)
        capture = self.only_call(session).stdout_capture
        self.assertEqual((capture.data, capture.length, capture.truncated, capture.digest), (b"abc", 10, True, b""))

    def test_long_streams_leave_memory(self):
        data = os.urandom(3 << 20)
        session = self.session(spy(b"git", None, passes()))
        peer = self.call(session)
        for stream in (STDOUT, STDERR):
            for at in range(0, len(data), 256 << 10):
                peer.piece(stream, data[at:at + (256 << 10)])
        peer.ends(exit_code=0, stdout_bytes=len(data), stderr_bytes=len(data))
        call = self.only_call(session)
        self.assertEqual((call.stdout_capture.data, call.stderr_capture.data), (data, data))

    def test_what_does_not_fit_a_frame_is_cut_and_has_a_digest(self):
        data = os.urandom(256 << 10) * 60
        session = self.session(spy(b"git", None, passes()))
        peer = self.call(session)
        for stream in (STDOUT, STDERR):
            for at in range(0, len(data), 256 << 10):
                peer.piece(stream, data[at:at + (256 << 10)])
        peer.ends(exit_code=0, stdout_bytes=len(data), stderr_bytes=len(data))
        capture = self.only_call(session).stderr_capture
        self.assertTrue(capture.truncated)
        self.assertEqual((capture.length, capture.digest), (len(data), hashlib.sha256(data).digest()))

    def test_nothing_was_captured(self):
        session = self.session(spy(b"git", None, passes(capture_stdout=False, capture_stderr=False)))
        peer = self.call(session)
        self.assertFalse(peer.told().capture_stdout or peer.told().capture_stderr)
        peer.report(program=b"/real/git", replaced=True)
        self.assertEqual(self.only_call(session).state, PENDING)
        peer.leave()
        call = until(lambda: [call for call in session.invocations() if call.state != PENDING])[0]
        self.assertEqual((call.state, call.replaced, call.WhichOneof("end")), (COMPLETED, True, None))
        self.assertFalse(call.HasField("stdout_capture") or call.HasField("stderr_capture"))
        self.assertFalse(session.verify().findings)

    def test_a_bound_lets_passed_calls_go_but_not_their_remarks(self):
        session = self.session(spy(b"git", None, passes()), max_journal_entries=1)
        self.call(session).ends(exit_code=127, failure="No such file or directory")
        for _ in range(3):
            self.call(session).ends(exit_code=0)
        self.assertEqual((len(session.invocations()), session.count()), (1, 4))
        self.assertEqual(self.one_finding(session).kind, control_pb2.FINDING_KIND_COULD_NOT_RUN)


class Failures(Passing):
    def test_a_command_that_could_not_be_run_is_a_remark(self):
        session = self.session(spy(b"git", None, passes()))
        self.call(session, b"git", b"log").ends(exit_code=127, failure="No such file or directory")
        call = self.only_call(session)
        self.assertEqual((call.exit_code, call.passthrough_failure), (127, "No such file or directory"))
        finding = self.one_finding(session)
        self.assertEqual((finding.kind, finding.advisory), (control_pb2.FINDING_KIND_COULD_NOT_RUN, True))
        self.assertEqual(finding.message, "the real command could not be run ('No such file or directory'): git log")

    def test_neither_could_who_meant_to_become_it(self):
        session = self.session(spy(b"git", None, passes(capture_stdout=False, capture_stderr=False)))
        peer = self.call(session)
        peer.report(program=b"/real/git", replaced=True)
        peer.completed(failure="Exec format error")
        call = self.only_call(session)
        self.assertEqual((call.state, call.replaced, call.passthrough_failure),
                         (COMPLETED, False, "Exec format error"))
        self.assertEqual(self.one_finding(session).kind, control_pb2.FINDING_KIND_COULD_NOT_RUN)

    def test_or_says_so_with_its_status(self):
        session = self.session(spy(b"git", None, passes(capture_stdout=False, capture_stderr=False)))
        peer = self.call(session)
        peer.report(program=b"/real/git", replaced=True)
        peer.ends(exit_code=126, failure="Exec format error")
        call = self.only_call(session)
        self.assertEqual((call.exit_code, call.replaced, call.passthrough_failure), (126, False, "Exec format error"))

    def test_what_the_shim_could_not_do_fails_the_test(self):
        session = self.session(spy(b"git", None, passes()))
        self.call(session, b"git", b"log").completed(failure="the real command is this shim itself")
        self.assertEqual(self.only_call(session).exit_code, 125)
        finding = self.one_finding(session)
        self.assertEqual((finding.kind, finding.advisory), (control_pb2.FINDING_KIND_NEVER_COMPLETED, False))
        self.assertIn("the real command is this shim itself", finding.message)

    def test_an_end_without_a_report_fails_the_test(self):
        session = self.session(spy(b"git", None, passes()))
        self.call(session).completed()
        self.assertIn("did not say how the real command ended", self.one_finding(session).message)
        self.assertFalse(session.verify().passed)

    def test_who_still_runs_a_command_hears_that_the_session_is_over(self):
        session = self.session(spy(b"git", None, passes()))
        peer = self.call(session)
        peer.told()
        self.client.DeleteSession(session_id=session.id)
        peer.client.thread.join(peer.client.timeout)
        self.assertEqual((peer.client.go_away.reason, peer.client.go_away.message),
                         ("CANCELLED", "the test ended its session during this call"))

    def test_a_shim_that_was_killed_is_a_remark(self):
        session = self.session(spy(b"git", None, passes()))
        peer = self.call(session)
        peer.piece(STDOUT, b"some")
        peer.leave()
        call = until(lambda: [call for call in session.invocations() if call.state != PENDING])[0]
        self.assertEqual((call.state, call.stdout_capture.data, call.WhichOneof("end")), (LOST, b"some", None))
        self.assertEqual(self.one_finding(session).kind, control_pb2.FINDING_KIND_NEVER_COMPLETED)

    def test_a_call_that_still_runs_is_a_remark(self):
        session = self.session(spy(b"git", None, passes()))
        self.call(session)
        finding = self.one_finding(session)
        self.assertEqual((finding.kind, finding.message), (control_pb2.FINDING_KIND_IN_FLIGHT, "still running: git"))


if __name__ == "__main__":
    unittest.main()
