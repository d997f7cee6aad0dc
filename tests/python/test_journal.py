"""The journal: every field of a call, whose calls there are, and how many are kept."""

import os
import pty
import subprocess

import pytest

from cmdmox import CmdMox, VerificationError


def test_every_field_of_a_call(run, tmp_path):
    with CmdMox() as mox:
        stub = mox.stub("git").capture_stdin().returns("out", "err", 3)
        mox.replay()
        run("git", "a", input="in", cwd=tmp_path, env={"PATH": os.environ["PATH"], "A": "1"})
        call = mox.journal[0]
        assert (call.id, call.command, call.argv, call.args) == (1, "git", ["git", "a"], ["a"])
        assert (call.command_bytes, call.cwd, call.cwd_bytes) == (b"git", str(tmp_path), os.fsencode(tmp_path))
        assert b"A=1" in call.environ_entries_bytes and call.environ["A"] == "1"
        assert not [entry for entry in call.environ_entries_bytes if entry.startswith(b"CMOX_")]
        assert (call.pid > 1, call.ppid, call.terminals) == (True, os.getpid(), ())
        assert (call.stdin, call.stdout, call.stderr, call.exit_code, call.signal) == ("in", "out", "err", 3, None)
        assert (call.stdin_capture.captured, call.stdin_capture.end, call.stdin_capture.length) == (True, "eof", 2)
        assert 0 < call.start_ns < call.end_ns
        assert (call.state, call.verdict, call.double_id) == ("completed", "accepted", stub.id)
        assert (call.stdout_written, call.stderr_written, call.broken_pipe) == (3, 3, False)
        assert (call.program, call.merged, call.timed_out, call.lingering, call.replaced) == ("", False, False, False, False)
        assert (call.injected_bytes, call.passthrough_failure) == ([], "")
        assert repr(call) == "<Invocation 1: git a>"


def test_calls_that_were_not_accepted(run):
    with CmdMox() as mox:
        mock = mox.mock("git").with_args("a")
        first, second = mox.mock("first"), mox.mock("second")
        mox.in_order(first, second)
        mox.replay()
        for command in (["git", "a"], ["git", "a"], ["git", "b"], ["second"]):
            run(*command)
        assert [call.verdict for call in mox.journal] == ["accepted", "excess", "unexpected", "out of order"]
        assert [call.double_id for call in mox.invocations("git")][0] == mock.id
        assert [call.args for call in mock.invocations] == [["a"]] and mock.call_count == 1
        assert (mox.call_count(), mox.call_count("git"), mox.call_count("none")) == (4, 3, 0)
        assert mox.journal[1].exit_code == 125 and not mox.journal[0].stdin_capture.captured
        with pytest.raises(VerificationError):
            mox.verify()
        assert len(mox.journal) == 4  # also afterwards


def test_more_calls_than_a_page(run):
    with CmdMox() as mox:
        spy = mox.spy("git")
        mox.replay()
        run("/bin/sh", "-c", "i=0; while [ $i -lt 150 ]; do git $i; i=$((i+1)); done")
        assert [call.args for call in spy.invocations] == [[str(number)] for number in range(150)]
        assert mox.dropped == 0


def test_a_bounded_journal(run):
    with CmdMox(max_journal_entries=2) as mox:
        spy = mox.spy("git")
        mox.replay()
        for number in range(5):
            run("git", str(number))
        assert [call.args for call in mox.journal] == [["3"], ["4"]]
        assert (mox.dropped, spy.call_count) == (3, 5)


def test_a_signal_a_terminal_and_a_stream_that_was_cut():
    with CmdMox() as mox:
        spy = mox.spy("git").capture_stdin(max_bytes=4, deadline=10).returns(signal="SIGTERM")
        mox.stub("tty")
        mox.replay()
        subprocess.run(["git"], input=b"123456", check=False, timeout=60)
        call = spy.invocations[0]
        assert (call.exit_code, call.signal) == (None, "SIGTERM")
        assert (call.stdin, call.stdin_capture.truncated, call.stdin_capture.end) == ("1234", True, "limit")
        master, slave = pty.openpty()
        subprocess.run(["tty"], stdin=slave, stdout=slave, check=True, timeout=60)
        os.close(master)
        os.close(slave)
        assert mox.invocations("tty")[0].terminals == (0, 1)


def test_a_drained_stdin(run):
    with CmdMox() as mox:
        mox.stub("git").drain_stdin()
        mox.replay()
        assert run("/bin/sh", "-c", "head -c 1000000 /dev/zero | git").status == 0
        stdin = mox.journal[0].stdin_capture
        assert (stdin.text, stdin.length, stdin.truncated, stdin.end) == ("", 1_000_000, True, "eof")


def test_a_real_command_that_could_not_be_run(run):
    with CmdMox() as mox:
        mox.mock("no-such-command-there").passthrough()
        mox.replay()
        assert run("no-such-command-there").status == 127
        call = mox.journal[0]
        assert call.passthrough_failure and call.program == ""
        report = mox.verify()
        assert report.passed and report.findings[0].kind == "COULD_NOT_RUN" and report.findings[0].advisory and report.text
