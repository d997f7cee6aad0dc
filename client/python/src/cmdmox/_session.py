"""A session: record, replay, verify."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from types import TracebackType
from typing import Dict, Iterable, List, Optional, Type, Union

from cmdmox import _answers, _living, _server
from cmdmox._answers import Chunks, Files, Response, Signal, Text
from cmdmox._control import Control, said
from cmdmox._double import Double
from cmdmox._environment import Applied
from cmdmox._errors import BuilderError, CmdMoxError, UnverifiedError, VerificationError, error_of
from cmdmox._invocation import Invocation, mapping_of
from cmdmox._location import Location, caller
from cmdmox._report import Report, report_of
from cmdmox._text import Duration, Value, decode, describe, encode, ms, utf8, whole
from cmdmox.v1 import control_pb2, double_pb2

FORMATS = {"text": control_pb2.REPORT_FORMAT_UNSPECIFIED, "json": control_pb2.REPORT_FORMAT_JSON,
           "junit": control_pb2.REPORT_FORMAT_JUNIT, "tap": control_pb2.REPORT_FORMAT_TAP}

#: asyncio's and trio's, by name: neither is imported for this.
_CANCELLED = ("CancelledError", "Cancelled")


class CmdMox:
    """Doubles for commands: declare them, replay(), run the code under test, verify().

        with CmdMox() as mox:
            mox.mock("git").with_args("describe", "--tags").returns("v1.4.0\\n")
            mox.replay()
            assert release_version() == "v1.4.0"

    The block verifies when it is left, and ends the session. If it is left by an exception, that one is raised, with
    the report as a note; by one that nobody would print (sys.exit(), a generator that is closed, a cancelled task), the
    report is written to stderr, and the process ends with status 1. replay() puts the shims on PATH in os.environ, and verify() takes them off again; with
    environment="none" os.environ stays as it is, and `environ` is for the child that is started.

    label: the test's name, for reports. contained: the shims stand in the place of PATH, so that nothing runs that has
    no double and is not allowed. max_journal_entries: how many calls the journal keeps. callback_deadline: seconds that
    a handler or a predicate may take (30). path: PATH of the code under test, if it is not this process's. cmdmox: the
    program. connect: the address of a server that listens, in place of a child of this process.
    """

    def __init__(self, *, label: str = "", contained: bool = False, max_journal_entries: Optional[int] = None,
                 callback_deadline: Optional[Duration] = None, path: Optional[str] = None, environment: str = "apply",
                 verify_on_exit: bool = True, cmdmox: Optional[str] = None, connect: Optional[str] = None) -> None:
        self._closed = True  # until there is something to close
        self.location = caller()
        with said("CmdMox", self.location):
            if environment not in ("apply", "none"):
                raise BuilderError(f"environment is {describe(environment)}: give \"apply\" or \"none\"")
            if connect is not None and cmdmox is not None:
                raise BuilderError("cmdmox= is the program of a server that is started here; the one at connect= has its own")
            self._format = os.environ.get("CMOX_REPORT") or "text"
            if self._format not in FORMATS:
                raise BuilderError(f"CMOX_REPORT is \"{self._format}\": write text, json, junit or tap")
            self.label = utf8(label, "label")
            self.verify_on_exit = verify_on_exit
            self._apply_environment = environment == "apply"
            self._pid = os.getpid()
            self._own_path = os.environb.get(b"PATH") if path is None else encode(path, "path")
            self._path_said = path is not None
            self._path_fixed = contained
            request = self._request(contained, max_journal_entries, callback_deadline)
            self.server = _server.connected(connect) if connect is not None else _server.shared(cmdmox)
            self._own_server = connect is not None
            try:
                self._control = Control(self.server, request)
            except BaseException:
                if self._own_server:
                    self.server.end()
                raise
        self._entries = list(self._control.created.env_block)
        self._applied = Applied()
        self._doubles: Dict[int, Double] = {}
        self._lock = threading.Lock()
        self._position = 0
        self._replayed = self._verified = self._unverified = self._closed = False
        self.last_report: Optional[Report] = None

    def _request(self, contained: bool, entries: Optional[int], deadline: Optional[Duration]) -> control_pb2.CreateSessionRequest:
        request = control_pb2.CreateSessionRequest(label=self.label, dialect="python", contained=bool(contained))
        if self._own_path is not None:
            request.path = self._own_path
        if entries is not None:
            request.max_journal_entries = whole(entries, "max_journal_entries", 1)
        if deadline is not None:
            request.callback_deadline_ms = max(ms(deadline, "callback_deadline"), 1)
        return request

    def __repr__(self) -> str:
        return f"<CmdMox {self.label or self.location} {self.phase}>"

    # ---- Doubles ----------------------------------------------------------------------------------------------------

    def mock(self, command: Value) -> Double:
        """Must be called, once unless times() says otherwise. Each call of this makes a new expectation."""
        return self._double("mock", command)

    def stub(self, command: Value) -> Double:
        """May be called any number of times."""
        return self._double("stub", command)

    def spy(self, command: Value) -> Double:
        """The same, and you ask for its calls afterwards."""
        return self._double("spy", command)

    def _double(self, kind: str, command: Value) -> Double:
        with said(kind) as where:
            double = Double(self, self._open(), kind, command, where)
        self._doubles[double.id] = double
        return double

    @property
    def doubles(self) -> List[Double]:
        """All that were declared, in their order."""
        return list(self._doubles.values())

    def double(self, double_id: int) -> Optional[Double]:
        """That of an Invocation or a Finding; None: of no double."""
        return self._doubles.get(double_id)

    def _next_position(self) -> int:
        """In all sequences: positions only grow."""
        with self._lock:
            self._position += 1
            return self._position - 1

    def in_order(self, *doubles: Double) -> None:
        """Mocks, of whatever commands, that must be called one after the other. Said again, the order goes on where it
        ended."""
        with said("in_order"):
            self._line_up("", doubles)

    def in_sequence(self, name: str, *doubles: Double) -> None:
        """The same in an order of this name, beside others."""
        with said("in_sequence"):
            self._line_up(name, doubles)

    def _line_up(self, name: str, doubles: Iterable[Double]) -> None:
        for number, double in enumerate(doubles, 1):
            if not isinstance(double, Double) or double.mox is not self:
                raise BuilderError(f"{describe(double)}, number {number} of the list, is no double of this session")
            double._take_place(name)

    # ---- Commands without doubles -------------------------------------------------------------------------------------

    def register_command(self, *commands: Value) -> None:
        """Makes shims for commands that have no double: each call of them is unexpected."""
        with said("register_command"):
            request = control_pb2.RegisterCommandsRequest(commands=[encode(each, "command") for each in commands])
            self._open().ask("RegisterCommands", request, control_pb2.RegisterCommandsResponse)

    def allow(self, *commands: Value) -> None:
        """In a contained session: these run for real, the first of each name on PATH."""
        with said("allow"):
            request = control_pb2.AllowCommandsRequest(commands=[encode(each, "command") for each in commands])
            self._open().ask("AllowCommands", request, control_pb2.AllowCommandsResponse)

    def absent(self, *commands: Value) -> None:
        """Has commands look as if they were not installed. Before replay()."""
        with said("absent"):
            request = control_pb2.MakeAbsentRequest(commands=[encode(each, "command") for each in commands])
            try:
                self._open().ask("MakeAbsent", request, control_pb2.MakeAbsentResponse)
            finally:  # those before the one that failed are absent
                if not self._closed:
                    answer = self._control.ask("MakeAbsent", control_pb2.MakeAbsentRequest(), control_pb2.MakeAbsentResponse)
                    self._entries = list(answer.env_block)
                    self._path_fixed = self._path_fixed or bool(commands)

    def default_returns(self, stdout: Union[Text, Response] = "", stderr: Text = "", exit_code: int = 0, *,
                        signal: Optional[Signal] = None, delay: Duration = 0, hang: bool = False, gate: Optional[str] = None,
                        chunks: Chunks = (), files: Files = ()) -> None:
        """What answers the calls that no double accepts, in place of 125 and a finding. The last word counts."""
        with said("default_returns"):
            self._set_default(_answers.action_of(stdout, stderr, exit_code, signal, delay, hang, gate, chunks, files))

    def default_passthrough(self, *, timeout: Optional[Duration] = None, kill_after: Optional[Duration] = None,
                            capture_max_bytes: Optional[int] = None, captured: bool = True, gate: Optional[str] = None,
                            program: Optional[Value] = None) -> None:
        """The real command answers them: a spy on all that the test does not mention."""
        with said("default_passthrough"):
            self._set_default(_answers.pass_action(timeout, kill_after, capture_max_bytes, captured, gate, program))

    def default_fails(self) -> None:
        """They are refused again, as at first."""
        with said("default_fails"):
            self._set_default(None)

    def _set_default(self, action: Optional[double_pb2.DoubleAction]) -> None:
        request = control_pb2.SetDefaultActionRequest(action=action)
        self._open().ask("SetDefaultAction", request, control_pb2.SetDefaultActionResponse)

    # ---- Replay and verify ------------------------------------------------------------------------------------------

    @property
    def phase(self) -> str:
        """"record", "replay", "verified" or "closed"."""
        if self._closed:
            return "closed"
        return "verified" if self._verified else "replay" if self._replayed else "record"

    def replay(self) -> None:
        """From here on calls are answered. Doubles may still be declared and refined, until verify(). Twice is fine."""
        with said("replay"):
            control = self._open()
            control.forbid_in_callback("replay")
            if self._verified:
                raise error_of("BAD_STATE", "this session was verified: make a new one")
            self._follow_path()
            request = control_pb2.ReplayRequest()
            path = self._path_behind()
            if path is not None:
                request.path = path
            applied_before = bool(self._applied)
            try:
                if self._apply_environment:
                    self._applied.apply(mapping_of(self._entries), self._name())
                control.ask("Replay", request, control_pb2.ReplayResponse)
                if not self._replayed:
                    _living.at_exit(_server.end_all)
                    _living.add(self)
                self._replayed = self._unverified = True
            except BaseException:  # an interrupt, too
                if not applied_before:
                    self._applied.restore()
                raise

    def verify(self, *, keep_environment: bool = False) -> Report:
        """Compares what was declared with what happened, and takes the shims off os.environ. Raises VerificationError
        with the report; what is only worth saying is in the report that is returned. May be called again.
        keep_environment: the shims stay until close(), so that commands that still run meet one that refuses, and not
        the real command."""
        with said("verify"):
            control = self._open()
            control.forbid_in_callback("verify")
            if not keep_environment:
                self._applied.restore()
            if not self._replayed:
                raise error_of("BAD_STATE", "this session was never replayed: call replay() before the code under test runs")
            self._unverified = False
            report = self._ask_report(self._format)
        self._verified = True
        self.last_report = report
        if not report.passed:
            raise VerificationError(report.text, report.findings) from control.callbacks.failure
        return report

    def report(self, format: str = "text", color: bool = False) -> Report:
        """What verify() finds, as text, or as JSON, JUnit or TAP; raises nothing when it failed. From here on nothing
        can be declared."""
        with said("report"):
            if format not in FORMATS:
                raise BuilderError(f"format is {describe(format)}: give text, json, junit or tap")
            return self._ask_report(format, color)

    def _ask_report(self, format: str, color: bool = False) -> Report:
        request = control_pb2.VerifyRequest(format=FORMATS[format], color=color)
        return report_of(self._open().ask("Verify", request, control_pb2.VerifyResponse))

    def close(self) -> None:
        """Ends the session and restores the environment. One that was replayed and not verified is verified now and
        raises UnverifiedError, even if nothing is wrong: what nobody looks at must not pass. In a child of fork() it
        does nothing: the parent's session lives on. Twice is fine."""
        if self._closed or os.getpid() != self._pid:
            return
        with said("close"):
            self._control.forbid_in_callback("close")
        text = self.settle()
        if text:
            raise UnverifiedError(text)

    def settle(self) -> Optional[str]:
        """Ends the session, whatever state it is in; what is to be said of one that nobody verified, or None. Raises
        nothing."""
        if self._closed or os.getpid() != self._pid:
            return None
        self._applied.restore()
        text = self._settle_unverified() if self._unverified else None
        self._closed, self._unverified = True, False
        _living.remove(self)
        try:
            self._control.ask("DeleteSession", control_pb2.DeleteSessionRequest(), control_pb2.DeleteSessionResponse)
        except CmdMoxError:
            pass  # the server is gone, and the session with it
        if self._own_server:
            self.server.end()
        return text

    def _settle_unverified(self) -> str:
        try:
            self.last_report = self._ask_report(self._format)
            said_of_it = "would have passed: call it, or no failure is ever seen"
            if not self.last_report.passed:
                said_of_it = f"fails:\n{self.last_report.text}"
        except CmdMoxError as error:
            said_of_it = f"cannot be done any more: {error.message}"
        return f"{self._name()} ends without verify(), which {said_of_it}"

    def _name(self) -> str:
        return f"the session \"{self.label}\" ({self.location})" if self.label else f"the session of {self.location}"

    # ---- The block ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> CmdMox:
        self._open()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if os.getpid() != self._pid or self._closed:
            return
        with said("leaving the with block"):
            self._control.forbid_in_callback("the end of the block")
        try:
            if self.verify_on_exit and self._unverified:
                self.verify()
            elif self.verify_on_exit and not self._replayed and self._doubles and error is None:
                raise error_of("BAD_STATE", f"{self._name()} was never replayed: call replay() before the code under test "
                               "runs, or its calls meet the real commands")
        except CmdMoxError as ours:
            if error is None:
                raise
            if _ends_silently(error):
                _living.lose(f"{self._name()}: {ours.message}")
            else:
                attach(error, ours.message)
        finally:
            self._unverified = False  # the test has said so, or is told already
            self.settle()

    def __del__(self) -> None:
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        warnings.warn(f"cmdmox: {self._name()} was never ended: use it in a with block, or call close()", ResourceWarning,
                      source=self)
        self.server.forget(self._control.session_id)

    # ---- The environment ----------------------------------------------------------------------------------------------

    @property
    def environ(self) -> Dict[str, str]:
        """The environment for the code under test: this process's own as it is now, with the shims on PATH. It says
        what the new program sees, not where that program is looked for: with environment="none" name it by its path, or
        look it up yourself."""
        return {decode(name): decode(value) for name, value in self.environ_bytes.items()}

    @property
    def environ_bytes(self) -> Dict[bytes, bytes]:
        self._follow_path()
        return {**os.environb, **mapping_of(self._entries)}

    @property
    def shim_directory(self) -> str:
        """The directory that goes first on PATH."""
        return decode(self._control.created.shim_directory)

    @property
    def session_id(self) -> bytes:
        """16 bytes; whoever may connect to the server and knows them may use the session."""
        return self._control.session_id

    def _follow_path(self) -> None:
        """PATH of the test may have changed since the session was made."""
        now = self._applied.before(b"PATH")
        if self._path_said or now is None or now == self._own_path:
            return
        if self._path_fixed:
            raise error_of("BAD_STATE", "PATH has changed since this session was made: one that is contained or has absent "
                           "commands is made for PATH as it was then; change it before")
        directory = self._control.created.shim_directory
        if now.startswith(directory + b":"):
            return
        others = [entry for entry in self._entries if not entry.startswith(b"PATH=")]
        self._entries = [*others, b"PATH=" + directory + b":" + now]

    def _path_behind(self) -> Optional[bytes]:
        """What stands behind the shims on PATH, where the server is to hear of it."""
        prefix = b"PATH=" + self._control.created.shim_directory + b":"
        for entry in self._entries:
            if entry.startswith(prefix) and not self._path_fixed and not self._path_said:
                return entry[len(prefix):]
        return None

    # ---- What calls there were --------------------------------------------------------------------------------------

    def invocations(self, command: Optional[Value] = None) -> List[Invocation]:
        """All calls of the session, or of this command, accepted or not, in order of start."""
        with said("invocations"):
            return self._open().invocations(command=b"" if command is None else encode(command, "command"))

    @property
    def journal(self) -> List[Invocation]:
        """invocations() of all commands."""
        with said("journal"):
            return self._open().invocations()

    @property
    def dropped(self) -> int:
        """So many calls there were before those of the journal: max_journal_entries did not keep them."""
        with said("dropped"):
            return next(self._open().pages(0, b"")).dropped

    def call_count(self, command: Optional[Value] = None) -> int:
        """How many calls there were, or of this command."""
        with said("call_count"):
            return self._open().count(command=b"" if command is None else encode(command, "command"))

    def release(self, gate: str) -> int:
        """Answers all calls that wait at this gate; how many."""
        with said("release"):
            request = control_pb2.ReleaseCallsRequest(gate=_answers.gate_name(gate))
            return self._open().ask("ReleaseCalls", request, control_pb2.ReleaseCallsResponse).released

    def _open(self) -> Control:
        if self._closed:
            raise error_of("BAD_STATE", "this session has ended: make a new one")
        return self._control


def attach(error: BaseException, text: str) -> None:
    """Tells of the report beside an exception that is on its way: as its note, or on stderr where nobody would see it."""
    if hasattr(error, "add_note") and not isinstance(error, SystemExit):
        error.add_note(text)
    else:
        sys.stderr.write(f"{text}\n")


def _ends_silently(error: BaseException) -> bool:
    """Whether an exception only steers, so that neither it nor its notes are printed and nothing fails of it."""
    if isinstance(error, SystemExit):
        return error.code in (None, 0)
    cancelled = not isinstance(error, Exception) and any(kind.__name__ in _CANCELLED for kind in type(error).__mro__)
    return cancelled or isinstance(error, GeneratorExit)


__all__ = ["CmdMox", "Location"]
