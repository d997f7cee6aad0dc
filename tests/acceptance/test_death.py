"""A server that dies or hangs: each launcher says so in one line and exits with 125, promptly."""

import os
import signal
import time
import unittest

from support import Case, until, wait_stopped
from cmdmox.v1 import control_pb2
from cmdmox_doubles import returns, stub

PROMPT = 5  # seconds; ten times what it takes on a busy machine


class Death(Case):
    def test_kill_with_twenty_calls_at_a_gate(self):
        session = self.session(stub(b"cmd", None, returns(b"never", gate="g")))
        children = [self.start_in(session, ["cmd", str(i)]) for i in range(20)]
        until(lambda: session.count() == 20, "twenty calls")
        self.end_server(signal.SIGKILL)
        begin = time.monotonic()
        for child in children:
            self.assertIn("closed the connection", self.assert_refused(self.finish(child)))
        self.assertLess(time.monotonic() - begin, PROMPT)

        directory = os.path.dirname(session.shims)
        self.assertIn("connect", self.assert_refused(self.run_in(session, ["cmd"])))
        self.server.wait(PROMPT)  # until then it may still hold its lock
        with self.serve() as other:
            self.session(client=other)
            self.assertFalse(os.path.exists(directory), "nobody uses it: the next server sweeps")

    def test_kill_in_the_middle_of_a_large_stdin(self):
        self.leaves("files", "a killed server leaves its directory to the next one")
        session = self.session(stub(b"cmd", None, {"stdin_policy": {"mode": 2}}))
        source, sink = os.pipe()
        child = self.start_in(session, ["cmd"], stdin=source)
        until(lambda: session.count() == 1, "the call")
        self.end_server(signal.SIGKILL)
        self.assertIn("closed the connection", self.assert_refused(self.finish(child)))
        os.close(source)
        os.close(sink)

    def test_the_end_of_the_client_ends_the_calls(self):
        self.leaves("files", "the call that still runs uses the directory: the next server sweeps it")
        session = self.session(stub(b"cmd", None, returns(gate="g")))
        child = self.start_in(session, ["cmd"])
        until(lambda: session.count() == 1, "the call")
        self.stop_server()
        self.assert_refused(self.finish(child))

    def test_terminate_removes_the_directories(self):
        session = self.session(stub(b"cmd"))
        self.end_server(signal.SIGTERM)
        self.server.wait(PROMPT)
        self.assertFalse(os.path.exists(session.shims))


class Stopped(Case):
    def stop(self, pid):
        os.kill(pid, signal.SIGSTOP)
        wait_stopped(pid)

    def test_a_stopped_server_is_given_up_at_the_deadline(self):
        session = self.session(stub(b"cmd"))
        self.stop(self.server.pid)
        begin = time.monotonic()
        line = self.assert_refused(self.run_in(session, ["cmd"], env={b"CMOX_IPC_TIMEOUT": b"0.5"}))
        taken = time.monotonic() - begin
        self.assertIn("CMOX_IPC_TIMEOUT", line)
        self.assertTrue(0.5 <= taken < PROMPT, taken)
        self.server.send_signal(signal.SIGCONT)
        self.assertEqual(self.run_in(session, ["cmd"])[0], 0)

    def test_a_server_stopped_during_a_call_for_longer_than_the_deadline(self):
        session = self.session(stub(b"cmd", None, returns(gate="g")))
        child = self.start_in(session, ["cmd"], env={b"CMOX_IPC_TIMEOUT": b"0.4"})
        until(lambda: session.count() == 1, "the call")
        self.stop(self.server.pid)
        self.assertIn("CMOX_IPC_TIMEOUT", self.assert_refused(self.finish(child)))
        self.server.send_signal(signal.SIGCONT)
        self.assertEqual([call.state for call in session.invocations()], [control_pb2.CALL_STATE_LOST])
        self.assertEqual(session.release("g"), 0)

    def test_a_server_stopped_for_less_than_the_deadline(self):
        session = self.session(stub(b"cmd", None, returns(b"ok", gate="g")))
        child = self.start_in(session, ["cmd"], env={b"CMOX_IPC_TIMEOUT": b"20"})
        until(lambda: session.count() == 1, "the call")
        self.stop(self.server.pid)
        self.assertIsNone(child.poll())
        self.server.send_signal(signal.SIGCONT)
        self.assertEqual(session.release("g"), 1)
        self.assertEqual(self.finish(child), (0, b"ok", b""))

    def test_a_stopped_launcher_goes_on_where_it_was(self):
        session = self.session(stub(b"cmd", None, returns(b"ok", gate="g")))
        child = self.start_in(session, ["cmd"], env={b"CMOX_IPC_TIMEOUT": b"0.3"})
        until(lambda: session.count() == 1, "the call")
        self.stop(child.pid)
        begin = time.monotonic()
        until(lambda: time.monotonic() - begin > 0.6 and session.count() == 1, "more than its deadline")
        self.assertEqual(session.release("g"), 1)
        child.send_signal(signal.SIGCONT)
        self.assertEqual(self.finish(child), (0, b"ok", b""))
        self.assert_passed(session)


if __name__ == "__main__":
    unittest.main()
