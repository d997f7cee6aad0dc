"""Mistakes of a test raise at the call that makes them, with the place, what is wrong, and what to do; each text of the package that
is not seen elsewhere is here."""

import re

import pytest

from cmdmox import (
    AllOf,
    Any,
    AnyOrder,
    ArgsContain,
    BuilderError,
    Chunk,
    CmdMox,
    CmdMoxError,
    File,
    Flag,
    IsA,
    JsonEquals,
    LifecycleError,
    Not,
    OneOf,
    Predicate,
    Regex,
    Response,
    Rest,
    Unset,
    VerificationError,
)


def nested(depth):
    matcher = Any()
    for _ in range(depth):
        matcher = Not(matcher)
    return matcher


# what is said of a mock `d` of a session `m`, the reason, the beginning of the text behind the place
MISTAKES = [
    (lambda m, d: m.mock(""), "BAD_COMMAND_NAME", "mock: "),
    (lambda m, d: m.mock("a/b"), "BAD_COMMAND_NAME", "mock: "),
    (lambda m, d: m.stub(3), "INVALID_ARGUMENT", "stub: command is int 3: give a str, bytes or a path"),
    (lambda m, d: m.spy("\ud800"), "INVALID_ARGUMENT", "spy: command: '\\ud800' cannot be written in utf-8; give the bytes"),
    (lambda m, d: d.with_args("a", 3), "BAD_MATCHER", "with_args: argument 2: int 3 is no matcher: give a text, bytes, a path, a matcher, or a"),
    (lambda m, d: d.with_args(int), "BAD_MATCHER", "with_args: argument 1: int is a type: write IsA(int), or give a function that"),
    (lambda m, d: d.with_args(Regex), "BAD_MATCHER", "with_args: argument 1: Regex is a type: write Regex(...), or"),
    (lambda m, d: d.with_args(None), "BAD_MATCHER", "with_args: argument 1: NoneType None is no matcher"),
    (lambda m, d: d.with_matching_args("a", Regex("(")), "BAD_REGEX", "with_matching_args: "),
    (lambda m, d: d.with_matching_args(Not(Rest(Any()))), "BAD_MATCHER",
     "with_matching_args: argument 1: Rest stands only in the list of with_matching_args(), not inside another"),
    (lambda m, d: d.with_stdin(AnyOrder("a")), "BAD_MATCHER", "with_stdin: AnyOrder stands only in the list of"),
    (lambda m, d: d.with_cwd(ArgsContain("a")), "BAD_MATCHER", "with_cwd: ArgsContain stands only"),
    (lambda m, d: d.with_matching_env("A", Flag("a", "b")), "BAD_MATCHER", "with_matching_env: Flag stands only"),
    (lambda m, d: d.with_args(Unset()), "BAD_MATCHER", "with_args: argument 1: Unset is for variables: with_matching_env(\"NAME\", Unset())"),
    (lambda m, d: d.with_args(Not(Unset)), "BAD_MATCHER", "with_args: argument 1: Unset is for variables"),
    (lambda m, d: d.with_args(Rest(Any()), "a"), "BAD_MATCHER", "with_args: "),
    (lambda m, d: d.with_args(AnyOrder(*["a"] * 65)), "BAD_MATCHER", "with_args: "),
    (lambda m, d: d.with_args(IsA(str)), "BAD_MATCHER", "with_args: argument 1: IsA does not know type <class 'str'>: give int, float, bool,"),
    (lambda m, d: d.with_args(IsA([])), "BAD_MATCHER", "with_args: argument 1: IsA does not know list []"),
    (lambda m, d: d.with_args(JsonEquals("{")), "BAD_MATCHER", "with_args: "),
    (lambda m, d: d.with_args(JsonEquals({1, 2})), "BAD_MATCHER", "with_args: argument 1: JsonEquals: Object of type set is not JSON"),
    (lambda m, d: d.with_args(OneOf("a", 1)), "INVALID_ARGUMENT", "with_args: argument 1: OneOf is int 1: give a str, bytes or a path"),
    (lambda m, d: d.with_args(Predicate(3)), "BAD_MATCHER", "with_args: argument 1: Predicate of int 3: give a function"),
    (lambda m, d: d.with_args(nested(65)), "BAD_MATCHER", "with_args: argument 1: matchers are nested more than 64 deep"),
    (lambda m, d: d.with_args(Flag(3, "x")), "INVALID_ARGUMENT", "with_args: argument 1: name of Flag is int 3"),
    (lambda m, d: d.with_stdin_bytes("text"), "INVALID_ARGUMENT", "with_stdin_bytes: stdin is str 'text': give bytes, or say with_stdin()"),
    (lambda m, d: d.with_env("A"), "INVALID_ARGUMENT", "with_env: the value of 'A' is missing: give a text, or None to remove the"),
    (lambda m, d: d.with_env({"A=": "x"}), "INVALID_ARGUMENT", "with_env: str 'A=' is no name of a variable: it is a text, not empty,"),
    (lambda m, d: d.with_env({"A": 3}), "INVALID_ARGUMENT", "with_env: value of A is int 3"),
    (lambda m, d: d.with_matching_env("", "x"), "INVALID_ARGUMENT", "with_matching_env: str '' is no name of a variable"),
    (lambda m, d: d.capture_stdin(max_bytes=0), "INVALID_ARGUMENT", "capture_stdin: max_bytes is 0, not 1 or more"),
    (lambda m, d: d.capture_stdin(deadline="x"), "INVALID_ARGUMENT", "capture_stdin: deadline is str 'x': give seconds, or a timedelta"),
    (lambda m, d: d.returns(3), "INVALID_ARGUMENT", "returns: stdout is int 3: give a str or bytes"),
    (lambda m, d: d.returns(exit_code=256), "INVALID_ARGUMENT", "returns: exit_code is 256, not 0 to 255"),
    (lambda m, d: d.returns(exit_code=True), "INVALID_ARGUMENT", "returns: exit_code is bool True: give a whole number"),
    (lambda m, d: d.returns(signal="TERM"), "INVALID_ARGUMENT", "returns: signal is TERM, which is none: give a name, such as \"SIGTERM\""),
    (lambda m, d: d.returns(signal=400), "INVALID_ARGUMENT", "returns: signal is 400, which is none"),
    (lambda m, d: d.returns(signal="SIGTERM", exit_code=1), "INVALID_ARGUMENT", "returns: a command that dies by a signal has no exit_code"),
    (lambda m, d: d.returns(hang=True, exit_code=1), "INVALID_ARGUMENT", "returns: a command that hangs has neither exit_code nor signal"),
    (lambda m, d: d.returns(delay=-1), "INVALID_ARGUMENT", "returns: delay is -1: give seconds from 0 to 4294967"),
    (lambda m, d: d.returns(gate=""), "INVALID_ARGUMENT", "returns: gate is an empty str: give it a name, for release()"),
    (lambda m, d: d.returns(gate=3), "INVALID_ARGUMENT", "returns: gate is int 3: give a str"),
    (lambda m, d: d.returns(chunks="abc"), "INVALID_ARGUMENT", "returns: chunks is str 'abc': give a list of Chunk, str or bytes"),
    (lambda m, d: d.returns(chunks=[Chunk("a"), 3]), "INVALID_ARGUMENT", "returns: chunk 2 is int 3: give a Chunk, a str or bytes"),
    (lambda m, d: d.returns(files="abc"), "INVALID_ARGUMENT", "returns: files is str 'abc': give a dict of paths and contents, or a list"),
    (lambda m, d: d.returns(files=["abc"]), "INVALID_ARGUMENT", "returns: file 1 is str 'abc': give a File"),
    (lambda m, d: d.returns(files=[File("a", mode=0o1777)]), "INVALID_ARGUMENT", "returns: mode of file 1 is 1023, not 1 to 511"),
    (lambda m, d: d.returns(files={"": "x"}), "INVALID_ARGUMENT", "returns: "),
    (lambda m, d: d.returns(Response("x"), "err"), "INVALID_ARGUMENT", "returns: beside a Response only gate can be said: put the rest into"),
    (lambda m, d: d.returns("x" * (17 << 20)), "FRAME_TOO_LARGE", "returns: this takes 178"),
    (lambda m, d: d.returns_bytes("x"), "INVALID_ARGUMENT", "returns_bytes: stdout is str 'x': give bytes, or say returns()"),
    (lambda m, d: d.returns_times(0, "x"), "INVALID_ARGUMENT", "returns_times: times is 0, not 1 or more"),
    (lambda m, d: d.runs("x"), "INVALID_ARGUMENT", "runs: the handler is str 'x': give a function that takes the call"),
    (lambda m, d: d.runs_times(0, print), "INVALID_ARGUMENT", "runs_times: times is 0, not 1 or more"),
    (lambda m, d: d.passthrough(kill_after=1), "INVALID_ARGUMENT", "passthrough: kill_after is 1, and there is no timeout that it could"),
    (lambda m, d: d.passthrough(timeout=0), "INVALID_ARGUMENT", "passthrough: timeout is 0: give seconds above 0, or leave it out"),
    (lambda m, d: d.passthrough(captured=False, capture_max_bytes=3), "INVALID_ARGUMENT", "passthrough: capture_max_bytes is 3, and with"),
    (lambda m, d: m.stub("b").times(2), "INVALID_ARGUMENT", "times: a stub may be called any number of times; make it a mock to count its"),
    (lambda m, d: d.times("2"), "INVALID_ARGUMENT", "times: the number of calls is str '2': give a whole number"),
    (lambda m, d: d.at_least(-1), "INVALID_ARGUMENT", "at_least: the number of calls is -1, not 0 or more"),
    (lambda m, d: d.between(3, 2), "INVALID_ARGUMENT", "between: the least number of calls, 3, is above the greatest, 2"),
    (lambda m, d: m.spy("b").in_order(), "INVALID_ARGUMENT", "in_order: "),
    (lambda m, d: m.in_order(d, "git"), "INVALID_ARGUMENT", "in_order: str 'git', number 2 of the list, is no double of this session"),
    (lambda m, d: d.in_sequence(3), "INVALID_ARGUMENT", "in_sequence: the name of the sequence is int 3: give a str"),
    (lambda m, d: d.after("git"), "INVALID_ARGUMENT", "after: the double before it is str 'git': give a double"),
    (lambda m, d: m.allow("git"), "BAD_STATE", "allow: "),
    (lambda m, d: m.absent("git"), "BAD_STATE", "absent: "),
    (lambda m, d: m.register_command("a/b"), "BAD_COMMAND_NAME", "register_command: "),
    (lambda m, d: m.default_returns(exit_code=-1), "INVALID_ARGUMENT", "default_returns: exit_code is -1, not 0 to 255"),
    (lambda m, d: m.release(""), "INVALID_ARGUMENT", "release: gate is an empty str"),
    (lambda m, d: m.report("xml"), "INVALID_ARGUMENT", "report: format is str 'xml': give text, json, junit or tap"),
    (lambda m, d: m.verify(), "BAD_STATE", "verify: this session was never replayed: call replay() before the code under test runs"),
    (lambda m, d: d.assert_called_with(lambda value: True), "INVALID_ARGUMENT", "assert_called_with: argument 1: an assertion about calls takes no"),
    (lambda m, d: d.assert_has_calls(["abc"]), "INVALID_ARGUMENT", "assert_has_calls: a call is str 'abc': give the list of its arguments"),
    (lambda m, d: d.with_args(AllOf()), None, ""),
]


