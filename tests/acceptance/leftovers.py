"""What a test may not leave behind: open descriptors, processes, files. The same as tests/lib/leftovers.c.

A test case that derives from `Watched` fails when what is open at its end, after its clean-ups, is not what was open at
its start, when a process of it lives on or was not waited for, or when something is in `self.place`, its own directory.
A test that leaves something on purpose says `self.leaves("files", "why")`. A hang ends the program with a traceback.
"""

import ctypes
import faulthandler
import os
import shutil
import signal
import tempfile
import time
import unittest

LIMIT = 100  # seconds for one test, less than ctest gives the program
PATIENCE = 1  # seconds for processes that are about to end
_PR_SET_CHILD_SUBREAPER = 36
if hasattr(ctypes.CDLL(None), "prctl"):
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of a test become our children


def descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # that of the listing itself
            pass
    return found


def children():
    """Of this process: (pid, state, command line)."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                line = " ".join(file.read().rstrip("\0").split("\0"))
        except OSError:  # it has ended
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid():
            yield int(pid), state, line or name


def _patiently():
    end = time.monotonic() + PATIENCE
    while any(state != "Z" for _, state, _ in children()) and time.monotonic() < end:
        time.sleep(0.005)  # nothing tells of the end of a process that is not our child yet
    return list(children())


class Watched(unittest.TestCase):
    limit = LIMIT

    def run(self, result=None):
        self.begin()
        try:
            return super().run(result)
        finally:
            self.done()

    def begin(self):
        self._allowed = set()
        self.place = tempfile.mkdtemp(dir="/tmp", prefix="t-")
        os.chmod(self.place, 0o711)
        self._before = descriptors()
        self.addCleanup(self._look)  # the first to be added is the last to run
        faulthandler.dump_traceback_later(self.limit, exit=True)

    def done(self):
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(self.place)

    def leaves(self, what, why):
        """what: "descriptors", "processes" or "files"."""
        assert why, "a test says why it leaves something"
        self._allowed.add(what)

    def _look(self):
        found = []
        if "descriptors" not in self._allowed:
            now = descriptors()
            found += [f"leaves descriptor {fd} ({what})" for fd, what in now.items() if self._before.get(fd) != what]
            found += [f"closed descriptor {fd} ({what})" for fd, what in self._before.items() if now.get(fd) != what]
        if "processes" not in self._allowed:
            for pid, state, line in _patiently():
                found.append(f"{'did not wait for' if state == 'Z' else 'leaves'} process {pid} ({line})")
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        if "files" not in self._allowed:
            found += [f"leaves {self.place}/{name}" for name in os.listdir(self.place)]
        if found:
            raise AssertionError("the test " + "; ".join(found))
