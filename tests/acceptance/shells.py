"""What the tests of shell sessions share: scripts run by every shell there is, and waited for until nothing of them lives."""

import os
import shutil
import subprocess

from leftovers import Watched
from support import DEADLINE, PROGRAM, SHIM

SHELLS = [words for words in (["dash"], ["bash"], ["busybox", "sh"], ["zsh"]) if shutil.which(words[0])]


class Shell(Watched):
    """`self.sh(script)` runs a script; what it leaves on disk or alive fails the test."""

    def setUp(self):
        self.environment = {**os.environ, "CMOX_SHIM": SHIM, "CMOX_TMPDIR": self.place,
                            "PATH": os.path.dirname(PROGRAM) + ":/usr/local/bin:/usr/bin:/bin"}
        for name in ("CMOX_SESSION", "CMOX_IPC_SOCKET", "ENV"):
            self.environment.pop(name, None)

    def start(self, script, *arguments, shell=("dash",), **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([*shell, "-c", script, "script", *arguments], env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=options.pop("cwd", "/"), **options)

    def finish(self, child, input=None):
        out, err = child.communicate(input, timeout=DEADLINE)
        reap()
        return child.returncode, out, err

    def sh(self, script, *arguments, shell=("dash",), input=None, **options):
        """(status, stdout, stderr), when the script and its session are gone."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        return self.finish(self.start(script, *arguments, shell=shell, **options), input)

    def in_each_shell(self, script, expected, *arguments):
        for shell in SHELLS:
            with self.subTest(shell=shell[0]):
                self.assertEqual(self.sh(script, *arguments, shell=shell), expected)


def reap():
    """Waits for the orphans of a script, which are our children: they end by themselves, or the test hangs."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
