"""docs/shell.md: what it shows runs as it is written, and it has every verb of shell sessions."""

import os
import re
import shutil
import subprocess
import unittest

from shells import SHELLS, Shell, reap
from support import DEADLINE, PROGRAM, ROOT

with open(os.path.join(ROOT, "docs", "shell.md"), encoding="utf-8") as page:
    TEXT = page.read()
SHOWN = dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", TEXT, re.S))


class Shown(Shell):
    def in_place(self, name, *command):
        """Runs what is shown, in a folder of its own."""
        folder = os.path.join(self.place, "work")
        os.mkdir(folder)
        script = os.path.join(folder, name)
        with open(script, "w", encoding="utf-8") as file:
            file.write(SHOWN[name])
        done = subprocess.run([*command, script], env=self.environment, cwd=folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        reap()
        shutil.rmtree(folder)
        return done

    def test_the_quick_start(self):
        self.assertLess(len(SHOWN["quick-start.sh"].splitlines()), 20)
        for shell in SHELLS:
            with self.subTest(shell[0]):
                done = self.in_place("quick-start.sh", *shell)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "passed\n", ""))

    def test_the_failure_that_is_shown(self):
        broken = SHOWN["quick-start.sh"].replace("git push origin \"", "git push upstream \"")
        status, _, err = self.sh(broken, cwd=self.place)
        os.unlink(os.path.join(self.place, "release.sh"))
        report = re.search(r"```text\n(.*?)\.\.\.\n```", TEXT, re.S)[1]
        self.assertEqual(status, 1)
        self.assertIn(report, err.decode())

    @unittest.skipUnless(shutil.which("bats"), "bats is not installed")
    def test_the_quick_start_of_bats(self):
        self.assertLess(len(SHOWN["quick-start.bats"].splitlines()), 20)
        done = self.in_place("quick-start.bats", "bats")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("ok 1 it asks for the tag", done.stdout)

    @unittest.skipUnless(shutil.which("bats"), "bats is not installed")
    def test_bats_fails_where_the_double_was_not_called(self):
        SHOWN["failing.bats"] = SHOWN["quick-start.bats"].replace("run git describe --tags", "output=v1.4.0")
        done = self.in_place("failing.bats", "bats")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"never called: mock git describe --tags \(\S+failing.bats:\d+\)")

    def test_every_verb(self):
        SHOWN["all.sh"] = 'set -e\neval "$(cmdmox session start)"\n' + SHOWN["verbs.sh"] + 'eval "$(cmdmox session end)"\n'
        for shell in SHELLS:
            with self.subTest(shell[0]):
                done = self.in_place("all.sh", *shell)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual(done.stderr, "no such tag\n")

    def test_the_page_has_every_verb_of_a_session(self):
        listed = subprocess.run([PROGRAM, "help"], capture_output=True, text=True, timeout=DEADLINE, check=True).stdout
        others = {"serve", "run", "trace", "isolate", "quote", "completion", "version", "help"}
        for verb in re.findall(r"^  (\S+(?: \S+)?)  ", listed, re.M):
            if verb not in others:
                self.assertIn(f"cmdmox {verb}", TEXT)


if __name__ == "__main__":
    unittest.main()
