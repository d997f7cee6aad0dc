"""cmdmox.compat: what the documentation of the Python CmdMox says, each with a test."""

import collections
import enum
import os
import subprocess
import sys

import pytest

import cmdmox
from cmdmox import compat
from cmdmox.compat import (
    Any,
    CmdMox,
    Contains,
    IsA,
    LifecycleError,
    Phase,
    Predicate,
    Regex,
    Response,
    StartsWith,
    UnexpectedCommandError,
    UnfulfilledExpectationError,
    VerificationError,
)


@pytest.fixture
def mox():
    """In replay, and not verified by itself."""
    with CmdMox(verify_on_exit=False) as made:
        made.replay()
        yield made


# ---- Doubles -----------------------------------------------------------------------------------------------------------


def test_stubs_mocks_and_spies_answer_by_their_kind(mox, run):
    mox.stub("ls").returns(stdout="a\nb\n")
    mox.mock("git").with_args("clone", "repo").returns(exit_code=3)
    mox.spy("curl").returns(stderr="slow\n")
    assert run("ls", "-l") == (0, "a\nb\n", "")
    assert run("git", "clone", "repo").status == 3
    assert run("curl").err == "slow\n"
    mox.verify()


def test_the_same_name_is_the_same_double_and_another_kind_is_an_error(mox):
    git = mox.mock("git")
    assert mox.mock("git") is git
    for other in (mox.stub, mox.spy):
        with pytest.raises(ValueError, match="'git' already registered as mock; cannot register as"):
            other("git")
    ls, curl = mox.stub("ls"), mox.spy("curl")
    assert (mox.stubs, mox.mocks, mox.spies) == ({"ls": ls}, {"git": git}, {"curl": curl})
    assert (str(git.kind), git.name, git.is_expected, git.is_recording) == ("mock", "git", True, True)
    assert (ls.is_expected, ls.is_recording) == (False, False)
    assert repr(ls) == "CommandDouble(name='ls', kind='stub', response=Response(stdout='', stderr='', exit_code=0, env={}))"


def test_a_stub_checks_nothing(mox, run):
    mox.stub("ls").with_args("-l").with_stdin("x").times(7).returns("always")
    assert run("ls", "-a").out == "always"
    mox.verify()


def test_arguments_are_said_once(mox):
    git = mox.mock("git").with_args("fetch")
    with pytest.raises(compat.ExpectationConfigurationError, match="test_compat.py:.* has its arguments already"):
        mox.mock("git").with_matching_args(Any())
    assert git.matches(compat.Invocation("git", ["fetch"], "", {}))


@pytest.mark.parametrize("comparator, good, bad", [
    (Any(), "whatever", None), (IsA(int), "42", "x"), (IsA(float), " 1e3 ", "1,0"), (Regex(r"^--header=User-Agent:.*"), "--header=User-Agent: a", "x"),
    (Regex(r"\d\Z"), "a1", "1a"), (Contains("example"), "an.example.org", "exam"), (StartsWith("--flag="), "--flag=1", "-flag"),
    (Predicate(lambda v: v.endswith(".txt")), "a.txt", "a.md"), (str.isdigit, "12", "1x"), ("clone", "clone", "Clone")], ids=repr)
def test_comparators_judge_arguments(mox, run, comparator, good, bad):
    mox.spy("tool").with_matching_args("first", comparator).returns("taken")
    assert run("tool", "first", good).out == "taken"
    if callable(comparator):
        assert comparator(good) and (bad is None or not comparator(bad))
    if bad is not None:
        assert run("tool", "first", bad).status == 125
        with pytest.raises(UnexpectedCommandError):
            mox.verify()


def test_comparators_show_what_they_were_given():
    shown = [repr(each) for each in (Any(), IsA(int), Regex("^foo$"), Contains("bar"), StartsWith("bar"))]
    assert shown == ["Any()", "IsA(typ=<class 'int'>)", "Regex(pattern='^foo$')", "Contains(substring='bar')", "StartsWith(prefix='bar')"]
    assert repr(Predicate(len)) == "Predicate(func=<built-in function len>)"


def test_what_is_no_comparator_is_refused(mox):
    with pytest.raises(TypeError, match="7 is no comparator"):
        mox.mock("git").with_matching_args(7)
    with pytest.raises(TypeError, match="is for arguments"):
        mox.mock("git").with_stdin(cmdmox.Rest(cmdmox.Any()))


