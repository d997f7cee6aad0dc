#!/usr/bin/env python3
"""Runs the scenarios of tests/conformance through the Python package:

    PYTHONPATH=build/dev/python CMDMOX_PROGRAM=build/dev/bin/cmdmox run_python.py tests/conformance/scenarios [NAME...]
"""

import contextlib
import os
import subprocess
import threading

import cmdmox
import common
from cmdmox import Chunk, CmdMox, CmdMoxError, File, Predicate, UnverifiedError, VerificationError
from common import Mismatch, bytes_of, list_of, require, told

ENDING = threading.Event()  # what hangs does so until the scenario ends


# ---- Handlers and predicates


def fail(text):
    raise RuntimeError(text)


def run(words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, env=os.environ).stdout


HANDLERS = {
    "echo-args": lambda call: b"".join(arg + b"\n" for arg in call.args_bytes),
    "echo-stdin": lambda call: call.stdin_bytes,
    "echo-env": lambda call, name: call.environ_bytes.get(name, b"(not set)"),
    "answer": lambda call, out, err, status: (out, err, int(status)),
    "fail": lambda call, text: fail(text.decode()),
    "hang": lambda call: ENDING.wait() and None,
    "nonsense": lambda call: ("", "", 256),
    "run": lambda call, *words: run(words),
}

PREDICATES = {
    "is-even": lambda value: value[-1:] in (b"0", b"2", b"4", b"6", b"8"),
    "has-an-ff": lambda value: b"\xff" in value,
    "hangs": lambda value: ENDING.wait(),
    "raises": lambda value: fail("the predicate gave up"),
}


def handler_of(words):
    name, *rest = list_of(words)
    function = HANDLERS[name.decode()]
    return lambda call: function(call, *rest)


# ---- Texts, as a test in Python has them: any bytes


def text_of(value):
    return bytes_of(value).decode("utf-8", "surrogateescape")


def texts_of(values):
    return [text.decode("utf-8", "surrogateescape") for text in list_of(values)]


# ---- Matchers


def all_of(values):
    return [matcher_of(value) for value in values]


MATCHERS = {
    "any": lambda _: cmdmox.Any(),
    "unset": lambda _: cmdmox.Unset(),
    "starts_with": lambda text: cmdmox.StartsWith(text_of(text)),
    "ends_with": lambda text: cmdmox.EndsWith(text_of(text)),
    "contains": lambda text: cmdmox.Contains(text_of(text)),
    "regex": lambda text: cmdmox.Regex(text_of(text)),
    "glob": lambda text: cmdmox.Glob(text_of(text)),
    "json_equals": lambda text: cmdmox.JsonEquals(text_of(text)),
    "is_a": cmdmox.IsA,
    "one_of": lambda texts: cmdmox.OneOf(*texts_of(texts)),
    "all_of": lambda values: cmdmox.AllOf(*all_of(values)),
    "any_of": lambda values: cmdmox.AnyOf(*all_of(values)),
    "not": lambda value: cmdmox.Not(matcher_of(value)),
    "rest": lambda value: cmdmox.Rest(matcher_of(value)),
    "any_order": lambda values: cmdmox.AnyOrder(*all_of(values)),
    "args_contain": lambda values: cmdmox.ArgsContain(*all_of(values)),
    "flag": lambda said: cmdmox.Flag(said["name"], matcher_of(said["value"])),
    "predicate": lambda name: Predicate(PREDICATES[name], name, as_bytes=True),
}


def matcher_of(value):
    if isinstance(value, str) or "base64" in value or "repeat" in value:
        return text_of(value)
    (name, said), = value.items()
    require(name in MATCHERS, f"no such matcher: {name}")
    return MATCHERS[name](said)


# ---- Answers


def chunk_of(stdout=None, stderr=None, after_ms=0):
    return Chunk(text_of(stderr if stdout is None else stdout), after_ms / 1000, stdout is None)


def file_of(path, content="", mode=None):
    return File(text_of(path), text_of(content), mode and int(mode, 8))


def reply_of(stdout="", stderr="", exit_code=0, signal=None, delay_ms=0, hang=False, gate=None, chunks=(), files=(), **times):
    return {"stdout": text_of(stdout), "stderr": text_of(stderr), "exit_code": exit_code, "signal": signal, "delay": delay_ms / 1000,
            "hang": hang, "gate": gate, "chunks": [chunk_of(**each) for each in chunks], "files": [file_of(**each) for each in files],
            **times}


def passing_of(timeout_ms=None, kill_after_ms=None, program=None, **how):
    return {"program": program and common.program_path(program), "timeout": timeout_ms and timeout_ms / 1000, "kill_after": kill_after_ms and kill_after_ms / 1000, **how}


