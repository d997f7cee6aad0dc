"""The whole path of a call: doubles, matchers, counts, stdin, replies, gates, verification."""

import os
import signal
import time
import unittest

from support import Case, until
from cmdmox.v1 import control_pb2
from cmdmox_doubles import ANY, Matcher, capture_stdin, mock, patch, returns, spy, stub, times

BYTES = bytes(range(256)) + b"\x00\xff\x00\xff\r\n"
MIB = bytes(i * 7 % 251 for i in range(1 << 20))


class Doubles(Case):
    def test_a_mock_a_stub_and_a_spy_declared_in_one_batch(self):
        session = self.session(
            mock(b"git", [b"status"], returns(b"clean\n", b"warning\n", 3)),
            stub(b"date", None, returns(b"today\n")),
            spy(b"logger", None),
            replay=False)
        session.replay()
        self.assertEqual(self.run_in(session, ["git", "status"]), (3, b"clean\n", b"warning\n"))
        for _ in range(2):
            self.assertEqual(self.run_in(session, ["date", "+%s"]), (0, b"today\n", b""))
        self.assertEqual(self.run_in(session, ["logger", "-t", "x"]), (0, b"", b""))
        self.assert_passed(session)
        self.assertEqual([call.argv for call in session.invocations(command=b"logger")], [[b"logger", b"-t", b"x"]])
        self.assertEqual(session.count(command=b"date"), 2)
        self.assertEqual(session.count(), 4)

    def test_a_mock_that_is_never_called_fails_verification_and_a_stub_does_not(self):
        session = self.session(mock(b"git", [b"push"], location={"file": "here.c", "line": 7}), stub(b"ls"))
        report = session.verify()
        self.assertFalse(report.passed)
        self.assertEqual([finding.kind for finding in report.findings], [control_pb2.FINDING_KIND_UNFULFILLED])
        self.assertIn("here.c:7", report.text)

    def test_a_batch_with_one_mistake_declares_nothing(self):
        session = self.session(replay=False)
        self.assert_reason("BAD_REGEX", session.declare, mock(b"git"), mock(b"git", [Matcher(regex=b"(")]))
        session.replay()
        self.assert_passed(session)

    def test_a_refined_double_keeps_its_other_facets(self):
        session = self.session(replay=False)
        [number] = session.declare(mock(b"git", [b"log"], returns(b"old"), times(1, 1)))
        session.refine(number, patch(returns(b"new", exit_code=4)))
        session.refine(number, patch(times(2, 2)))
        session.replay()
        for _ in range(2):
            self.assertEqual(self.run_in(session, ["git", "log"]), (4, b"new", b""))
        self.assert_refused(self.run_in(session, ["git", "log"]))
        self.assert_reason("NOT_FOUND", session.refine, number + 1, patch(times(1)))

    def test_a_double_declared_during_replay_is_there_at_once(self):
        session = self.session()
        session.declare(mock(b"late", None, returns(b"here")))
        self.assertEqual(self.run_in(session, ["late"]), (0, b"here", b""))
        self.assert_passed(session)

    def test_mocks_are_used_up_in_the_order_they_were_defined(self):
        session = self.session(mock(b"step", None, returns(b"1")), mock(b"step", None, returns(b"2")))
        outs = [self.run_in(session, ["step"])[1] for _ in range(2)]
        self.assertEqual(outs, [b"1", b"2"])
        self.assert_passed(session)

    def test_a_saturated_mock_is_not_absorbed_by_a_stub(self):
        session = self.session(mock(b"rm", [b"x"]), stub(b"rm", None, returns(b"stub")))
        self.assertEqual(self.run_in(session, ["rm", "x"])[0], 0)
        self.assertEqual(self.run_in(session, ["rm", "y"])[1], b"stub")
        self.assertIn("one call too many: rm x", self.assert_refused(self.run_in(session, ["rm", "x"])))


