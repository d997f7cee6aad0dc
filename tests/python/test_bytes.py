"""Bytes are exact: what a command is given and writes arrives in handlers, predicates and the journal as it was (P17)."""

import os
import subprocess

from raw import exec_raw

from cmdmox import Any, CmdMox, Rest

ODD = [b"new\nline", b"\xff\xfe", b"\xc3\x28", b"", b" ", b"caf\xc3\xa9", b"$'\"\\"]


def test_arguments(run):
    with CmdMox() as mox:
        handled = []
        spy = mox.spy("cmd").runs(lambda call: handled.append((call.args, call.args_bytes)))
        mox.replay()
        assert run("cmd", *ODD).status == 0
        call = spy.invocations[0]
        assert call.args_bytes == ODD
        assert [os.fsencode(arg) for arg in call.args] == ODD
        assert handled == [(call.args, ODD)]
        assert call.argv_bytes == [b"cmd", *ODD]


def test_each_odd_argument_is_matched_by_itself(run):
    with CmdMox() as mox:
        for number, odd in enumerate(ODD):
            mox.stub("cmd").with_args(odd).returns(str(number))
            mox.stub("text").with_args(os.fsdecode(odd)).returns(str(number))
        mox.replay()
        assert [run("cmd", odd).out for odd in ODD] == [str(number) for number in range(len(ODD))]
        assert [run("text", odd).out for odd in ODD] == [str(number) for number in range(len(ODD))]


def test_no_arguments_at_all(run):
    with CmdMox() as mox:
        spy = mox.spy("cmd")
        mox.replay()
        path = os.fsencode(os.path.join(mox.shim_directory, "cmd"))
        assert exec_raw(path, [], [b"A=1"]) == 0
        call = spy.invocations[0]
        assert (call.command, call.args) == ("cmd", [])
        assert call.argv_bytes in ([], [b""])  # Linux puts one there


def test_an_environment_with_duplicates_and_without_names():
    entries = [b"A=1", b"A=2", b"nothing", b"=x", b"B=\xff\n", b"C="]
    with CmdMox() as mox:
        handled = []
        spy = mox.spy("cmd").runs(lambda call: handled.append(call.environ_entries_bytes))
        mox.replay()
        assert exec_raw(os.fsencode(os.path.join(mox.shim_directory, "cmd")), [b"cmd"], entries) == 0
        call = spy.invocations[0]
        assert call.environ_entries_bytes == entries
        assert handled == [entries]
        assert call.environ == {"A": "1", "": "x", "B": "\udcff\n", "C": ""}
        assert call.environ_bytes[b"B"] == b"\xff\n" and call.env == call.environ


def test_long_arguments(run):
    longest = "x" * 131_071
    with CmdMox() as mox:
        seen = []
        spy = mox.spy("cmd").with_matching_args(lambda value: seen.append(len(value)) or True, Rest(Any()))
        mox.replay()
        assert run("cmd", longest, env={"PATH": os.environ["PATH"]}).status == 0
        many = ["y" * 65_000] * 30  # with 2 MiB of room for all: the limit of the system
        assert run("cmd", *many, env={"PATH": os.environ["PATH"]}).status == 0
        assert [call.args for call in spy.invocations] == [[longest], many]
        assert seen == [131_071, 65_000]


def test_streams(run):
    with CmdMox() as mox:
        handled = []
        spy = mox.spy("cmd").capture_stdin().runs(lambda call: handled.append((call.stdin, call.stdin_bytes)) or call.stdin_bytes)
        mox.replay()
        data = bytes(range(256)) + b"\0\0\r\n"
        done = subprocess.run(["cmd"], input=data, capture_output=True, timeout=60, check=True)
        assert done.stdout == data
        call = spy.invocations[0]
        assert (call.stdin_bytes, call.stdout_bytes, call.stderr_bytes) == (data, data, b"")
        assert handled == [(os.fsdecode(data), data)] and call.stdin == os.fsdecode(data)


def test_a_stdin_of_many_mebibytes(run):
    """Longer than one message of the protocol, and than what stays in memory."""
    data = os.urandom(1 << 20) * 20
    with CmdMox() as mox:
        lengths = []
        spy = mox.spy("cmd").capture_stdin(max_bytes=32 << 20, deadline=60).runs(lambda call: lengths.append(call.stdin_bytes == data))
        mox.replay()
        subprocess.run(["cmd"], input=data, timeout=60, check=True)
        assert lengths == [True]
        stdin = spy.invocations[0].stdin_capture
        assert stdin.bytes == data and stdin.length == len(data) and not stdin.truncated and stdin.end == "eof" and stdin.digest == b""


def test_a_working_directory_with_odd_bytes(run, tmp_path):
    odd = os.fsencode(tmp_path) + b"/\xff \n"
    os.mkdir(odd)
    with CmdMox() as mox:
        spy = mox.spy("cmd").with_cwd(odd)
        mox.replay()
        assert run("cmd", cwd=odd).status == 0
        call = spy.invocations[0]
        assert call.cwd_bytes == odd and os.fsencode(call.cwd) == odd
