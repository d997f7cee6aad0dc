"""What a double accepts and answers, how often and in which order, with real commands through real shims."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest

from cmdmox import (
    AllOf,
    Any,
    AnyOf,
    AnyOrder,
    ArgsContain,
    Chunk,
    CmdMox,
    Contains,
    EndsWith,
    Eq,
    File,
    Flag,
    Glob,
    IsA,
    JsonEquals,
    Not,
    OneOf,
    Predicate,
    Regex,
    Response,
    Rest,
    StartsWith,
    Unset,
    VerificationError,
)


def leave(mox):
    """Ends a session whose failures the test has seen."""
    try:
        mox.verify()
    except VerificationError:
        pass


# ---- What it accepts -------------------------------------------------------------------------------------------------

ONE = [
    # matcher, what it accepts, what it refuses
    ("a", ["a"], ["b", "", "aa"]),
    (b"\xff", [b"\xff"], ["\u00ff"]),
    (pathlib.Path("/tmp/x"), ["/tmp/x"], ["/tmp/x/"]),
    (Eq("\u00e9"), ["\u00e9"], ["e"]),
    (Any(), ["a", ""], []),
    (Any, ["a"], []),
    (StartsWith("ab"), ["abc", "ab"], ["xab"]),
    (EndsWith("bc"), ["abc"], ["bcx"]),
    (Contains("b"), ["abc"], ["ac"]),
    (Regex("^v[0-9]+$"), ["v12"], ["xv12", "v"]),
    (Regex(re.compile("^V.1$", re.I | re.S)), ["v\n1"], ["w 1"]),
    (Glob("*.[ch]"), ["a.c", ".h"], ["a.cc"]),
    (IsA(int), ["-12"], ["1.5", "x"]),
    (IsA(float), ["1.5", "nan"], ["x"]),
    (IsA(bool), ["yes", "0"], ["x"]),
    (IsA(pathlib.Path), ["/x"], [""]),
    (IsA("json"), ["[1]"], ["[1"]),
    (JsonEquals({"a": [1, None]}), ['{ "a" : [1,null] }'], ['{"a": [1]}']),
    (JsonEquals("[1, 2]"), ["[1,2]"], ["[2,1]"]),
    (OneOf("a", "b"), ["a", "b"], ["c"]),
    (AllOf(StartsWith("a"), EndsWith("z")), ["abz"], ["ab"]),
    (AnyOf("x", Regex("^[0-9]$")), ["x", "7"], ["77"]),
    (Not("x"), ["y"], ["x"]),
    (Not(AnyOf(StartsWith("a"), lambda value: value == "q")), ["b"], ["a", "q"]),
    (lambda value: value.isupper(), ["ABC"], ["abc"]),
    (str.isdigit, ["12"], ["x"]),
    (Predicate(lambda value: value == b"\xfe", as_bytes=True), [b"\xfe"], ["x"]),
]


@pytest.mark.parametrize("matcher, accepted, refused", ONE, ids=[f"{number}-{type(row[0]).__name__}" for number, row in enumerate(ONE)])
def test_a_matcher_of_one_argument(run, matcher, accepted, refused):
    with CmdMox() as mox:
        stub = mox.stub("git").with_matching_args("x", matcher)
        mox.replay()
        for value in accepted:
            assert run("git", "x", value).status == 0, value
        for value in refused:
            assert run("git", "x", value).status == 125, value
        assert stub.call_count == len(accepted)
        leave(mox)


LISTS = [
    # arguments of with_matching_args(), accepted lists, refused lists
    ([], [[]], [["a"]]),
    (["a", Rest(Any())], [["a"], ["a", "b", "c"]], [["b"]]),
    ([Rest(StartsWith("-"))], [[], ["-a", "-b"]], [["-a", "b"]]),
    ([AnyOrder("a", StartsWith("b")), "c"], [["b1", "a", "c"], ["a", "b", "c"]], [["a", "a", "c"], ["c", "a", "b"]]),
    (["x", ArgsContain("--force", Glob("*.c"))], [["x", "a.c", "q", "--force"]], [["x", "a.c"]]),
    ([Flag("--message", Contains("fix"))], [["--message", "a fix"], ["--message=fix"]], [["--message"], ["--message=x"]]),
]


@pytest.mark.parametrize("matchers, accepted, refused", LISTS, ids=[str(number) for number in range(len(LISTS))])
def test_matchers_of_several_arguments(run, matchers, accepted, refused):
    with CmdMox() as mox:
        mox.stub("git").with_matching_args(*matchers)
        mox.replay()
        assert [run("git", *args).status for args in accepted] == [0] * len(accepted)
        assert [run("git", *args).status for args in refused] == [125] * len(refused)
        leave(mox)


def test_said_again_arguments_replace_the_former_ones(run):
    with CmdMox() as mox:
        stub = mox.stub("git").with_args("a").with_args("b")
        mox.replay()
        assert (run("git", "a").status, run("git", "b").status) == (125, 0)
        stub.with_args("a")  # also after replay
        assert (run("git", "a").status, run("git", "b").status) == (0, 125)
        leave(mox)


def test_stdin_is_matched(run):
    with CmdMox() as mox:
        mox.stub("a").with_stdin("text\n")
        mox.stub("b").with_stdin(Contains("x"))
        mox.stub("c").with_stdin_bytes(b"\xff\x00")
        mox.stub("d").with_stdin(lambda text: text.count("\n") == 2)
        mox.replay()
        assert [run("a", input="text\n").status, run("a", input="text").status] == [0, 125]
        assert [run("b", input="axb").status, run("b", input="ab").status] == [0, 125]
        assert [run("c", input="\udcff\0").status, run("c", input="").status] == [0, 125]
        assert [run("d", input="1\n2\n").status, run("d", input="1").status] == [0, 125]
        leave(mox)


def test_the_working_directory_and_variables_are_matched(run, tmp_path):
    with CmdMox() as mox:
        mox.stub("a").with_cwd(tmp_path)
        mox.stub("b").with_matching_env("LEVEL", IsA(int)).with_matching_env("GONE", Unset())
        mox.stub("c").with_matching_env("GONE", Unset)
        mox.replay()
        assert [run("a", cwd=tmp_path).status, run("a", cwd="/").status] == [0, 125]
        env = dict(os.environ)
        assert run("b", env={**env, "LEVEL": "3"}).status == 0
        assert run("b", env={**env, "LEVEL": "x"}).status == 125
        assert run("b", env={**env, "LEVEL": "3", "GONE": ""}).status == 125
        assert run("c", env={**env, "GONE": "1"}).status == 125
        leave(mox)


def test_variables_are_given_to_the_call(run):
    with CmdMox() as mox:
        seen = []
        stub = mox.stub("a").with_env({"LEVEL": "3", "HOME": None}).with_env("MORE", b"\xff").runs(lambda call: seen.append(call.environ))
        mox.replay()
        env = {name: value for name, value in os.environ.items() if name != "HOME"}
        assert run("a", env=env).status == 0
        assert run("a", env={**env, "LEVEL": "4"}).status == 125
        assert (seen[0]["LEVEL"], seen[0]["MORE"], "HOME" in seen[0]) == ("3", "\udcff", False)
        call = stub.invocations[0]
        assert call.environ["LEVEL"] == "3" and b"LEVEL=3" not in call.environ_entries_bytes
        assert call.injected_bytes == [(b"LEVEL", b"3"), (b"HOME", None), (b"MORE", b"\xff")]
        leave(mox)


# ---- What it answers -------------------------------------------------------------------------------------------------


def test_output_and_status(run):
    with CmdMox() as mox:
        mox.stub("a").returns("out", "err", 3)
        mox.stub("b").returns(b"\xff\0")
        mox.stub("c").returns_bytes(b"\xfe", b"\xfd", 7)
        mox.stub("d").returns(Response("r", exit_code=2))
        mox.stub("e").returns("x" * 3_000_000)
        mox.replay()
        assert run("a") == (3, "out", "err")
        assert run("b") == (0, "\udcff\0", "")
        assert run("c") == (7, "\udcfe", "\udcfd")
        assert run("d") == (2, "r", "")
        assert run("e") == (0, "x" * 3_000_000, "")


@pytest.mark.parametrize("number", ["SIGTERM", signal.SIGKILL, int(signal.SIGINT)])
def test_a_command_dies_by_a_signal(run, number):
    with CmdMox() as mox:
        mox.mock("a").returns("said\n", signal=number)
        mox.replay()
        assert run("a") == (-getattr(signal, number) if isinstance(number, str) else -number, "said\n", "")


def test_successive_answers(run):
    with CmdMox() as mox:
        mox.mock("curl").times(5).returns_once(exit_code=7).returns_times(2, "busy").returns("done")
        mox.replay()
        assert [run("curl") for _ in range(5)] == [(7, "", ""), (0, "busy", ""), (0, "busy", ""), (0, "done", ""), (0, "done", "")]


def test_chunks_files_and_delay(run, tmp_path):
    with CmdMox() as mox:
        mox.mock("tar").returns("end\n", delay=0.001, chunks=[Chunk("10 %\n"), Chunk(b"slow\n", delay=0.002, to_stderr=True), "90 %\n"],
                                files=[File("app.tar", b"\xff"), File("run", "#!/bin/sh\n", mode=0o750)])
        mox.mock("make").returns(files={"out.txt": "made"})
        mox.replay()
        assert run("tar", cwd=tmp_path) == (0, "10 %\n90 %\nend\n", "slow\n")
        assert run("make", cwd=tmp_path).status == 0
        assert (tmp_path / "app.tar").read_bytes() == b"\xff"
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o750
        assert (tmp_path / "out.txt").read_text() == "made"


def test_a_call_waits_at_a_gate():
    with CmdMox() as mox:
        mox.mock("deploy").returns("ok", gate="go")
        mox.replay()
        with subprocess.Popen(["deploy"], stdout=subprocess.PIPE) as child:
            while not mox.invocations("deploy"):
                pass
            assert child.poll() is None
            while not mox.release("go"):
                pass
            assert child.communicate(timeout=60)[0] == b"ok"


def test_a_command_that_hangs_is_killed():
    with CmdMox() as mox:
        mox.mock("sleepy").returns("x", hang=True)
        mox.replay()
        with subprocess.Popen(["sleepy"], stdout=subprocess.PIPE) as child:
            assert child.stdout.read(1) == b"x"
            child.kill()
        leave(mox)


def test_the_real_command_runs_and_is_seen(run):
    with CmdMox() as mox:
        spy = mox.spy("tr").passthrough(timeout=60, kill_after=1).capture_stdin()
        mox.mock("cat").times(3).returns_once("mocked").passthrough_once(capture_max_bytes=2).passthrough_times(1, captured=False)
        mox.replay()
        assert run("tr", "a-z", "A-Z", input="abc") == (0, "ABC", "")
        assert [run("cat", input="real").out for _ in range(3)] == ["mocked", "real", "real"]
        call = spy.invocations[0]
        assert (call.stdin, call.stdout, call.exit_code) == ("abc", "ABC", 0)
        assert os.path.basename(call.program) == "tr"
        short = mox.invocations("cat")[1].stdout_capture
        assert (short.text, short.length, short.truncated) == ("re", 4, True)


def test_what_answers_calls_that_no_double_accepts(run):
    with CmdMox() as mox:
        mox.register_command("tr")
        mox.stub("git").with_args("x")
        mox.replay()
        mox.default_returns("default", exit_code=4)
        assert run("git", "y") == (4, "default", "")
        mox.default_passthrough()
        assert run("tr", "a", "b", input="a") == (0, "b", "")
        mox.default_fails()
        assert run("git", "y").status == 125
        leave(mox)


# ---- How often, and in which order -------------------------------------------------------------------------------------

COUNTS = [
    (lambda mock: mock, [1], [0]),
    (lambda mock: mock.times(2), [2], [0, 1, 3]),
    (lambda mock: mock.never(), [0], [1]),
    (lambda mock: mock.at_least(2), [2, 3], [1]),
    (lambda mock: mock.at_most(1), [0, 1], [2]),
    (lambda mock: mock.between(1, 2), [1, 2], [0, 3]),
    (lambda mock: mock.any_times(), [0, 3], []),
]


@pytest.mark.parametrize("say, right, wrong", COUNTS, ids=["once", "times", "never", "at_least", "at_most", "between", "any_times"])
def test_how_often_a_mock_is_called(run, say, right, wrong):
    for calls in right + wrong:
        with CmdMox() as mox:
            say(mox.mock("git"))
            mox.replay()
            for _ in range(calls):
                run("git")
            if calls in right:
                assert mox.verify().passed
            else:
                with pytest.raises(VerificationError):
                    mox.verify()


def test_orders(run):
    with CmdMox() as mox:
        a, b, c = mox.mock("a"), mox.mock("b"), mox.mock("c").times(2)
        mox.in_order(a, b)
        c.in_order()
        one, two = mox.mock("one"), mox.mock("two").in_sequence("other")
        mox.in_sequence("other", one)
        free = mox.mock("free").in_order().any_order()
        late = mox.mock("late").after(free)
        mox.replay()
        assert run("b").status == 125
        assert run("one").status == 125
        assert run("late").status == 125
        assert [run(name).status for name in ("free", "late", "a", "b", "c", "c", "two", "one")] == [0] * 8
        assert late.call_count == two.call_count == 1
        with pytest.raises(VerificationError) as caught:
            mox.verify()
        assert {each.kind for each in caught.value.findings} == {"ORDER"}


# ---- Other commands --------------------------------------------------------------------------------------------------


def test_a_contained_session_runs_nothing_else(run):
    with CmdMox(contained=True) as mox:
        mox.stub("git")
        mox.allow("cat", "sh")
        mox.replay()
        assert os.environ["PATH"] == mox.shim_directory
        assert run("sh", "-c", "git; echo x | cat").out == "x\n"
        assert run("sh", "-c", "ls").status == 125
        leave(mox)


def test_an_absent_command_is_not_found(run):
    with CmdMox() as mox:
        mox.stub("git")
        mox.absent("tr")
        mox.replay()
        assert run("/bin/sh", "-c", "git && ! command -v tr && command -v cat").status == 0


# ---- Assertions about calls ------------------------------------------------------------------------------------------


def test_assertions_about_calls(run):
    with CmdMox() as mox:
        spy, other = mox.spy("git"), mox.spy("other")
        mox.replay()
        other.assert_not_called()
        for args in (["a"], ["b", "1"], ["c"]):
            run("git", *args)
        spy.assert_called()
        spy.assert_called_with("c")
        spy.assert_any_call("b", IsA(int))
        spy.assert_has_calls([["a"], ("b", Any())])
        spy.assert_has_calls([["c"], ["a"]], any_order=True)
        spy.assert_call_count(3)
        run("other", "x")
        other.assert_called_once()
        other.assert_called_once_with("x")
        for assertion, text in [
            (spy.assert_not_called, "assert_not_called"),
            (spy.assert_called_once, "expected 1 call, actual 3\n  git a\n  git b 1\n  git c"),
            (lambda: spy.assert_called_with("a"), "assert_called_with"),
            (lambda: spy.assert_any_call("d"), "assert_any_call"),
            (lambda: spy.assert_has_calls([["a"], ["c"]]), "assert_has_calls"),
            (lambda: spy.assert_has_calls([["a"], ["d"]], any_order=True), "assert_has_calls"),
            (lambda: other.assert_called_once_with("y"), "assert_called_once_with"),
            (lambda: spy.assert_call_count(2), "expected 2 calls, actual 3"),
        ]:
            with pytest.raises(AssertionError) as caught:
                assertion()
            assert text in str(caught.value) and re.match(r"\S*test_doubles.py:\d+: assert_", str(caught.value))


def test_reports_in_other_formats(run):
    with CmdMox(label="my test") as mox:
        mox.mock("git").with_args("a")
        mox.replay()
        run("git", "b")
        assert json.loads(mox.report("json").text)["passed"] is False
        assert "<testsuite" in mox.report("junit").text
        assert "not ok" in mox.report("tap").text
        report = mox.report()
        assert not report.passed and report.findings[0].suggestion == 'mox.mock("git").with_args("b")'
        leave(mox)


def test_doubles_are_known_by_what_they_took(run):
    with CmdMox() as mox:
        stub = mox.stub("git")
        mox.replay()
        run("git")
        assert mox.doubles == [stub] and mox.double(mox.journal[0].double_id) is stub
        assert repr(stub).startswith("<stub git (") and mox.phase == "replay"


def test_threads_may_share_a_session(run):
    with CmdMox() as mox:
        mox.replay()

        def declare(number):
            mox.stub(f"c{number}").returns(str(number))

        threads = [threading.Thread(target=declare, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [run(f"c{number}").out for number in range(16)] == [str(number) for number in range(16)]