def running_of(said):
    return {"times": said["times"], "handler": handler_of(said["handler"])} if isinstance(said, dict) else {"handler": handler_of(said)}


def capture_of(max_bytes=None, deadline_ms=None):
    return {"max_bytes": max_bytes, "deadline": deadline_ms and deadline_ms / 1000}


# How the value of a refinement is given to the method of that name.
ARGUMENTS = {
    "with_args": lambda stage, value: (texts_of(value), {}),
    "with_matching_args": lambda stage, value: (all_of(value), {}),
    "with_stdin": lambda stage, value: ([matcher_of(value)], {}),
    "with_cwd": lambda stage, value: ([matcher_of(value)], {}),
    "with_env": lambda stage, value: ([{name: None if its is None else text_of(its) for name, its in value.items()}], {}),
    "capture_stdin": lambda stage, value: ([], capture_of(**value)),
    "between": lambda stage, value: (value, {}),
    "after": lambda stage, value: ([stage.doubles[value]], {}),
    **dict.fromkeys(["times", "at_least", "at_most"], lambda stage, value: ([value], {})),
    **dict.fromkeys(["drain_stdin", "never", "any_times", "any_order"], lambda stage, value: ([], {})),
    **dict.fromkeys(["returns", "returns_once", "returns_times"], lambda stage, value: ([], reply_of(**value))),
    **dict.fromkeys(["passthrough", "passthrough_once", "passthrough_times"], lambda stage, value: ([], passing_of(**value))),
    **dict.fromkeys(["runs", "runs_once", "runs_times"], lambda stage, value: ([], running_of(value))),
}