def test_one_comparator_for_each_argument(mox, run):
    mox.mock("git").with_matching_args("clone", Any())
    assert run("git", "clone").status == 125
    with pytest.raises(UnexpectedCommandError):
        mox.verify()


def test_stdin_is_a_text_or_what_a_function_accepts(mox, run):
    mox.mock("sort").with_stdin("c a b").returns("c b a")
    mox.spy("wc").with_stdin(lambda text: "\n" in text).returns("1")
    mox.spy("tac").with_stdin(Contains("x")).returns("2")
    assert run("sort", input="c a b").out == "c b a"
    assert run("wc", input="a\n").out == "1"
    assert run("tac", input="axb").out == "2"
    assert run("wc", input="a").status == 125


def test_a_pipeline_is_mocked_command_by_command(mox, run):
    mox.mock("grep").with_args("foo", "file.txt").returns(stdout="c a b")
    mox.mock("sort").with_args("-r").with_stdin("c a b").returns(stdout="c b a")
    assert run("/bin/sh", "-c", "grep foo file.txt | sort -r").out == "c b a"
    mox.verify()


def test_with_env_is_given_to_the_call_and_a_conflict_is_unexpected(mox, run):
    seen = []
    mox.spy("deploy").with_env({"STAGE": "test"}).runs(lambda call: (seen.append(call.env["STAGE"]) or "", "", 0))
    before = dict(os.environ)
    assert run("deploy").status == 0
    assert seen == ["test"] and dict(os.environ) == before
    assert mox.spies["deploy"].invocations[0].env["STAGE"] == "test"
    assert run("deploy", env={**os.environ, "STAGE": "live"}).status == 125
    with pytest.raises(UnexpectedCommandError):
        mox.verify()


# ---- Handlers ------------------------------------------------------------------------------------------------------------


def test_a_handler_returns_a_tuple_or_a_response(mox, run):
    def handler(call):
        assert isinstance(call, compat.Invocation) and call.argv == ["tool", *call.args]
        if "--fail" in call.argv:
            return ("", "boom", 2)
        return Response(stdout=f"{call.args[0]} {call.stdin}", exit_code=0)

    mox.spy("tool").runs(handler)
    assert run("tool", "--fail") == (2, "", "boom")
    assert run("tool", "run", input="in").out == "run in"
    mox.verify()


@pytest.mark.parametrize("result", ["text", None, ("a", "b"), (b"a", "b", 0)], ids=repr)
def test_a_handler_that_returns_something_else_fails_the_call(mox, run, result):
    mox.spy("tool").runs(lambda call: result)
    assert run("tool").status == 125
    with pytest.raises(VerificationError, match="TypeError: the handler returned") as caught:
        mox.verify()
    assert "lambda at" in str(caught.value) and "test_compat.py" in str(caught.value)


def test_a_handler_is_a_function(mox):
    with pytest.raises(TypeError, match="give a function"):
        mox.spy("tool").runs("echo")


# ---- Counts and orders ------------------------------------------------------------------------------------------------


def test_a_mock_is_called_so_often_as_it_says(mox, run):
    mox.mock("git").times(2)
    run("git")
    with pytest.raises(UnfulfilledExpectationError, match="expected exactly 2 calls"):
        mox.verify()
    assert mox.phase is Phase.VERIFY


def test_a_call_too_many_is_unexpected(mox, run):
    mox.mock("git")
    run("git")
    assert run("git").status == 125
    with pytest.raises(UnexpectedCommandError):
        mox.verify()


@pytest.mark.parametrize("calls, error", [(1, UnfulfilledExpectationError), (2, None), (3, UnexpectedCommandError)])
def test_a_spy_may_say_how_often(mox, run, calls, error):
    mox.spy("curl").times_called(2)
    for _ in range(calls):
        assert run("curl").status == 0
    if error is None:
        mox.verify()
        return
    with pytest.raises(error, match=f"spy curl .*expected exactly 2 calls, actual {calls}"):
        mox.verify()


def test_mocks_in_order(mox, run):
    mox.mock("first").in_order()
    mox.mock("second").in_order()
    mox.mock("any").in_order().any_order()
    run("second")
    with pytest.raises(UnexpectedCommandError, match="second"):
        mox.verify()


def test_mocks_that_say_nothing_are_called_in_any_order(mox, run):
    mox.mock("first")
    mox.mock("second")
    run("second")
    run("first")
    mox.verify()


# ---- Spies -----------------------------------------------------------------------------------------------------------------


