"""An interrupt, or a server that is stopped, costs the session that meets it, and none of those that come after it."""

import linecache
import os
import signal
import sys
import time

import pytest

from cmdmox import CmdMox, ServerError
from cmdmox import _server

DEADLINE = 60


class At:
    """Raises KeyboardInterrupt before the n-th line that replay() and what it calls to change the environment execute."""

    def __init__(self, n):
        self.left = n

    def __call__(self, frame, event, arg):
        if frame.f_code.co_name not in ("replay", "apply") or "cmdmox" not in frame.f_code.co_filename:
            return None
        return self.line

    def line(self, frame, event, arg):
        # Between a `with` and its end Python does not look for signals, as a tracer does.
        if event == "line" and not linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.line


def test_an_interrupt_before_any_line_of_replay_leaves_the_environment_free(run):
    before = os.environ["PATH"]
    n = 0
    interrupted = True
    while interrupted:
        n += 1
        with CmdMox() as mox:
            mox.stub("git")
            interrupted = False
            sys.settrace(At(n))
            try:
                mox.replay()
            except KeyboardInterrupt:
                interrupted = True
            finally:
                sys.settrace(None)
            if interrupted:
                mox.verify_on_exit = False
                assert os.environ["PATH"] == before
        assert os.environ["PATH"] == before
        with CmdMox() as after:
            after.mock("git").returns("x")
            after.replay()
            assert run("git").out == "x"
    assert n > 15


def test_a_server_that_is_stopped_is_replaced(run, monkeypatch):
    monkeypatch.setenv("CMOX_IPC_TIMEOUT", "2")  # a server of its own, with this patience
    stopped = CmdMox(environment="none")
    process = stopped.server.process
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(ServerError) as caught:
        stopped.mock("git")
    assert caught.value.reason == "DEADLINE_EXCEEDED"
    with CmdMox() as mox:
        mox.mock("git").returns("x")
        mox.replay()
        assert run("git").out == "x"
        assert mox.server is not stopped.server and process.returncode == -signal.SIGKILL
    stopped.close()
    _server.end_all()


def test_a_server_that_goes_on_is_not_replaced(monkeypatch):
    monkeypatch.setenv("CMOX_IPC_TIMEOUT", "2")
    slow = CmdMox(environment="none")
    process = slow.server.process
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(ServerError):
        slow.mock("git")
    os.kill(process.pid, signal.SIGCONT)
    end = time.monotonic() + DEADLINE
    while slow.server.link.silent:  # the answer comes now, and nobody waits for it
        assert time.monotonic() < end
        os.sched_yield()
    with CmdMox(environment="none") as mox:
        assert mox.server is slow.server
    slow.close()
    _server.end_all()
