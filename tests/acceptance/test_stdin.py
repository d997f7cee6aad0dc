"""stdin belongs to the caller; pipelines, loops and odd scripts run mocked as they do unmocked."""

import os
import subprocess
import unittest

from support import DEADLINE, Case, until
from cmdmox.v1 import double_pb2, shim_pb2
from cmdmox_doubles import capture_stdin, mock, returns, stub, times


class Untouched(Case):
    def test_a_loop_over_a_thousand_lines_runs_a_thousand_times(self):
        session = self.session(mock(b"git", None, returns(b"."), times(1000, 1000)))
        lines = b"".join(b"%d\n" % i for i in range(1000))
        status, out, err = self.run_in(session, ["sh", "-c", 'while read x; do git show "$x"; done'], input=lines)
        self.assertEqual((status, len(out), err), (0, 1000, b""))
        self.assert_passed(session)
        self.assertEqual([call.argv[2] for call in session.invocations()], [b"%d" % i for i in range(1000)])

    def test_an_open_silent_pipe_does_not_hang(self):
        session = self.session(stub(b"cmd", None, returns(b"ok")))
        source, sink = os.pipe()
        self.assertEqual(self.run_in(session, ["cmd"], stdin=source), (0, b"ok", b""))
        os.close(sink)
        os.close(source)

    def test_what_a_command_leaves_is_there_for_the_next(self):
        session = self.session(stub(b"first"))
        self.assertEqual(self.run_in(session, ["sh", "-c", "first; cat"], input=b"all of it")[1], b"all of it")

    def test_a_closed_stdin_is_no_trouble(self):
        session = self.session(stub(b"cmd", None, returns(b"ok")),
                               stub(b"reader", None, capture_stdin(), returns(b"r")))
        self.assertEqual(self.run_in(session, ["sh", "-c", "cmd <&-; reader <&-"]), (0, b"okr", b""))

    def test_a_silent_stdin_is_waited_for_no_longer_than_asked(self):
        session = self.session(stub(b"cmd", None, capture_stdin(deadline_ms=100), returns(b"ok")))
        source, sink = os.pipe()
        os.write(sink, b"some")
        self.assertEqual(self.run_in(session, ["cmd"], stdin=source), (0, b"ok", b""))
        os.close(sink)
        os.close(source)
        capture = session.invocations()[0].stdin_capture
        self.assertEqual((capture.data, capture.truncated), (b"some", True))
        self.assertEqual(capture.stdin_end, shim_pb2.STDIN_END_DEADLINE)


class Pipelines(Case):
    def test_a_mocked_command_in_the_middle(self):
        session = self.session(stub(b"filter", None, capture_stdin(), returns(b"b\na\n")))
        self.assertEqual(self.run_in(session, ["sh", "-c", "printf 'x y' | filter -n | sort"]), (0, b"a\nb\n", b""))
        self.assertEqual(session.invocations()[0].stdin_capture.data, b"x y")

    def test_mocked_commands_on_both_sides(self):
        session = self.session(mock(b"source", None, returns(b"\x00data\xff" * 50_000)),
                               mock(b"sink", None, returns(b"stored"), stdin=b"\x00data\xff" * 50_000))
        self.assertEqual(self.run_in(session, ["sh", "-c", "source | sink"]), (0, b"stored", b""))
        self.assert_passed(session)

    def test_a_producer_that_never_ends_and_a_reader_that_stops_early(self):
        session = self.session(stub(b"mocked", None, returns(b"line\n" * 100_000)))
        script = "yes | mocked | head -n 2; echo ${PIPESTATUS[*]}"
        status, out, err = self.run_in(session, ["bash", "-c", script], restore_signals=True)
        self.assertEqual((status, out, err), (0, b"line\nline\n141 141 0\n", b""))
        [call] = until(lambda: [call for call in session.invocations() if call.end_ns], "the end of the call")
        self.assertTrue(call.broken_pipe)
        self.assertLess(call.stdout_written, 500_000)

    def test_a_caller_that_ignores_sigpipe_is_not_killed_by_it(self):
        session = self.session(stub(b"mocked", None, returns(b"line\n" * 100_000, exit_code=7)))
        script = "trap '' PIPE; mocked | true; echo ${PIPESTATUS[0]}"
        self.assertEqual(self.run_in(session, ["bash", "-c", script]), (0, b"7\n", b""))

    def test_drained_stdin_keeps_a_producer_from_sigpipe(self):
        drain = {"stdin_policy": {"mode": double_pb2.STDIN_MODE_DRAIN}}
        session = self.session(stub(b"mocked", None, drain))
        script = "head -c 1000000 /dev/zero | mocked; echo ${PIPESTATUS[*]}"
        self.assertEqual(self.run_in(session, ["bash", "-c", script]), (0, b"0 0\n", b""))
        self.assertEqual(session.invocations()[0].stdin_capture.length, 1_000_000)

    def test_background_and_command_substitution(self):
        session = self.session(stub(b"cmd", [b"a"], returns(b"A")), stub(b"cmd", [b"b"], returns(b"B", exit_code=5)))
        script = 'x=$(cmd a); cmd b & wait $!; echo "$x $?"'
        self.assertEqual(self.run_in(session, ["sh", "-c", script]), (0, b"BA 5\n", b""))


class Scripts(Case):
    def test_a_command_that_nobody_mocked_is_missing_as_ever(self):
        session = self.session(stub(b"git"))
        status, _, err = self.run_in(session, ["sh", "-c", "surely-no-such-command --x"])
        self.assertEqual(status, 127)
        self.assertIn(b"not found", err)
        self.assertEqual(session.count(), 0)

    def test_other_commands_are_the_real_ones(self):
        session = self.session(stub(b"git"))
        self.assertEqual(self.run_in(session, ["sh", "-c", "basename /a/b"]), (0, b"b\n", b""))

    def test_command_v_finds_the_mocked_one(self):
        session = self.session(stub(b"surely-no-such-command"))
        status, out, _ = self.run_in(session, ["sh", "-c", "command -v surely-no-such-command"])
        self.assertEqual((status, out), (0, os.path.join(session.shims, b"surely-no-such-command\n")))

    def test_arguments_that_shells_get_wrong(self):
        odd = [b"", b"a b", b"*", b"$HOME", b"\\", b"'", b'"', b"a\nb", b"-n", b"--", b"\xff", b"~", b"!x", b";"]
        session = self.session(mock(b"cmd", odd, returns(b"ok")))
        self.assertEqual(self.run_in(session, [b"sh", b"-c", b'cmd "$@"', b"sh", *odd]), (0, b"ok", b""))
        self.assertEqual(self.run_in(session, [b"xargs", b"-0", b"cmd"], input=b"\0".join(odd) + b"\0")[0], 123)
        self.assert_reason("NOT_FOUND", self.client.Verify, session_id=b"0" * 16)
        self.assertEqual([list(call.argv[1:]) for call in session.invocations()], [odd, odd])

    def test_a_captured_pipe_is_let_go_at_the_end(self):
        session = self.session(stub(b"cmd", None, returns(b"x" * 200_000)))
        done = subprocess.run(["sh", "-c", 'y=$(cmd); echo ${#y}'], env=session.env, stdout=subprocess.PIPE,
                              timeout=DEADLINE, check=True)
        self.assertEqual(done.stdout, b"200000\n")


if __name__ == "__main__":
    unittest.main()
