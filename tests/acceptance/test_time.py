"""Time is monotonic: nothing depends on the wall clock.

Here that one jumps ten years ahead or a day back each time it is asked (wild_clock.c).
"""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

from support import BUILD, DEADLINE, SANITIZED, Case, until
from cmdmox_doubles import capture_stdin, mock, returns, stub

WILD = os.path.join(BUILD, "tests", "acceptance", "wild_clock.so")
# What is static cannot be lied to.
DYNAMIC_SHIM = os.path.join(BUILD, "shim", "cmdmox-shim-host")
DYNAMIC_PROGRAM = os.path.join(BUILD, "client", "cmdmox-dynamic")


@unittest.skipIf(SANITIZED, "a sanitizer must be loaded first")
class WildClock(Case):
    program = DYNAMIC_PROGRAM
    server_env = {"LD_PRELOAD": WILD, "CMOX_SHIM": DYNAMIC_SHIM}
    wild = {b"LD_PRELOAD": os.fsencode(WILD)}

    def test_the_clock_is_wild(self):
        seen = subprocess.run(["date", "+%s"], env={**os.environ, "LD_PRELOAD": WILD}, stdout=subprocess.PIPE,
                              timeout=DEADLINE, check=True)
        self.assertGreater(abs(int(seen.stdout) - time.time()), 3600)

    def test_order_and_durations(self):
        session = self.session(stub(b"cmd", None, returns(b"ok", delay_ms=20)))
        for i in range(10):
            begin = time.monotonic()
            self.assertEqual(self.run_in(session, ["cmd", str(i)], env=self.wild)[1], b"ok")
            self.assertLess(time.monotonic() - begin, 5)
        calls = session.invocations()
        self.assertEqual([call.argv[1] for call in calls], [b"%d" % i for i in range(10)])
        self.assertEqual([call.start_ns for call in calls], sorted(call.start_ns for call in calls))
        for call in calls:
            self.assertTrue(20_000_000 <= call.end_ns - call.start_ns < 5_000_000_000, call)

    def test_no_timer_fires_early_or_is_lost(self):
        session = self.session(mock(b"held", None, returns(b"ok", gate="g")),
                               stub(b"reader", None, capture_stdin(deadline_ms=200), returns(b"read")))
        held = self.start_in(session, ["held"], env={**self.wild, b"CMOX_IPC_TIMEOUT": b"0.4"})
        until(lambda: session.count() == 1, "the call")
        source, sink = os.pipe()
        begin = time.monotonic()
        self.assertEqual(self.run_in(session, ["reader"], env=self.wild, stdin=source), (0, b"read", b""))
        self.assertTrue(0.2 <= time.monotonic() - begin < 5)
        os.close(source)
        os.close(sink)
        until(lambda: time.monotonic() - begin > 0.9 and session.count() == 2, "twice the deadline of the held call")
        session.release("g")
        self.assertEqual(self.finish(held), (0, b"ok", b""))
        self.assert_passed(session)


class Traced(Case):
    def trace(self, session, command):
        """The system calls of one call; skips where tracing is not allowed."""
        strace = shutil.which("strace")
        if not strace:
            self.skipTest("strace is not installed")
        with tempfile.NamedTemporaryFile() as log:
            status, _, err = self.run_in(session, [strace, "-qq", "-o", log.name, *command])
            if b"PTRACE" in err or b"ptrace" in err:
                self.skipTest("tracing is not allowed here")
            self.assertEqual(status, 0, err)
            return log.read().decode("utf-8", "replace")

    def test_the_launcher_asks_for_no_wall_clock(self):
        """As system calls; what the vDSO answers without one is told by WildClock."""
        session = self.session(stub(b"cmd", None, returns(b"ok", delay_ms=5)))
        calls = self.trace(session, [os.path.join(session.shims, b"cmd")])
        self.assertIn("connect(", calls)
        for asking in ("CLOCK_REALTIME", "gettimeofday(", "time("):
            self.assertNotIn(asking, calls.replace("clock_gettime(CLOCK_MONOTONIC", ""))


if __name__ == "__main__":
    unittest.main()
