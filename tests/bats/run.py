#!/usr/bin/env python3
"""The library of bats as its users meet it.

    CMDMOX_BUILD=build/dev run.py [Suite | Cases ...]
    CMDMOX_BUILD=build/dev CMDMOX_UPDATE=1 run.py Cases      writes what bats says into cases/*.txt, to be read

suite/ has tests that pass. cases/ has tests that fail: what bats says of each file is beside it, without the names of temporary files.
BATS names another bats.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "acceptance"))

from shells import Shell, reap  # noqa: E402  pylint: disable=wrong-import-position
from support import DEADLINE, PROGRAM, ROOT, until  # noqa: E402  pylint: disable=wrong-import-position

BATS = os.environ.get("BATS", "bats")
LIBRARY = os.path.join(ROOT, "client", "shell", "bats")
CASES = os.path.join(HERE, "cases")
JOBS = ["--jobs", "4"] if shutil.which("parallel") else []
HAS_SUPPORT = os.path.exists("/usr/lib/bats/bats-support/load.bash")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


class Bats(Shell):
    def setUp(self):
        super().setUp()
        library = os.path.join(self.place, "lib")
        os.mkdir(library)
        os.symlink(LIBRARY, os.path.join(library, "cmdmox"))
        self.addCleanup(shutil.rmtree, library)
        self.work = os.path.join(self.place, "work")
        os.mkdir(self.work)
        self.addCleanup(shutil.rmtree, self.work)
        self.environment.update(CMDMOX_PROGRAM=PROGRAM, BATS_LIB_PATH=f"{library}:/usr/lib/bats", TMPDIR=self.work, PATH="/usr/local/bin:/usr/bin:/bin")
        for name in [name for name in self.environment if name.startswith("BATS_") and name != "BATS_LIB_PATH"]:
            del self.environment[name]

    def begin_bats(self, *words, **options):
        return subprocess.Popen([BATS, "--formatter", "tap", *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, **options)

    def bats(self, *words, cwd=HERE):
        """(status, what it says)"""
        child = self.begin_bats(*words, cwd=cwd)
        out, _ = child.communicate(timeout=DEADLINE * 3)
        reap()
        return child.returncode, out

    def write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("setup() { bats_load_library cmdmox; }\n" + text)
        return path


class Suite(Bats):
    def test_each_file_passes(self):
        status, out = self.bats(*JOBS, "suite")
        self.assertEqual((status, re.findall(r"^(?:not ok .*|# .*)$", out, re.M)), (0, []), out)
        self.assertGreater(len(re.findall("^ok ", out, re.M)), 30)


def shown(text):
    text = text.replace(HERE, "HERE").replace(LIBRARY, "LIBRARY")
    text = re.sub(r"/tmp/(t-\w+/)?cmdmox-\w+", "/SESSION", text)
    text = re.sub(r"/\S*/programs/(git|wget)\b", r"/usr/bin/\1", text)
    return re.sub(r"/\S*/bats-core/", "BATS/", text)


class Cases(Bats):
    def setUp(self):
        super().setUp()
        # What reports say of a command depends on whether it is installed.
        programs = os.path.join(self.work, "programs")
        os.mkdir(programs)
        for name in ("git", "wget"):
            os.symlink("/bin/true", os.path.join(programs, name))
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def check(self, name, *options, expected=None):
        _, out = self.bats(*options, f"{name}.bats", cwd=CASES)
        path = os.path.join(CASES, f"{expected or name}.txt")
        if os.environ.get("CMDMOX_UPDATE"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(shown(out))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(shown(out), file.read())

    def test_each_file(self):
        for name in sorted(entry[:-5] for entry in os.listdir(CASES) if entry.endswith(".bats")):
            with self.subTest(name):
                self.check(name)

    @unittest.skipUnless(JOBS, "parallel is not installed")
    def test_the_same_at_once(self):
        for name in ("verification", "teardowns"):
            with self.subTest(name):
                self.check(name, *JOBS)

    @unittest.skipUnless(HAS_SUPPORT, "bats-support is not installed")
    def test_the_same_by_bats_support(self):
        """Which calls cat, and that is mocked."""
        self.environment["CASE_SUPPORT"] = "1"
        self.check("assertions")


class Docs(Bats):
    """docs/bats.md and README.md: what is shown runs as it stands, and fails as it is shown."""

    PAGE = read("docs", "bats.md")

    def shown_file(self, name, change=lambda text: text):
        block = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", self.PAGE, re.S)[1]
        return self.run_block(name, change(block))

    def run_block(self, name, text):
        with open(os.path.join(self.work, name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.bats(name, cwd=self.work)

    def test_each_file_runs(self):
        names = re.findall(r"<!-- (\S+) -->\n```bash", self.PAGE)
        self.assertEqual(len(names), len(re.findall("^```bash", self.PAGE, re.M)))
        for name in names:
            with self.subTest(name):
                status, out = self.shown_file(name)
                self.assertEqual(status, 0, out)

    def test_the_quick_start_is_short(self):
        self.assertLess(len(re.search(r"<!-- quick-start.bats -->\n```bash\n(.*?)```", self.PAGE, re.S)[1].splitlines()), 20)

    def test_the_failure_that_is_shown(self):
        status, out = self.shown_file("quick-start.bats", lambda text: text.replace('push origin "v', 'push upstream "v'))
        self.assertEqual(status, 1)
        self.assertIn(re.search(r"```text\n(.*?)```", self.PAGE, re.S)[1], out)

    def test_the_readme(self):
        status, out = self.run_block("readme.bats", re.search(r"```bash\n(.*?)```", read("README.md"), re.S)[1])
        self.assertEqual((status, "ok 1 it pushes the tag" in out), (0, True), out)


class Ends(Bats):
    def test_outside_of_all_functions(self):
        path = self.write("outside.bats", "bats_load_library cmdmox\n[ -z \"${BATS_TEST_NAME-}\" ] || cmdmox_stub git\n@test x {\nfalse\n}\n")
        status, out = self.bats(path)
        self.assertNotEqual(status, 0)
        self.assertIn("cmdmox: cmdmox_stub stands outside of tests: a session belongs to one test; call it in the test, or in setup", out)

    def test_out_of_time(self):
        """The report is shown, and what the test still waits for is left to end."""
        path = self.write("slow.bats", "@test slow {\n  cmdmox_mock git\n  sleep 1000\n}\n")
        self.environment["BATS_TEST_TIMEOUT"] = "1"
        status, out = self.bats(path)
        self.assertEqual(status, 1)
        self.assertRegex(out, r"not ok 1 slow # timeout after 1s\n(?s:.*)`sleep 1000' failed due to timeout(?s:.*)never called: mock git \(\S*slow.bats:3\)")

    def test_interrupted(self):
        ready = os.path.join(self.work, "ready")
        path = self.write("waits.bats", f"""
