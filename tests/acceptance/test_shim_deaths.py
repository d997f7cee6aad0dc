"""A shim that is killed, at each of its system calls and while it waits: the server goes on, tells of the call, and
keeps nothing of it."""

import os
import re
import shutil
import signal
import subprocess
import unittest

from support import DEADLINE, Case, until
from cmdmox.v1 import control_pb2
from cmdmox_doubles import capture_stdin, mock, passes, returns, stub

OUT, STDIN = b"\x00out\xff" * 60_000, b"line\n" * 60_000
CALLS = re.compile(r"^(\w+)\(", re.M)
LOST, COMPLETED = control_pb2.CALL_STATE_LOST, control_pb2.CALL_STATE_COMPLETED


class Killed(Case):
    def setUp(self):
        super().setUp()
        self.session().delete()  # what a first session brings stays: the lock of its directory
        self.baseline = self.descriptors()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    def assert_goes_on(self, session, killed):
        """The next call is answered, a killed one fails the test only if it was not decided, and nothing of it is kept."""
        self.assertEqual(self.run_in(session, ["git"], input=STDIN), (3, OUT, b""))
        calls = until(lambda: self.ended(session), "the end of every call")
        self.assertEqual([call.state for call in calls[killed:]], [COMPLETED])
        self.assertLessEqual({call.state for call in calls[:killed]}, {LOST, COMPLETED})
        undecided = [call for call in calls if call.state == LOST and call.verdict == control_pb2.CALL_VERDICT_UNSPECIFIED]
        findings = [finding for finding in session.verify().findings if not finding.advisory]
        self.assertEqual([finding.kind for finding in findings],
                         [control_pb2.FINDING_KIND_NEVER_COMPLETED] * len(undecided))
        session.delete()
        until(lambda: self.descriptors() == self.baseline, "the end of every link")

    @staticmethod
    def ended(session):
        calls = session.invocations()
        return calls if all(call.state in (LOST, COMPLETED) for call in calls) else None


class AtEachCall(Killed):
    """strace kills it in front of its k-th call of each name."""

    def strace(self, session, *options):
        command = ["strace", "-qq", "-o", os.path.join(self.folder, "log"), *options, os.path.join(session.shims, b"git")]
        return self.run_in(session, command, input=STDIN)

    def setUp(self):
        super().setUp()
        if not shutil.which("strace") or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode:
            self.skipTest("strace cannot trace here")
        self.folder = os.path.join(self.place, "strace")
        os.mkdir(self.folder)
        self.addCleanup(shutil.rmtree, self.folder)

    def names(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return [name for name in CALLS.findall(file.read()) if name not in ("execve", "exit_group")]

    def test_whatever_it_was_about_to_do(self):
        session = self.session(stub(b"git", None, capture_stdin(), returns(OUT, exit_code=3)))
        self.assertEqual(self.strace(session), (3, OUT, b""))
        names = self.names()
        self.assertGreater(len(names), 20)
        killed = 1
        for position, name in enumerate(names):
            with self.subTest(name=name, position=position):
                nth = names[:position + 1].count(name)
                status, out, err = self.strace(session, f"-einject={name}:signal=KILL:when={nth}")
                if status == 3:
                    continue  # it was answered in fewer pieces than the first one
                self.assertEqual((status, err), (-signal.SIGKILL, b""))
                self.assertTrue(OUT.startswith(out))
                killed += 1
        self.assertGreater(killed, len(names) // 2)
        print(f"kill -9 in front of {killed - 1} of {len(names)} system calls of a shim")
        self.assert_goes_on(session, len(session.invocations()))


class WhileItWaits(Killed):
    """Each signal that ends a program, in each state in which a call stays."""

    SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
    REAL = {b"CMOX_REAL_COMMAND_git": b"/bin/cat"}  # it waits for its stdin

    def doubles(self):
        answer = returns(OUT, exit_code=3)
        return {
            "at a gate": stub(b"git", [b"-"], returns(gate="g")),
            "for its stdin": stub(b"git", [b"-"], capture_stdin(), answer),
            "for its reader": stub(b"git", [b"-"], answer),
            "for a delay": stub(b"git", [b"-"], returns(OUT, delay_ms=1000 * DEADLINE)),
            "for ever": stub(b"git", [b"-"], returns(hang=True)),
            "for a real command": stub(b"git", [b"-"], passes()),
            "for a real command of which nothing is captured": stub(b"git", [b"-"], passes(capture_stdout=False, capture_stderr=False)),
        }

    def test_the_call_is_lost_and_the_others_are_not(self):
        for state, double in self.doubles().items():
            with self.subTest(state):
                session = self.session(double, stub(b"git", [], returns(OUT, exit_code=3)))
                children = [self.start_in(session, ["git", "-"], env=self.REAL, stdin=subprocess.PIPE) for _ in self.SIGNALS]
                until(lambda: session.count() == len(children), "the calls")  # pylint: disable=cell-var-from-loop
                for child, number in zip(children, self.SIGNALS):
                    child.send_signal(number)
                    self.assertEqual(child.wait(DEADLINE), -number)
                if state == "for a real command":  # of a shim that was killed: the kernel has killed it, too
                    until(lambda: os.waitpid(-1, os.WNOHANG)[0], "the end of the real command")
                for child in children:
                    self._reap(child)
                    child.stdin = child.stdout = child.stderr = None
                self.assert_goes_on(session, len(children))

    def test_a_mock_that_took_it_is_satisfied_with_a_remark(self):
        session = self.session(mock(b"git", None, returns(gate="g")))
        child = self.start_in(session, ["git"])
        until(lambda: session.count() == 1, "the call")
        child.kill()
        child.wait(DEADLINE)
        until(lambda: self.ended(session), "its end")
        report = self.assert_passed(session)
        self.assertEqual([finding.advisory for finding in report.findings], [True], report.text)


if __name__ == "__main__":
    unittest.main()
