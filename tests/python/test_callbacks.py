"""Handlers and predicates: what they get, what they may answer, and what becomes of those that do not work."""

import asyncio
import functools
import re
import subprocess
import threading

import pytest

from cmdmox import Chunk, CmdMox, LifecycleError, Predicate, Response, VerificationError
from cmdmox import _server


def failure_of(mox):
    """What verify() says of the one handler or predicate that failed."""
    with pytest.raises(VerificationError) as caught:
        mox.verify()
    found = [each for each in caught.value.findings if each.kind == "HANDLER_FAILED"]
    assert len(found) == 1, caught.value
    return caught.value, found[0].message


ANSWERS = [
    (None, (0, "", "")),
    ("text", (0, "text", "")),
    (b"\xff", (0, "\udcff", "")),
    (("out", b"err", 3), (3, "out", "err")),
    (Response("out", "err", 4), (4, "out", "err")),
    (Response(signal="SIGTERM"), (-15, "", "")),
    (Response("b", chunks=[Chunk("a"), Chunk("e", to_stderr=True)], delay=0.001), (0, "ab", "e")),
    (Response("x" * 2_000_000), (0, "x" * 2_000_000, "")),
]


@pytest.mark.parametrize("answer, expected", ANSWERS, ids=[str(number) for number in range(len(ANSWERS))])
def test_what_a_handler_may_return(run, answer, expected):
    with CmdMox() as mox:
        mox.mock("cmd").runs(lambda call: answer)
        mox.replay()
        assert run("cmd") == expected


def test_a_handler_makes_files(run, tmp_path):
    with CmdMox() as mox:
        mox.mock("cmd").runs(lambda call: Response(files={"made": call.args[0]}))
        mox.replay()
        assert run("cmd", "text", cwd=tmp_path).status == 0
        assert (tmp_path / "made").read_text() == "text"


def test_what_a_handler_knows(run, tmp_path):
    calls = []
    with CmdMox() as mox:
        mox.mock("cmd").capture_stdin().runs(lambda call: calls.append(call) or call.stdin.upper())
        mox.replay()
        assert run("cmd", "a", "b", input="stdin", env={"PATH": mox.environ["PATH"], "X": "1"}, cwd=tmp_path).out == "STDIN"
    call = calls[0]
    assert (call.command, call.args, call.argv, call.cwd, call.stdin) == ("cmd", ["a", "b"], ["cmd", "a", "b"], str(tmp_path), "STDIN".lower())
    assert call.env["X"] == "1" and call.id == 1 and call.pid > 0 and call.terminals == ()
    assert repr(call) == "<Call 1: cmd a b>"


def test_stdin_that_nobody_asked_for_is_named(run):
    with CmdMox() as mox:
        mox.mock("cmd").runs(lambda call: call.stdin)
        mox.replay()
        assert run("cmd", input="x").status == 125
        _, text = failure_of(mox)
        assert "the stdin of this call of cmd was not read: say capture_stdin() or with_stdin()" in text


def raising(call):
    raise RuntimeError(f"no {call.args[0]}")


def test_a_handler_that_raises_fails_the_call_and_the_test(run):
    with CmdMox() as mox:
        mox.mock("cmd").runs(raising)
        mox.replay()
        done = run("cmd", "disk")
        assert done.status == 125 and "RuntimeError: no disk" in done.err
        error, text = failure_of(mox)
        assert re.search(r"raising.*RuntimeError: no disk \(\S*test_callbacks\.py:\d+\)", text), text
        assert isinstance(error.__cause__, RuntimeError) and error.__cause__.__traceback__ is not None


@pytest.mark.parametrize("leave, name", [(SystemExit, "SystemExit"), (KeyboardInterrupt, "KeyboardInterrupt"),
                                         (lambda text: pytest.fail.Exception(text), "Failed")])
def test_not_even_what_is_no_error_ends_the_thread(run, leave, name):
    def handler(call):
        raise leave("enough")

    with CmdMox() as mox:
        mox.mock("cmd").runs(handler)
        mox.replay()
        assert run("cmd").status == 125
        assert f"{name}: enough" in failure_of(mox)[1]