@pytest.mark.parametrize("say, reason, text", MISTAKES, ids=[f"{number}-{row[2][:40]}" for number, row in enumerate(MISTAKES)])
def test_a_mistake(say, reason, text):
    with CmdMox(environment="none", verify_on_exit=False) as mox:
        double = mox.mock("git")
        if reason is None:
            say(mox, double)
            return
        with pytest.raises(CmdMoxError) as caught:
            say(mox, double)
        error = caught.value
        place, said = re.match(r"(\S*test_mistakes\.py:\d+): (.*)", str(error), re.S).groups()
        assert said.startswith(text) and len(said) > len("function: "), said
        assert error.reason == reason and isinstance(error, LifecycleError if reason == "BAD_STATE" else BuilderError)
        assert len(mox.doubles) <= 2 and mox.call_count() == 0  # the session lives on


@pytest.mark.parametrize("options, text", [
    ({"environment": "some"}, "CmdMox: environment is str 'some': give \"apply\" or \"none\""),
    ({"max_journal_entries": 0}, "CmdMox: max_journal_entries is 0, not 1 or more"),
    ({"callback_deadline": -1}, "CmdMox: callback_deadline is -1: give seconds from 0"),
    ({"label": 3}, "CmdMox: label is int 3: give a str"),
    ({"connect": "unix:/x", "cmdmox": "/x"}, "CmdMox: cmdmox= is the program of a server that is started here"),
])
def test_a_mistake_in_the_options(options, text):
    with pytest.raises(BuilderError) as caught:
        CmdMox(**options)
    assert re.match(r"\S*test_mistakes\.py:\d+: ", str(caught.value)) and text in str(caught.value)