@test waits {{
  cmdmox_mock git
  cmdmox_stub --gate never wait_here
  (until [ "$(cmdmox_calls wait_here)" -eq 1 ]; do :; done; : >'{ready}') 3>&- &
  wait_here
}}
""")
        child = self.begin_bats(path, start_new_session=True, cwd=HERE)
        until(lambda: os.path.exists(ready), "the test's begin")
        os.killpg(child.pid, signal.SIGINT)
        out, _ = child.communicate(timeout=DEADLINE)
        reap()
        self.assertNotEqual(child.returncode, 0, out)
        self.assertIn("not ok 1 waits", out)

    def test_a_test_that_is_killed(self):
        path = self.write("killed.bats", "@test killed {\n  cmdmox_mock git\n  kill -9 $$\n}\n")
        status, out = self.bats(path)
        self.assertNotEqual(status, 0, out)

    def test_tried_again(self):
        path = self.write("again.bats", "BATS_TEST_RETRIES=1\n@test again {\n  cmdmox_mock git\n  [ -e \"$BATS_FILE_TMPDIR/first\" ] && git\n"
                          "  : >\"$BATS_FILE_TMPDIR/first\"\n}\n")
        status, out = self.bats(path)
        self.assertEqual((status, "ok 1 again" in out), (0, True), out)

    def test_the_program_beside_the_library(self):
        """As they are installed: PREFIX/bin/cmdmox and PREFIX/lib/bats/cmdmox."""
        prefix = os.path.join(self.work, "a prefix")
        shutil.copytree(LIBRARY, os.path.join(prefix, "lib", "bats", "cmdmox"))
        os.mkdir(os.path.join(prefix, "bin"))
        os.symlink(PROGRAM, os.path.join(prefix, "bin", "cmdmox"))
        del self.environment["CMDMOX_PROGRAM"]
        self.environment["BATS_LIB_PATH"] = os.path.join(prefix, "lib", "bats")
        status, out = self.bats(self.write("it.bats", "@test it {\n  cmdmox_mock git push\n  git push\n}\n"))
        self.assertEqual(status, 0, out)


if __name__ == "__main__":
    if not shutil.which(BATS):
        print("bats is not installed")
        sys.exit(77)
    unittest.main()
