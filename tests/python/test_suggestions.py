"""The line that a report suggests is Python, and accepts the call when it is pasted."""

import os

import pytest

import cmdmox
from cmdmox import CmdMox, VerificationError

ARGS = [["plain"], [b"\xff\xfe", b"\xc3\x28b"], ["caf\u00e9", "\u0085", "\x01\x7f1"], ["new\nline\t\"quoted\" \\ $HOME '"], [""], [],
        ["a\\x41", "\\udcff"], ["--password", "hunter2"]]


def suggestion(run, declare, *argv, **options):
    """What is suggested for a call that nobody expects."""
    with CmdMox() as mox:
        declare(mox)
        mox.replay()
        run(*argv, **options)
        with pytest.raises(VerificationError) as caught:
            mox.verify()
    found = next(each for each in caught.value.findings if each.kind == "UNEXPECTED_CALL")
    assert found.suggestion in str(caught.value)
    return found.suggestion


def accepts(run, line, *argv, **options):
    with CmdMox() as mox:
        eval(line, {**vars(cmdmox), "mox": mox})  # pylint: disable=eval-used
        mox.replay()
        assert run(*argv, **options).status == 0, line
        assert mox.verify().passed


@pytest.mark.parametrize("args", ARGS, ids=[str(number) for number in range(len(ARGS))])
def test_any_arguments(run, args):
    line = suggestion(run, lambda mox: mox.register_command("git"), "git", *args)
    accepts(run, line, "git", *args)
    assert "hunter2" not in line


def test_stdin(run):
    line = suggestion(run, lambda mox: mox.mock("make").with_stdin("x"), "make", input="\udcff\n")
    assert line == r'mox.mock("make").with_args().with_stdin("\udcff\n")'
    accepts(run, line, "make", input="\udcff\n")


def test_variables_and_the_working_directory(tmp_path, run):
    odd = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(odd)

    def called(say):
        with CmdMox(verify_on_exit=False) as mox:
            say(mox)
            mox.replay()
            status = run("make", "all", cwd=odd, env={**os.environ, "LEVEL": "\udcfe"}).status
            return status, mox.report()

    status, report = called(lambda mox: mox.stub("make").with_cwd("/").with_env({"LEVEL": "1"}))
    line = report.findings[0].suggestion
    assert status == 125 and line == rf'mox.mock("make").with_args("all").with_env({{"LEVEL": "\udcfe"}}).with_cwd("{tmp_path}/\udcff")'
    status, report = called(lambda mox: eval(line, {"mox": mox}))  # pylint: disable=eval-used
    assert status == 0 and report.passed


def test_how_often(run):
    with CmdMox() as mox:
        mox.mock("git")
        mox.replay()
        run("git")
        run("git")
        with pytest.raises(VerificationError) as caught:
            mox.verify()
    assert caught.value.findings[0].suggestion == ".times(2)"