def test_a_handler_that_takes_no_call(run):
    with CmdMox() as mox:
        mox.mock("cmd").runs(lambda: None)
        mox.replay()
        assert run("cmd").status == 125
        assert "TypeError" in failure_of(mox)[1]


async def asynchronous(call):
    await asyncio.sleep(0)


NONSENSE = [
    (lambda call: 3, "it returned int 3: return None, a str or bytes (stdout), a tuple (stdout, stderr, exit_code), or a Response"),
    (lambda call: ("a", "b"), "it returned tuple ('a', 'b')"),
    (lambda call: {"stdout": "x"}, "it returned dict"),
    (lambda call: ("a", "b", "0"), "exit_code is str '0': give a whole number"),
    (lambda call: ("a", "b", 256), "exit_code is 256, not 0 to 255"),
    (lambda call: (1, "b", 0), "stdout is int 1: give a str or bytes"),
    (lambda call: Response(chunks=[3]), "chunk 1 is int 3"),
    (lambda call: Response(hang=True, exit_code=1), "a command that hangs has neither exit_code nor signal"),
    (asynchronous, "it returned coroutine"),
    (lambda call: Response("x" * (17 << 20)), "bytes, and the server takes at most"),
    (lambda call: Response(signal="SIGNONE"), "signal is SIGNONE, which is none"),
]


@pytest.mark.parametrize("handler, text", NONSENSE, ids=[row[1][:30] for row in NONSENSE])
def test_a_handler_that_answers_nonsense(run, handler, text):
    with CmdMox() as mox:
        mox.mock("cmd").runs(handler)
        mox.replay()
        assert run("cmd").status == 125
        said = failure_of(mox)[1]
        assert text in said
        assert "lambda at" in said or "asynchronous" in said


def test_a_handler_that_hangs_ends_within_its_deadline(run):
    enough = threading.Event()
    with CmdMox(callback_deadline=0.2) as mox:
        mox.mock("cmd").runs(lambda call: enough.wait(60) and None)
        mox.mock("judged").with_args(lambda value: enough.wait(60))
        mox.replay()
        assert run("cmd").status == 125
        assert run("judged", "x").status == 125
        enough.set()
        with pytest.raises(VerificationError) as caught:
            mox.verify()
        assert str(caught.value).count("200 ms") >= 2, caught.value


def test_a_predicate_that_raises(run):
    def judge(value):
        return {}[value]

    with CmdMox() as mox:
        mox.mock("cmd").with_matching_args(judge)
        mox.replay()
        assert run("cmd", "a").status == 125
        error, text = failure_of(mox)
        assert "judge" in text and re.search(r"KeyError: 'a' \(\S*test_callbacks\.py:\d+\)", text)
        assert isinstance(error.__cause__, KeyError)


def test_an_asynchronous_predicate_is_named(run):
    with CmdMox() as mox:
        mox.mock("cmd").with_matching_args(asynchronous)
        mox.replay()
        assert run("cmd", "a").status == 125
        assert "asynchronous: it returned a coroutine, which is always true" in failure_of(mox)[1]


def test_reports_name_predicates(run):
    with CmdMox() as mox:
        mox.mock("cmd").with_matching_args(Predicate(str.isdigit, name="a number"), functools.partial(re.match, "v"))
        mox.replay()
        assert "a number" in run("cmd", "x", "v").err
        with pytest.raises(VerificationError) as caught:
            mox.verify()
        assert "a number" in str(caught.value) and "match" in str(caught.value)


def test_handlers_answer_at_the_same_time():
    together = threading.Barrier(16)
    with CmdMox() as mox:
        stub = mox.stub("cmd").runs(lambda call: f"{together.wait(60)}")
        mox.replay()
        children = [subprocess.Popen(["cmd"], stdout=subprocess.DEVNULL) for _ in range(16)]
        assert [child.wait(60) for child in children] == [0] * 16
        assert stub.call_count == 16