class Matchers(Case):
    def test_each_of_the_five_accepts_and_refuses(self):
        table = [
            (Matcher(equals=b"a b"), b"a b", b"a  b"),
            (Matcher(starts_with=b"https:"), b"https://x", b"xhttps:"),
            (Matcher(contains=b"\xff\n"), b"1\xff\n2", b"1\xff2"),
            (Matcher(regex=b"^v[0-9]+\\.\\d$"), b"v12.3", b"v12"),
            (ANY, b"", None),
        ]
        for matcher, accepted, refused in table:
            with self.subTest(matcher=matcher):
                session = self.session(stub(b"cmd", [matcher], returns(b"yes")))
                self.assertEqual(self.run_in(session, [b"cmd", accepted]), (0, b"yes", b""))
                if refused is not None:
                    self.assert_refused(self.run_in(session, [b"cmd", refused]))
                self.assert_refused(self.run_in(session, [b"cmd"]))
                self.assert_refused(self.run_in(session, [b"cmd", accepted, accepted]))

    def test_a_regex_that_explodes_is_bounded(self):
        session = self.session(stub(b"cmd", [Matcher(regex=b"(a+)+$")]))
        begin = time.monotonic()
        self.assert_refused(self.run_in(session, [b"cmd", b"a" * 10_000 + b"!"]))
        self.assertLess(time.monotonic() - begin, 2)

    def test_stdin_is_matched_and_journaled(self):
        session = self.session(mock(b"tee", None, returns(b"binary"), stdin=BYTES),
                               mock(b"tee", None, returns(b"text"), stdin=Matcher(contains=b"needle")))
        self.assertEqual(self.run_in(session, ["tee"], input=b"hay needle hay")[1], b"text")
        self.assertEqual(self.run_in(session, ["tee"], input=BYTES)[1], b"binary")
        self.assertEqual([call.stdin_capture.data for call in session.invocations()], [b"hay needle hay", BYTES])
        self.assertIn("stdin", self.assert_refused(self.run_in(session, ["tee"], input=b"other")))

    def test_captured_stdin_is_whole_or_says_that_it_is_cut(self):
        session = self.session(stub(b"whole", None, capture_stdin()), stub(b"cut", None, capture_stdin(max_bytes=10)))
        self.run_in(session, ["whole"], input=MIB)
        self.run_in(session, ["cut"], input=b"0123456789abc")
        self.run_in(session, ["cut"], input=b"0123456789")
        whole, cut, exact = (call.stdin_capture for call in session.invocations())
        self.assertEqual((whole.data, whole.length, whole.truncated), (MIB, len(MIB), False))
        self.assertEqual((cut.data, cut.truncated), (b"0123456789", True))
        self.assertEqual((exact.data, exact.truncated), (b"0123456789", False))


class Counts(Case):
    def calls(self, facet, number):
        session = self.session(mock(b"cmd", None, facet))
        statuses = [self.run_in(session, ["cmd"])[0] for _ in range(number)]
        return statuses, session.verify().passed

    def test_the_number_of_calls_is_held(self):
        refused = 125
        self.assertEqual(self.calls(times(1, 1), 1), ([0], True))
        self.assertEqual(self.calls(times(2, 2), 1), ([0], False))
        self.assertEqual(self.calls(times(2, 2), 3), ([0, 0, refused], False))
        self.assertEqual(self.calls(times(2), 1), ([0], False))
        self.assertEqual(self.calls(times(2), 3), ([0, 0, 0], True))
        self.assertEqual(self.calls(times(0, 0), 0), ([], True))
        self.assertEqual(self.calls(times(0, 0), 1), ([refused], False))
        self.assertEqual(self.calls(times(0, 1), 0), ([], True))