class PythonStage(common.Stage):
    dialect = "python"
    provided = frozenset(["handlers", "predicates", "failing-predicates", "refine", "live", "recording", "mistakes", "gates", "passthrough",
                          "contained", "absent", "assertions", "drain_stdin", "journal-bound", "raw", "reports", "forget", "findings", "journal", "reasons"])

    def __init__(self):
        super().__init__()
        self.session = None
        self.doubles = {}

    def close(self):
        super().close()
        ENDING.set()
        if self.session:
            self.session.settle()

    @property
    def mox(self):
        if self.session is None:
            self.session = CmdMox(connect=self.address)
        return self.session

    def count(self, name):
        return self.doubles[name].call_count

    def release(self, gate):
        return self.mox.release(gate)

    @contextlib.contextmanager
    def refused(self, fails):
        try:
            yield
        except CmdMoxError as error:
            require(fails, f"refused with {error.reason}: {error}")
            require(error.reason == fails["reason"], f"is to fail with {fails['reason']}, and ended with {error.reason}: {error}")
            self.texts.expect("the mistake", fails.get("says", {"any": True}), told(str(error).encode()))
        else:
            require(not fails, f"is to fail with {fails}, and is fine")

    # ---- Steps that declare

    def step_session(self, options, fails=None):
        options = dict(options)
        deadline = options.pop("callback_deadline_ms", None)
        if "report" in options:
            os.environ["CMOX_REPORT"] = options.pop("report")
        with self.refused(fails):
            self.session = CmdMox(connect=self.address, callback_deadline=deadline and deadline / 1000, **options)
        os.environ.pop("CMOX_REPORT", None)

    def declare(self, kind, command, name=None, that=(), fails=None):
        with self.refused(fails):
            double = self.doubles[name or command] = getattr(self.mox, kind)(text_of(command))
            self.refine(double, that)

    def step_mock(self, command, **others):
        self.declare("mock", command, **others)

    def step_stub(self, command, **others):
        self.declare("stub", command, **others)

    def step_spy(self, command, **others):
        self.declare("spy", command, **others)

    def step_refine(self, name, that, fails=None):
        with self.refused(fails):
            self.refine(self.doubles[name], that)

    def refine(self, double, that):
        for refinement in that:
            (name, value), = refinement.items()
            if name == "with_matching_env":
                for variable, its in value.items():
                    double.with_matching_env(variable, matcher_of(its))
                continue
            require(name in ARGUMENTS, f"no such refinement: {name}")
            args, named = ARGUMENTS[name](self, value)
            getattr(double, name)(*args, **named)

    def step_in_order(self, names, fails=None):
        with self.refused(fails):
            self.mox.in_order(*(self.doubles[name] for name in names))

    def step_in_sequence(self, sequence, doubles, fails=None):
        with self.refused(fails):
            self.mox.in_sequence(sequence, *(self.doubles[name] for name in doubles))

    def step_register(self, command, fails=None):
        with self.refused(fails):
            self.mox.register_command(bytes_of(command))

    def step_allow(self, command, fails=None):
        with self.refused(fails):
            self.mox.allow(bytes_of(command))

    def step_absent(self, command, fails=None):
        with self.refused(fails):
            self.mox.absent(bytes_of(command))

    def step_default(self, answer, fails=None):
        (kind, how), = answer.items()
        with self.refused(fails):
            if kind == "returns":
                self.mox.default_returns(**reply_of(**how))
            elif kind == "passthrough":
                self.mox.default_passthrough(**passing_of(**how))
            else:
                self.mox.default_fails()

    # ---- Steps that judge

    def step_replay(self, _, fails=None):
        with self.refused(fails):
            self.mox.replay()

    def step_verify(self, result, findings=None, text="", fails=None):
        if result == "refused":
            with self.refused(fails):
                self.mox.verify()
            return
        try:
            report = self.mox.verify()
            passed, found, said = "passes", report.findings, report.text
        except VerificationError as error:
            passed, found, said = "fails", error.findings, str(error)
        require(passed == result, f"verification {result} was expected, and it {passed}: {said}")
        kinds = [finding.kind for finding in found]
        require(findings is None or kinds == findings, f"findings: expected {findings}, actual {kinds}")
        if text or passed == "passes":
            self.texts.expect("the report", text, told(said.encode()))

    def asserted(self, method, *args, fails=None, **named):
        try:
            method(*args, **named)
        except VerificationError as error:
            require(fails is not None, f"the assertion fails: {error}")
            self.texts.expect("the assertion", fails, told(str(error).encode()))
        else:
            require(fails is None, "the assertion passes")

    def step_assert_called(self, name, **others):
        self.asserted(self.doubles[name].assert_called, **others)

    def step_assert_not_called(self, name, **others):
        self.asserted(self.doubles[name].assert_not_called, **others)

    def step_assert_called_with(self, name, args, **others):
        self.asserted(self.doubles[name].assert_called_with, *all_of(args), **others)

    def step_assert_any_call(self, name, args, **others):
        self.asserted(self.doubles[name].assert_any_call, *all_of(args), **others)

    def step_assert_has_calls(self, name, calls, **others):
        self.asserted(self.doubles[name].assert_has_calls, [all_of(call) for call in calls], **others)

    def step_assert_has_calls_in_any_order(self, name, calls, **others):
        self.step_assert_has_calls(name, calls, any_order=True, **others)

    def step_call_count(self, name, number):
        require(self.count(name) == number, f"{name}: expected {number} calls, actual {self.count(name)}")

    def step_journal(self, calls, dropped=None):
        self.calls(calls, self.mox.journal)
        require(dropped is None or self.mox.dropped == dropped, f"dropped: expected {dropped}, actual {self.mox.dropped}")

    def step_invocations(self, name, calls):
        self.calls(calls, self.doubles[name].invocations)

    def calls(self, wanted, actual):
        require(len(wanted) == len(actual), f"expected {len(wanted)} calls, actual {actual}")
        for entry, call in zip(wanted, actual):
            for field, value in entry.items():
                self.call_field(field, value, call)
            for name in ("command", "args", "stdin", "stdout", "stderr", "cwd"):
                twin = getattr(call, f"{name}_bytes")
                decoded = [each.decode("utf-8", "surrogateescape") for each in twin] if name == "args" else twin.decode("utf-8", "surrogateescape")
                require(getattr(call, name) == decoded, f"call {call.id}: {name} is not {name}_bytes")

    def call_field(self, field, value, call):
        texts = {"command": call.command_bytes, "stdin": call.stdin_bytes, "stdout": call.stdout_bytes, "cwd": call.cwd_bytes,
                 "stderr": told(call.stderr_bytes), "passthrough_failure": call.passthrough_failure.encode()}
        others = {"args": call.args_bytes, "argc": len(call.argv_bytes), "exit_code": call.exit_code, "signal": call.signal,
                  "verdict": call.verdict.replace(" ", "_"), "state": call.state, "timed_out": call.timed_out,
                  "stdin_truncated": call.stdin_capture.truncated, "stdout_length": call.stdout_capture.length,
                  "env_entries": call.environ_entries_bytes}
        if field in texts:
            self.texts.expect(f"call {call.id}, {field}", value, texts[field])
        elif field == "env":
            for name, its in value.items():
                found = call.environ_bytes.get(name.encode())
                require(found == (None if its is None else bytes_of(its)), f"variable {name}: expected {its}, actual {found}")
        else:
            require(field in others, f"a call has no {field}")
            expected = list_of(value) if isinstance(value, list) else value
            require(expected == others[field], f"call {call.id}, {field}: expected {str(value)[:200]}, actual {str(others[field])[:200]}")

    def step_forget(self, _):
        try:
            self.mox.close()
        except UnverifiedError:
            return
        raise Mismatch("a session that nobody verified ends without a word")


common.main(PythonStage)