def test_more_handlers_than_there_are_threads_for_are_refused():
    enough = threading.Event()
    with CmdMox() as mox:
        mox.stub("cmd").runs(lambda call: f"{enough.wait(60)}")
        mox.replay()
        children = [subprocess.Popen(["cmd"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(65)]
        refused = None
        while refused is None:
            refused = next((child for child in children if child.poll() is not None), None)
        assert b"64 handlers and predicates run already" in refused.stderr.read()
        enough.set()
        assert sorted(child.wait(60) for child in children) == [0] * 64 + [125]
        for child in children:
            child.stderr.close()
        with pytest.raises(VerificationError):
            mox.verify()


def test_a_handler_runs_mocked_commands(run):
    with CmdMox() as mox:
        mox.mock("outer").runs(lambda call: run("inner", "x").out)
        mox.mock("inner").with_args(lambda value: value == "x").runs(lambda call: "from inside")
        mox.replay()
        assert run("outer").out == "from inside"


def test_a_handler_declares_and_asks(run):
    with CmdMox() as mox:
        def handler(call):
            mox.stub("later").returns("there")
            return f"{mox.call_count('outer')} {run('later').out}"

        mox.mock("outer").runs(handler)
        mox.replay()
        assert run("outer").out == "1 there"


@pytest.mark.parametrize("function", ["verify", "replay", "close", "block"])
def test_what_only_the_test_may_do(run, function):
    said = []
    with CmdMox() as mox:
        def handler(call):
            try:
                if function == "block":
                    with mox:
                        pass
                else:
                    getattr(mox, function)()
            except LifecycleError as error:
                said.append(str(error))

        mox.mock("cmd").runs(handler)
        mox.replay()
        assert run("cmd").status == 0
    assert "a handler or a predicate may not call it" in said[0] and function in said[0]


def test_a_handler_of_a_bound_method_and_a_class(run):
    class Answering:
        def __init__(self):
            self.calls = 0

        def __call__(self, call):
            self.calls += 1
            return "called"

        def method(self, call):
            return "method"

    answering = Answering()
    with CmdMox() as mox:
        mox.mock("a").runs(answering)
        mox.mock("b").runs_once(answering.method)
        mox.mock("c").times(2).runs_times(2, answering)
        mox.replay()
        assert [run(name).out for name in "abcc"] == ["called", "method", "called", "called"]
    assert answering.calls == 3


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    def __bool__(self):
        raise RuntimeError("no truth")


def test_an_exception_without_a_text_fails_the_call_at_once(run):
    def handler(call):
        raise Mute()

    with CmdMox() as mox:
        mox.mock("cmd").runs(handler).times(2)
        mox.replay()
        assert [run("cmd").status, run("cmd").status] == [125, 125]
        assert "Mute: what it says cannot be told, for its __str__ raises RuntimeError (" in failure_of(mox)[1]


def test_what_the_client_cannot_answer_is_said_and_costs_no_thread(run, monkeypatch):
    """Whatever goes wrong on the thread of a handler, beside the handler."""
    monkeypatch.setenv("CMOX_IPC_TIMEOUT", "none")  # a server, and threads, of its own
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    with CmdMox() as mox:
        mox.server._workers._most = 1
        mox.stub("cmd").runs(lambda call: "x")
        mox.replay()
        with monkeypatch.context() as broken:
            broken.setattr("cmdmox._callbacks.Call", lambda *args: {}["none"])
            for _ in range(2):
                done = run("cmd")
                assert done.status == 125 and "the client cannot answer: KeyError" in done.err
        assert run("cmd") == (0, "x", "")
        with pytest.raises(VerificationError):
            mox.verify()
    _server.end_all()


def test_a_thread_that_cannot_be_started_fails_one_call_and_no_more(run, monkeypatch):
    monkeypatch.setenv("CMOX_IPC_TIMEOUT", "none")
    start = threading.Thread.start

    def refuse(thread):
        if thread.name.startswith("cmdmox callback"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with CmdMox() as mox:
        mox.server._workers._most = 1
        mox.stub("cmd").runs(lambda call: "x")
        mox.replay()
        with monkeypatch.context() as broken:
            broken.setattr(threading.Thread, "start", refuse)
            done = run("cmd")
            assert done.status == 125 and "there is no thread for a handler or a predicate: can't start new thread" in done.err
        assert run("cmd") == (0, "x", "")
        with pytest.raises(VerificationError):
            mox.verify()
    _server.end_all()