class Replies(Case):
    def test_bytes_come_out_as_they_were_given(self):
        session = self.session(stub(b"cmd", None, returns(BYTES, BYTES[::-1], 255)))
        self.assertEqual(self.run_in(session, ["cmd"]), (255, BYTES, BYTES[::-1]))

    def test_streams_of_a_mebibyte(self):
        session = self.session(stub(b"cmd", None, returns(MIB, MIB[::-1], 1)))
        self.assertEqual(self.run_in(session, ["cmd"]), (1, MIB, MIB[::-1]))
        [call] = session.invocations()
        self.assertEqual((call.stdout_written, call.stderr_written), (len(MIB), len(MIB)))
        self.assertEqual((call.stdout_capture.data, call.exit_code), (MIB, 1))

    def test_death_by_signal_is_real(self):
        for name in ("SIGTERM", "SIGKILL", "SIGSEGV", "SIGHUP", "SIGPIPE"):
            with self.subTest(name):
                session = self.session(stub(b"cmd", None, returns(b"last words", signal=name)))
                number = getattr(signal, name)
                self.assertEqual(self.run_in(session, ["cmd"]), (-number, b"last words", b""))
                self.assertEqual(session.invocations()[0].signal, name)

    def test_a_delay_is_at_least_as_long_as_asked(self):
        session = self.session(stub(b"cmd", None, returns(b"late", delay_ms=150)))
        begin = time.monotonic()
        self.assertEqual(self.run_in(session, ["cmd"])[1], b"late")
        self.assertGreaterEqual(time.monotonic() - begin, 0.15)

    def test_a_delay_of_a_large_answer_is_before_its_first_byte(self):
        session = self.session(stub(b"cmd", None, returns(b"late" * 100_000, delay_ms=150)))
        begin = time.monotonic()
        child = self.start_in(session, ["cmd"], bufsize=0)
        self.assertEqual(child.stdout.read(4), b"late")
        self.assertGreaterEqual(time.monotonic() - begin, 0.15)
        self.assertEqual(len(self.finish(child)[1]), 400_000 - 4)

    def test_a_hanging_command_stays_until_it_is_killed(self):
        session = self.session(mock(b"cmd", None, returns(b"ready\n", hang=True)))
        child = self.start_in(session, ["cmd"])
        self.assertEqual(child.stdout.readline(), b"ready\n")
        self.assertIsNone(child.poll())
        child.terminate()
        self.assertEqual(self.finish(child)[0], -signal.SIGTERM)


class Gates(Case):
    def test_a_call_waits_for_its_gate(self):
        session = self.session(mock(b"cmd", [b"1"], returns(b"one", gate="first")),
                               mock(b"cmd", [b"2"], returns(b"two", gate="second")))
        children = {gate: self.start_in(session, ["cmd", number]) for gate, number in (("first", "1"), ("second", "2"))}
        until(lambda: session.count() == 2, "both calls")
        self.assertEqual(session.release("nobody"), 0)
        self.assertEqual(session.release("second"), 1)
        self.assertEqual(self.finish(children["second"]), (0, b"two", b""))
        self.assertIsNone(children["first"].poll())
        self.assertEqual(session.release("first"), 1)
        self.assertEqual(self.finish(children["first"]), (0, b"one", b""))
        self.assert_passed(session)

    def test_a_held_call_outlives_its_own_deadline(self):
        session = self.session(mock(b"cmd", None, returns(b"done", gate="g")))
        child = self.start_in(session, ["cmd"], env={b"CMOX_IPC_TIMEOUT": b"0.3"})
        begin = time.monotonic()
        until(lambda: time.monotonic() - begin > 0.9 and session.count() == 1)
        self.assertIsNone(child.poll())
        session.release("g")
        self.assertEqual(self.finish(child), (0, b"done", b""))


