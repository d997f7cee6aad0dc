"""Sessions of shells: `eval "$(cmdmox session start)"`, the verbs, and the end."""

import os
import signal
import subprocess
import unittest

from shells import SHELLS, Shell, reap
from support import DEADLINE, until

START = 'eval "$(cmdmox session start)"\n'
END = 'eval "$(cmdmox session end)"\n'


class Whole(Shell):
    def test_a_test_that_passes(self):
        self.in_each_shell("set -e\n" + START + """
            cmdmox mock --out 'v1.4.0\n' git describe --tags
            git describe --tags
            cmdmox verify
            """ + END + 'printf "%s\n" "$?" "${CMOX_SESSION-none}" "$PATH"',
            (0, b"v1.4.0\n0\nnone\n" + self.environment["PATH"].encode() + b"\n", b""))

    def test_a_test_that_fails(self):
        for shell in SHELLS:
            with self.subTest(shell[0]):
                status, out, err = self.sh(START + "cmdmox mock git push\ngit pull\necho $?\ncmdmox verify", shell=shell)
                self.assertEqual((status, out), (1, b"125\n"))
                self.assertIn(b"verification failed: 2 problems", err)
                self.assertIn(b"cmdmox mock git pull\n", err)

    def test_the_end_verifies_what_nobody_has(self):
        for shell in SHELLS:
            with self.subTest(shell[0]):
                status, out, err = self.sh("set -e\n" + START + "cmdmox mock git\n" + END + "echo not reached", shell=shell)
                self.assertEqual((status, out), (1, b""))
                self.assertIn(b"never called: mock git", err)

    def test_what_was_verified_is_not_told_again(self):
        status, _, err = self.sh(START + "cmdmox mock git\ncmdmox verify 2>/dev/null\n" + END)
        self.assertEqual((status, err), (0, b""))

    def test_calls_after_a_verification_are_judged_at_the_end(self):
        status, _, err = self.sh(START + "cmdmox mock git push\ngit push\ncmdmox verify\ngit pull 2>/dev/null\n" + END)
        self.assertEqual(status, 1)
        self.assertIn(b"unexpected call: git pull", err)

    def test_what_was_verified_is_told_again_where_that_is_asked(self):
        again = 'eval "$(cmdmox session end --again)"\n'
        status, _, err = self.sh(START + "cmdmox mock git\ncmdmox verify 2>/dev/null\n" + again)
        self.assertEqual((status, err.count(b"never called: mock git")), (1, 1))
        status, out, err = self.sh(START + "cmdmox mock git\ngit\ncmdmox verify\n" + again + 'echo "$? ${CMOX_SESSION-none}"')
        self.assertEqual((status, out, err), (0, b"0 none\n", b""))

    def test_nothing_is_left_when_the_end_returns(self):
        self.in_each_shell(START + "cmdmox stub git\ngit" + "\n" + END + 'ls -A "$CMOX_TMPDIR"', (0, b"", b""))

    def test_a_plain_end_ends_it_too(self):
        status, out, err = self.sh(START + "cmdmox stub uname\ncmdmox session end >/dev/null\n"
                                   "cmdmox calls 2>/dev/null; echo $?; uname 2>/dev/null; echo $?")
        self.assertEqual((status, out), (0, b"4\n125\n"))
        self.assertIn(b"this shell still has the shims on its PATH, and they refuse from here on", err)


class Ends(Shell):
    def test_with_the_shell(self):
        self.in_each_shell(START + "cmdmox stub git\nexit 3", (3, b"", b""))

    def test_with_a_shell_that_is_killed(self):
        for shell in SHELLS:
            with self.subTest(shell[0]):
                child = self.start(START + 'echo ready; read line; :', shell=shell, stdin=subprocess.PIPE)
                self.assertEqual(child.stdout.readline(), b"ready\n")
                child.kill()
                child.wait(DEADLINE)
                reap()
                for stream in (child.stdin, child.stdout, child.stderr):
                    stream.close()

    def test_not_with_a_subshell(self):
        self.in_each_shell("( " + START + "cmdmox stub --out x git; cmdmox env ) >" + self.place + "/e\n. "
                           + self.place + "/e\nrm " + self.place + "/e\ngit; cmdmox calls git\n" + END, (0, b"x\n1\n", b""))


if __name__ == "__main__":
    unittest.main()
