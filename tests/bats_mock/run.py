#!/usr/bin/env python3
"""What bats-mock.bash and bats-mock-jasonkarns.bash do, by suites of bats.

    run.py Differential | Buildkite | Better | Failures | Adverse | Docs

jasonkarns/*.bats run with the bats-mock that npm has installed (BATS_MOCK_NPM) and with ours: what each test saw, and which failed, is
the same. buildkite/*.bats assert what they see, and pass with the original, too. failures/*.bats write down what unstub says; the
golden text stands beside each.
"""
import os
import pathlib
import re
import shutil
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
        os.mkfifo(run / "stubbed")
        os.mkfifo(run / "seen")
        saw.touch()
        # The original puts stubs below TMPDIR, and into /bin where bats has not said where that is.
        env = {**os.environ, "PATH": os.path.join(BUILD, "bin") + os.pathsep + os.environ["PATH"], "CMOX_TMPDIR": str(self.sessions),
               "TMPDIR": str(run), "MOCK": str(mock), "SAW": str(saw), "HOME": str(self.place), **variables}
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


SAME_PROGRAM = """
load "$MOCK"
""" + "".join(f"""
@test "call {n}" {{
  stub tool "{n} : echo {n}"
  [ "$(tool {n})" = {n} ]
  unstub tool
}}
""" for n in range(12))

# By pipes: each waits until the other has come so far.
SEEN = """
load "$MOCK"
@test "stubs" {
  stub tool "echo one"
  echo >"$TMPDIR/stubbed"
  read -r _ <"$TMPDIR/seen"
  [ "$(tool)" = one ]
  unstub tool
}
@test "does not see it" {
  read -r _ <"$TMPDIR/stubbed"
  found=$(command -v tool) || :
  echo >"$TMPDIR/seen"
  [ -z "$found" ]
}
"""


class Adverse(Suite):
    def suite(self, text):
        path = self.place / "suite.bats"
        path.write_text(text)
        return path

    def test_tests_that_run_at_once_do_not_meet(self):
        if not shutil.which("parallel"):
            self.skipTest("bats --jobs needs GNU parallel")
        for mock in (BUILDKITE, JASONKARNS):
            with self.subTest(mock=mock.name):
                self.assertEqual(len(self.passes(self.suite(SAME_PROGRAM), mock, "--jobs", "4")), 12)
                self.passes(self.suite(SEEN), mock, "--jobs", "2")
        self.nothing_is_left()

    def test_without_the_program(self):
        suite = self.suite('load "$MOCK"\n@test "x" { stub tool; }\n')
        _, _, said = self.bats(suite, BUILDKITE, CMDMOX_PROGRAM="/nonexistent/cmdmox")
        self.assertIn("there is no program /nonexistent/cmdmox", said)
        self.assertNotIn("\nok 1", said)

    def test_an_installed_one_finds_its_program(self):
        library = self.place / "prefix/lib/bats/cmdmox"
        shutil.copytree(LIBRARY, library)
        (self.place / "prefix/bin").mkdir()
        (self.place / "prefix/bin/cmdmox").symlink_to(os.path.join(BUILD, "bin/cmdmox"))
        self.passes(self.suite(SAME_PROGRAM), library / "bats-mock", PATH=os.environ["PATH"])

    def test_by_the_name_of_the_library(self):
        library = self.place / "lib"
        library.mkdir()
        (library / "cmdmox").symlink_to(LIBRARY)
        text = SAME_PROGRAM.replace('load "$MOCK"', "bats_load_library cmdmox/bats-mock.bash")
        self.passes(self.suite(text), "", BATS_LIB_PATH=str(library))

    def test_outside_of_bats_nobody_else_s_files_are_used(self):
        """What begins with a name that can be guessed may be another user's."""
        script = (f'for n in words globs; do printf "%s\\n" unix:/x#1 {self.place} {self.place}/evil >"$BATS_TMPDIR/cmdmox-mock.$$.$n"; done\n'
                  f'. {BUILDKITE}.bash; stub foo "a : echo fine"; foo a; unstub foo; ls -ld "${{FOO_STUB_PLAN%/*}}"\n')
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False,
                              env={"PATH": os.environ["PATH"], "CMDMOX_PROGRAM": os.path.join(BUILD, "bin/cmdmox"), "BATS_TMPDIR": str(self.place),
                                   "CMOX_TMPDIR": str(self.place)})
        self.assertRegex(done.stdout, r"^fine\ndrwx------", done)

    def test_a_dead_session_is_no_passed_test(self):
        killed = """
load "$MOCK"
@test "calls" {
  stub tool "echo mocked"
  read -r session <"$BATS_RUN_TMPDIR"/cmdmox-mock.words
  address=${session#unix:}
  pid=$(fuser "${address%/priv/*}/lock" 2>/dev/null)
  kill -9 $pid
  run tool
  [ "$status" -eq 125 ]
  unstub tool
}
"""
        if not shutil.which("fuser"):
            self.skipTest("there is no fuser")
        results, _, said = self.bats(self.suite(killed), BUILDKITE)
        self.assertEqual(results, ["not ok 1 calls"], said)
        self.assertIn("no call came for plan line 1", said)


class Docs(Suite):
    def test_the_suite_of_the_guide(self):
        """Before and after: the same suite, with one line changed."""
        guide = (SOURCE / "docs/migrate/from-bats-mock.md").read_text()
        suite, = re.findall(r"<!-- suite\.bats -->\n```bash\n(.*?)```", guide, re.S)
        self.assertIn("bats_load_library cmdmox/bats-mock.bash", suite)
        library = self.place / "lib"
        library.mkdir()
        (library / "cmdmox").symlink_to(LIBRARY)
        path = self.place / "suite.bats"
        path.write_text(suite)
        self.passes(path, "", BATS_LIB_PATH=str(library))

    def test_the_report_of_the_guide(self):
        guide = (SOURCE / "docs/migrate/from-bats-mock.md").read_text()
        report, = re.findall(r"```text\n(unstub git: .*?)```", guide, re.S)
        path = self.place / "suite.bats"
        path.write_text('load "$MOCK"\n@test "x" {\n  stub git "fetch : true" "push origin main : echo pushed" "tag v1 : true"\n'
                        '  git fetch; git push upstream main || true\n  unstub git\n}\n')
        _, _, said = self.bats(path, BUILDKITE)
        self.assertIn("".join("# " + line + "\n" if line else "#\n" for line in report.splitlines()), said)


if __name__ == "__main__":
    unittest.main()