class Verification(Case):
    def test_an_unexpected_call_is_told_as_data(self):
        session = self.session(mock(b"git", [b"push", b"origin"], location={"file": "t.c", "line": 9}),
                               dialect="python")
        self.assertIn("git pull origin", self.assert_refused(self.run_in(session, ["git", "pull", "origin"])))
        report = session.verify()
        self.assertFalse(report.passed)
        kinds = control_pb2
        unexpected, unfulfilled = report.findings
        self.assertEqual(unexpected.kind, kinds.FINDING_KIND_UNEXPECTED_CALL)
        self.assertEqual(list(unexpected.invocation_ids), [1])
        rows = [(row.subject, row.expected, row.actual, row.equal) for row in unexpected.differences]
        self.assertEqual(rows, [("argument 1", '"push"', '"pull"', False),
                                ("argument 2", '"origin"', '"origin"', True)])
        self.assertEqual((unexpected.location.file, unexpected.location.line), ("t.c", 9))
        self.assertEqual(unexpected.suggestion, 'mox.mock("git").with_args("pull", "origin")')
        self.assertEqual(unfulfilled.kind, kinds.FINDING_KIND_UNFULFILLED)
        counts = (unfulfilled.expected_minimum, unfulfilled.expected_maximum, unfulfilled.actual_count)
        self.assertEqual(counts, (1, 1, 0))

    def test_a_failure_sticks_though_the_script_swallows_it(self):
        session = self.session(stub(b"git", [b"status"]))
        self.assertEqual(self.run_in(session, ["sh", "-c", "git push 2>/dev/null || true"]), (0, b"", b""))
        self.assertFalse(session.verify().passed)

    def test_a_report_that_does_not_fit_a_frame_is_cut_and_not_lost(self):
        session = self.session(mock(b"git", [b"status"]))
        for last in range(12):
            self.run_in(session, [b"git", *[b"x" * 100000] * 14, b"%d" % last])
        report = session.verify()
        self.assertFalse(report.passed)
        self.assertIn("verification failed: 13 problems", report.text)

    def test_an_answer_that_cannot_be_written_fails_verification(self):
        session = self.session(stub(b"git", None, returns(b"some output")))
        self.assertEqual(self.run_in(session, ["sh", "-c", "git >/dev/full"])[0], 125)
        report = session.verify()
        self.assertFalse(report.passed)
        self.assertIn("the shim failed ('No space left on device') and ended with 125: git",
                      report.text)

    def test_the_phases_are_held(self):
        session = self.session(mock(b"git"), replay=False)
        self.assertIn("replay", self.assert_refused(self.run_in(session, ["git"])))
        self.assert_reason("BAD_STATE", session.verify)
        session.replay()
        session.replay()
        self.assertTrue(self.session(stub(b"ls")).delete(), "replayed and not verified")
        session.verify()
        self.assertIn("verify", self.assert_refused(self.run_in(session, ["git"])))
        self.assert_reason("BAD_STATE", session.declare, mock(b"ls"))
        self.assert_reason("BAD_STATE", session.replay)
        self.assertFalse(session.delete())
        self.assert_reason("NOT_FOUND", session.verify)

    def test_a_registered_command_without_a_double_is_unexpected(self):
        session = self.session(replay=False)
        self.client.RegisterCommands(session_id=session.id, commands=[b"rm", b"mv"])
        session.replay()
        self.assertIn("rm", self.assert_refused(self.run_in(session, ["rm", "-rf", "/nonexistent"])))
        self.assertFalse(session.verify().passed)

    def test_a_killed_call_is_a_remark(self):
        session = self.session(mock(b"cmd", None, returns(gate="never")))
        child = self.start_in(session, ["cmd"])
        until(lambda: session.count() == 1, "the call")
        child.kill()
        child.wait()
        report = self.assert_passed(session)
        self.assertEqual([finding.kind for finding in report.findings],
                         [control_pb2.FINDING_KIND_NEVER_COMPLETED])
        self.assertTrue(report.findings[0].advisory)

    def test_the_server_leaves_nothing_behind(self):
        directory = os.path.dirname(self.session(stub(b"ls")).shims)
        self.assertTrue(os.path.exists(directory))
        self.stop_server()
        self.assertFalse(os.path.exists(directory))
        self.assertEqual(self.server.returncode, 0)


if __name__ == "__main__":
    unittest.main()
