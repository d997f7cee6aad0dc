#!/usr/bin/env python3
"""What bats-mock.bash and bats-mock-jasonkarns.bash do, by suites of bats.

    run.py Differential | Buildkite | Better | Failures | Adverse

jasonkarns/*.bats run with the bats-mock that npm has installed (BATS_MOCK_NPM) and with ours: what each test saw, and which failed, is
the same. buildkite/*.bats assert what they see, and pass with the original, too. failures/*.bats write down what unstub says; the
golden text stands beside each.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
BUILD = os.environ["CMDMOX_BUILD"]
LIBRARY = pathlib.Path(os.environ.get("CMDMOX_BATS_LIBRARY", SOURCE / "client/shell/bats"))
BUILDKITE, JASONKARNS = LIBRARY / "bats-mock", LIBRARY / "bats-mock-jasonkarns"
HANG = 240


class Suite(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cmx")
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name).resolve()
        self.sessions = self.place / "sessions"
        self.sessions.mkdir()

    def bats(self, suite, mock, *options, **variables):
        """The names of the tests that passed and failed, what they saw, and all that bats said."""
        run = pathlib.Path(tempfile.mkdtemp(dir=self.place))
        saw = run / "saw.txt"
        saw.touch()
        # The original puts stubs below TMPDIR, and into /bin where bats has not said where that is.
        env = {**os.environ, "PATH": os.path.join(BUILD, "bin") + os.pathsep + os.environ["PATH"], "CMOX_TMPDIR": str(self.sessions),
               "TMPDIR": str(run), "MOCK": str(mock), "SAW": str(saw), "HOME": "/nonexistent", **variables}
        done = subprocess.run(["bats", "--tap", *options, str(suite)], cwd=run, env=env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG, check=False)
        results = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "not ok "))]
        self.assertTrue(results, done.stdout)
        return results, saw.read_text(), done.stdout

    def passes(self, suite, mock, *options, **variables):
        results, _, said = self.bats(suite, mock, *options, **variables)
        self.assertEqual([line for line in results if line.startswith("not ok")], [], said)
        return results

    def nothing_is_left(self):
        """The process of the sessions goes when bats has gone: that is soon, not at once."""
        until = time.monotonic() + HANG
        while os.listdir(self.sessions) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(os.listdir(self.sessions), [])


class Differential(Suite):
    def test_the_same_as_the_original(self):
        original = pathlib.Path(os.environ["BATS_MOCK_NPM"]) / "stub"
        for suite in sorted((HERE / "jasonkarns").glob("*.bats")):
            with self.subTest(suite=suite.name):
                expected, actual = self.bats(suite, original), self.bats(suite, JASONKARNS)
                self.assertEqual(expected[0], actual[0], actual[2])
                self.assertEqual(expected[1].splitlines(), actual[1].splitlines())
                self.assertGreater(len(expected[1].splitlines()), 3)
        self.nothing_is_left()


class Buildkite(Suite):
    def test_as_the_original(self):
        mock = os.environ.get("BATS_MOCK_ORIGINAL", BUILDKITE)
        for suite in sorted((HERE / "buildkite").glob("*.bats")):
            with self.subTest(suite=suite.name):
                self.passes(suite, mock)
        self.nothing_is_left()


class Better(Suite):
    def test_what_the_originals_cannot(self):
        for mock in (BUILDKITE, JASONKARNS):
            with self.subTest(mock=mock.name):
                self.passes(HERE / "better" / "better.bats", mock)
        self.nothing_is_left()


class Failures(Suite):
    def test_what_unstub_says(self):
        for suite in sorted((HERE / "failures").glob("*.bats")):
            with self.subTest(suite=suite.name):
                golden = suite.with_suffix(".txt")
                _, said, output = self.bats(suite, JASONKARNS if "jasonkarns" in suite.name else BUILDKITE)
                if os.environ.get("CMDMOX_GOLDEN"):
                    golden.write_text(said)
                self.assertEqual(golden.read_text(), said, output)


if __name__ == "__main__":
    unittest.main()