def test_an_unknown_format_in_the_environment(monkeypatch):
    monkeypatch.setenv("CMOX_REPORT", "xml")
    with pytest.raises(BuilderError, match="CMOX_REPORT is \"xml\": write text, json, junit or tap"):
        CmdMox()


def test_the_format_of_the_environment_is_that_of_the_report(monkeypatch):
    monkeypatch.setenv("CMOX_REPORT", "tap")
    with pytest.raises(VerificationError, match="not ok"):
        with CmdMox() as mox:
            mox.mock("git")
            mox.replay()


def test_doubles_of_two_sessions():
    with CmdMox(environment="none", verify_on_exit=False) as one, CmdMox(environment="none", verify_on_exit=False) as two:
        with pytest.raises(BuilderError, match="after: the doubles belong to two sessions"):
            one.mock("a").after(two.mock("b"))
        with pytest.raises(BuilderError, match="in_order: Double <mock c .*, number 1 of the list, is no double of this session"):
            one.in_order(two.mock("c"))


def test_what_comes_too_late():
    with CmdMox() as mox:
        mock = mox.mock("git").never()
        mox.replay()
        mox.replay()  # twice is fine
        with pytest.raises(LifecycleError, match="absent: "):
            mox.absent("tr")
        mox.verify()
        mox.verify()
        for late in (lambda: mox.mock("x"), lambda: mock.returns("x"), lambda: mox.register_command("x"), mox.replay):
            with pytest.raises(LifecycleError) as caught:
                late()
            assert caught.value.reason == "BAD_STATE"
    with pytest.raises(LifecycleError, match="mock: this session has ended: make a new one"):
        mox.mock("git")
    with pytest.raises(LifecycleError, match="this session has ended"):
        mox.__enter__()


def test_a_session_that_declares_and_is_never_replayed():
    with pytest.raises(LifecycleError, match="was never replayed: call replay\\(\\) before the code under test runs, or its calls meet the real"):
        with CmdMox() as mox:
            mox.mock("git")


def test_path_must_not_change_under_a_contained_session(monkeypatch):
    with CmdMox(contained=True, verify_on_exit=False) as mox:
        monkeypatch.setenv("PATH", "/bin")
        with pytest.raises(LifecycleError, match="replay: PATH has changed since this session was made"):
            mox.replay()


def test_path_may_change_under_another_one(monkeypatch, run):
    with CmdMox() as mox:
        mox.stub("git").returns("x")
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        assert mox.environ["PATH"] == f"{mox.shim_directory}:/usr/bin:/bin"
        mox.replay()
        assert run("git").out == "x"
    with CmdMox(path="/bin") as mox:
        monkeypatch.setenv("PATH", "/usr/bin")
        assert mox.environ["PATH"] == f"{mox.shim_directory}:/bin"