def test_spies_keep_their_calls(mox, run):
    spy = mox.spy("curl").returns(stdout="ok", stderr="warned", exit_code=4)
    run("curl", "--silent", "é", input="payload")
    (call,) = spy.invocations
    assert spy.call_count == 1
    assert (call.command, call.args, call.stdin, call.stdout, call.stderr, call.exit_code) == (
        "curl", ["--silent", "é"], "payload", "ok", "warned", 4)
    assert call.env["HOME"] == os.environ["HOME"] and not any(name.startswith("CMOX_") for name in call.env)
    assert {**call.to_dict(), "env": {}} == {
        "command": "curl", "args": ["--silent", "é"], "stdin": "payload", "env": {}, "stdout": "ok", "stderr": "warned", "exit_code": 4,
        "invocation_id": "1"}


def test_an_invocation_shows_no_secrets():
    word = "hunter" + "2"
    shown = repr(compat.Invocation("a", ["b"], "x" * 300, {"API_TOKEN": word, "PATH": "/bin", "PASS": word}))
    assert word not in shown and "/bin" in shown and "x" * 300 not in shown and shown.count("<redacted>") == 2


def test_assertions_of_spies(mox, run):
    spy = mox.spy("curl")
    spy.assert_not_called()
    for missing in (spy.assert_called, spy.assert_called_with):
        with pytest.raises(AssertionError, match="never called"):
            missing()
    run("curl", "--silent", input="payload")
    spy.assert_called()
    spy.assert_called_with("--silent")
    spy.assert_called_with("--silent", stdin="payload", env=spy.invocations[0].env)
    for wrong in (lambda: spy.assert_called_with("--loud"), lambda: spy.assert_called_with("--silent", stdin="x"),
                  lambda: spy.assert_called_with("--silent", env={}), spy.assert_not_called):
        with pytest.raises(AssertionError):
            wrong()
    with pytest.raises(AssertionError, match="only valid for spies"):
        mox.mock("git").assert_called()


def test_passthrough_is_for_spies_and_runs_the_real_command(mox, run):
    spy = mox.spy("basename").passthrough()
    assert run("basename", "/a/b").out == "b\n"
    assert (spy.passthrough_mode, spy.invocations[0].stdout, spy.invocations[0].exit_code) == (True, "b\n", 0)
    for other in (mox.mock("git"), mox.stub("ls")):
        with pytest.raises(ValueError, match="only valid for spies"):
            other.passthrough()


def test_a_real_command_is_named_by_a_variable(mox, run, tmp_path, monkeypatch):
    real = tmp_path / "real"
    real.write_text("#!/bin/sh\necho other\n")
    real.chmod(0o755)
    monkeypatch.setenv("CMOX_REAL_COMMAND_BASENAME", str(real))
    mox.spy("basename").passthrough()
    assert run("basename", "/a/b").out == "other\n"


def test_fixtures_are_not_there_yet(mox):
    for function in (mox.spy("git").record, mox.spy("git").replay):
        with pytest.raises(NotImplementedError, match="no fixtures yet"):
            function("fixtures/git.json")


# ---- Lifecycle and journal ------------------------------------------------------------------------------------------------


def test_the_phases_follow_each_other():
    mox = CmdMox()
    assert mox.phase is Phase.RECORD and mox.phase == "RECORD" and issubclass(Phase, enum.Enum)
    with pytest.raises(LifecycleError, match="not in 'replay' phase"):
        mox.verify()
    with pytest.raises(LifecycleError, match="without entering context"):
        mox.replay()
    with mox:
        mox.replay()
        mox.replay()
        assert mox.phase is Phase.REPLAY
        mox.verify()
        assert mox.phase is Phase.VERIFY
        for again in (mox.verify, mox.replay):
            with pytest.raises(LifecycleError, match="current phase: verify"):
                again()
    with pytest.raises(LifecycleError, match="make a new one"):
        mox.__enter__()


def test_without_a_with_block(run):
    mox = CmdMox()
    mox.stub("hi").returns(stdout="hello")
    mox.__enter__()
    mox.replay()
    assert run("hi").out == "hello"
    assert run(str(mox.environment.shim_dir / "hi")).out == "hello"
    mox.verify()
    assert len(mox.journal) == 2 and mox.environment.shim_dir is None


def test_leaving_the_block_verifies(run):
    with pytest.raises(UnfulfilledExpectationError):
        with CmdMox() as mox:
            mox.mock("git")
            mox.replay()
    assert mox.phase is Phase.VERIFY
    with CmdMox(verify_on_exit=False) as mox:
        mox.mock("git")
        mox.replay()
    assert mox.phase is Phase.REPLAY
    with pytest.raises(LifecycleError):
        mox.replay()


