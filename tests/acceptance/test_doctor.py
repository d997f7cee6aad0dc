"""cmdmox doctor and cmdmox gc."""

import json
import os
import signal
import subprocess
import unittest

from leftovers import children
from shells import Shell, reap
from support import DEADLINE, PROGRAM, until


class Doctor(Shell):
    def doctor(self, *options, **variables):
        done = subprocess.run([PROGRAM, "doctor", *options], env={**self.environment, **variables}, check=False,
                              capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def problems(self, out):
        return [line.split(None, 1)[1] for line in out.splitlines() if line.startswith("problem")]

    def test_all_is_well(self):
        status, out = self.doctor()
        self.assertEqual((status, self.problems(out)), (0, []), out)
        self.assertIn("a mocked command was called, and answered", out)

    def test_json(self):
        status, out = self.doctor("--json")
        checks = json.loads(out)
        self.assertEqual(status, 0)
        self.assertIn(("call", "ok"), [(check["check"], check["state"]) for check in checks])

    def test_no_shim(self):
        status, out = self.doctor(CMOX_SHIM="/nonexistent/shim")
        self.assertEqual(status, 3)
        self.assertIn("/nonexistent/shim, and there is no such file", self.problems(out)[0])

    def test_a_place_that_does_not_serve(self):
        status, out = self.doctor(CMOX_TMPDIR="/nonexistent")
        self.assertEqual(status, 3)
        self.assertTrue(any("/nonexistent" in line for line in self.problems(out)), out)

    def test_few_descriptors(self):
        done = self.sh("ulimit -n 128; cmdmox doctor")
        self.assertEqual(done[0], 3)
        self.assertIn(b"raise it with ulimit -n", done[1])

    def test_a_session_that_is_over(self):
        status, out = self.doctor(CMOX_SESSION=f"unix:{self.place}/c#" + "0" * 32)
        self.assertEqual(status, 3)
        self.assertIn("CMOX_SESSION names a session that is over", self.problems(out)[0])

    def test_the_report_shows_variables_and_no_secrets(self):
        secret = "".join(("hun", "ter", "2"))
        _, out = self.doctor("--report", CMOX_API_TOKEN=secret, CMOX_SESSION=f"unix:/nonexistent#{secret}", CMOX_WATCH="1")
        self.assertNotIn(secret, out)
        self.assertIn("CMOX_API_TOKEN=***", out)
        self.assertIn("CMOX_WATCH=1", out)
        self.assertTrue(out.startswith("```text\n") and out.endswith("```\n"), out)

    def test_a_relative_path_is_noted(self):
        status, out = self.doctor(PATH=self.environment["PATH"] + ":bin")
        self.assertEqual(status, 0)
        self.assertIn('"bin", is relative', out)


class Litter(Shell):
    """A session whose process was killed, and what runs in it."""

    def setUp(self):
        super().setUp()
        # Said by the child itself: only what has been executed since has the session on its PATH.
        self.shell = self.start("eval \"$(cmdmox session start)\"; exec 3<&0; sh -c 'echo ready; read -r line' <&3 & wait",
                                stdin=subprocess.PIPE)
        self.assertEqual(self.shell.stdout.readline(), b"ready\n")
        self.addCleanup(self.close)
        keeper = until(lambda: [pid for pid, _, line in children() if line == "cmdmox session start"], "the session's process")[0]
        os.kill(keeper, signal.SIGKILL)
        os.waitpid(keeper, 0)

    def close(self):
        self.end()
        for stream in (self.shell.stdin, self.shell.stdout, self.shell.stderr):
            stream.close()

    def end(self):
        if self.shell.poll() is None:
            self.shell.stdin.close()
            self.shell.wait(DEADLINE)
        reap()

    def gc(self, *options):
        done = subprocess.run([PROGRAM, "gc", *options], env=self.environment, check=False, capture_output=True, text=True,
                              timeout=DEADLINE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_what_is_in_use_is_left_and_goes_later(self):
        [name] = os.listdir(self.place)
        self.assertEqual(self.gc(), f"left, a process still has it on its PATH: {self.place}/{name}\n")
        self.end()
        self.assertEqual(self.gc("--dry-run"), f"to be removed: {self.place}/{name}\n")
        self.assertEqual(os.listdir(self.place), [name])
        self.assertEqual(json.loads(self.gc("--json")), [{"path": f"{self.place}/{name}", "state": "removed"}])
        self.assertEqual(os.listdir(self.place), [])
        self.assertEqual(self.gc(), "")


class Living(Shell):
    def test_a_living_session_is_left(self):
        status, out, _ = self.sh('eval "$(cmdmox session start)"; cmdmox gc; cmdmox stub --exit 7 git; git')
        self.assertEqual(status, 7)
        self.assertIn(b"left, its session lives: ", out)


if __name__ == "__main__":
    unittest.main()
