"""Tests that behave badly; test_must_fail.c runs each of them and looks at how it fails."""

import faulthandler
import os
import resource
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "acceptance"))

from leftovers import Watched  # noqa: E402  pylint: disable=wrong-import-position


class Bad(Watched):
    def test_leaks_a_descriptor(self):
        os.open("/dev/zero", os.O_RDONLY)

    def test_closes_a_descriptor(self):
        os.close(0)

    def test_leaves_a_process(self):
        os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "64")

    def test_leaves_a_daemon(self):
        subprocess.run(["sh", "-c", "setsid sleep 65 & exit 0"], stdin=subprocess.DEVNULL, check=True)

    def test_does_not_wait(self):
        os.spawnlp(os.P_NOWAIT, "true", "true")

    def test_leaves_a_file(self):
        with open(os.path.join(self.place, "forgotten"), "w", encoding="utf-8"):
            pass

    def test_leaves_a_file_on_purpose(self):
        self.leaves("files", "to see that this passes")
        self.test_leaves_a_file()

    def test_crashes(self):
        os.abort()

    def test_is_good(self):
        subprocess.run(["true"], check=True)


class Hanging(Watched):
    limit = 0.3

    def test_hangs(self):
        signal.pause()


# The abort is on purpose: no core of it.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
faulthandler.enable()

if __name__ == "__main__":
    unittest.main()