def test_the_bodys_exception_wins():
    with pytest.raises(ZeroDivisionError):
        with CmdMox() as mox:
            mox.mock("git")
            mox.replay()
            raise ZeroDivisionError


def test_spies_and_journal_may_be_asked_after_the_block(run):
    with CmdMox() as mox:
        spy = mox.spy("curl")
        mox.replay()
        run("curl", "a")
    assert [call.args for call in mox.journal] == [["a"]]
    spy.assert_called_with("a")


def test_the_journal_is_a_deque_of_all_calls(mox, run):
    mox.stub("ls")
    mox.register_command("rm")
    run("ls", "-l")
    run("rm", "-rf")
    assert isinstance(mox.journal, collections.deque)
    assert [call.command for call in mox.journal] == ["ls", "rm"]
    with pytest.raises(UnexpectedCommandError, match="rm -rf"):
        mox.verify()
    assert [(call.args, call.exit_code) for call in mox.journal] == [(["-l"], 0), (["-rf"], 125)]


def test_the_journal_is_bounded(run):
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="must be positive"):
            CmdMox(max_journal_entries=wrong)
    with CmdMox(max_journal_entries=2) as mox:
        mox.stub("ls")
        mox.replay()
        for number in "123":
            run("ls", number)
        assert [call.args for call in mox.journal] == [["2"], ["3"]] and mox.journal.maxlen == 2


def test_doubles_may_be_declared_during_replay(mox, run):
    mox.register_command("late")
    assert run("late").status == 125
    mox.stub("later").returns("x")
    assert run("later").out == "x"


def test_no_environment_is_an_error_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("CMDMOX_PROGRAM", str(tmp_path / "none"))
    with pytest.raises(compat.MissingEnvironmentError, match="none, which is no file"):
        CmdMox().__enter__()


@pytest.mark.parametrize("kind, base", [
    (compat.LifecycleError, compat.CmdMoxError), (compat.MissingEnvironmentError, compat.CmdMoxError),
    (compat.ExpectationConfigurationError, compat.CmdMoxError), (VerificationError, compat.CmdMoxError),
    (UnexpectedCommandError, VerificationError), (UnfulfilledExpectationError, VerificationError), (VerificationError, AssertionError)])
def test_the_errors_have_their_bases(kind, base):
    assert issubclass(kind, base)


# ---- Platforms and the other name ------------------------------------------------------------------------------------------


def test_platforms(monkeypatch):
    assert compat.is_supported() and compat.unsupported_reason() is None
    compat.skip_if_unsupported()
    assert not compat.is_supported("Win32")
    monkeypatch.setenv(compat.PLATFORM_OVERRIDE_ENV, "windows")
    assert compat.PLATFORM_OVERRIDE_ENV == "CMD_MOX_PLATFORM_OVERRIDE" and not compat.is_supported() and compat.is_supported("linux")
    with pytest.raises(pytest.skip.Exception, match="does not run on windows"):
        compat.skip_if_unsupported()
    with pytest.raises(pytest.skip.Exception, match="not here"):
        compat.skip_if_unsupported(reason="not here")


def test_the_name_of_the_ancestor(python):
    done = python("""
from cmdmox.compat import install_as_cmd_mox
install_as_cmd_mox()
install_as_cmd_mox()
import cmd_mox, cmd_mox.ipc, subprocess
from cmd_mox import CmdMox, Regex
from cmd_mox.comparators import Any
from cmd_mox.controller import Phase
from cmd_mox.errors import LifecycleError
from cmd_mox.ipc import Invocation, Response
import cmd_mox.pytest_plugin
with cmd_mox.CmdMox() as mox:
    mox.stub("hi").runs(lambda call: cmd_mox.ipc.Response(type(call).__name__))
    mox.replay()
    print(subprocess.check_output(["hi"], text=True))
""")
    assert done == (0, "Invocation\n", "")


def test_the_name_is_not_taken_from_another(python):
    done = python("""
import sys, types
sys.modules["cmd_mox"] = types.ModuleType("cmd_mox")
from cmdmox.compat import install_as_cmd_mox
install_as_cmd_mox()
""")
    assert done.status == 1 and "cmd_mox is imported already" in done.err


def test_all_names_are_there():
    assert all(hasattr(compat, name) for name in compat.__all__)
    assert subprocess.run([sys.executable, "-c", "from cmdmox.compat import *"], check=True)
