"""A double: one expectation of a session. Each word refines it, is sent at once, and returns the double.

A double has one list of arguments, one stdin, one working directory, one count and one lasting answer: saying it again
replaces the whole of what was said before. Variables, turns of returns_once() and places in sequences add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union, overload

from cmdmox import _answers
from cmdmox._answers import Chunks, Files, Response, Signal, Text
from cmdmox._callbacks import Handler
from cmdmox._control import Control, said
from cmdmox._errors import BuilderError, VerificationError, error_of
from cmdmox._invocation import Invocation
from cmdmox._location import Location
from cmdmox._text import Duration, Value, decode, describe, encode, ms, whole
from cmdmox.matchers import Argument, Matching, Table, Unset, is_unset, name_of, variable_name
from cmdmox.v1 import control_pb2, double_pb2, matcher_pb2, shim_pb2

if TYPE_CHECKING:
    from cmdmox._session import CmdMox

KINDS = {"stub": double_pb2.DOUBLE_KIND_STUB, "mock": double_pb2.DOUBLE_KIND_MOCK, "spy": double_pb2.DOUBLE_KIND_SPY}

Variables = Union[Mapping[str, Optional[Value]], Mapping[bytes, Optional[Value]], Mapping[Text, Optional[Value]]]

D = TypeVar("D", bound="Double")

_NOTHING = object()  # where None is a value


class Double:
    """Made by CmdMox.mock(), stub() and spy(). Without further words it accepts every call of its command and answers
    with nothing and exit status 0."""

    def __init__(self, mox: CmdMox, control: Control, kind: str, command: Value, where: Location) -> None:
        self.mox = mox
        self.kind = kind
        self.location = where
        self._control = control
        self.command_bytes = encode(command, "command")
        request = control_pb2.CreateDoublesRequest(doubles=[double_pb2.Double(
            command=self.command_bytes, kind=KINDS[kind], location=where.message())])
        self.id: int = control.ask("CreateDoubles", request, control_pb2.CreateDoublesResponse).double_ids[0]

    @property
    def command(self) -> str:
        return decode(self.command_bytes)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.command} ({self.location})>"

    def _table(self) -> Table:
        return Table(self._control.callbacks.add)

    def _patch(self, patch: double_pb2.Double) -> None:
        self._control.update(self.id, patch)

    # ---- What it accepts --------------------------------------------------------------------------------------------

    def with_args(self: D, *args: Argument) -> D:
        """Exactly these arguments; without any: none. Matchers may stand among them."""
        with said("with_args"):
            self._match_args(args)
        return self

    def with_matching_args(self: D, *matchers: Argument) -> D:
        """As many arguments as matchers, each accepted by its own; Rest, AnyOrder, ArgsContain and Flag speak of
        several."""
        with said("with_matching_args"):
            self._match_args(matchers)
        return self

    def _match_args(self, args: Sequence[Argument]) -> None:
        self._patch(pattern_of(self._table(), args))

    def with_stdin(self: D, expected: Matching) -> D:
        """Calls whose whole stdin is this, or is accepted by the matcher. Reads the caller's stdin, to its end; a call
        whose stdin has no end within 5 s is unexpected."""
        with said("with_stdin"):
            table = self._table()
            facet = matcher_pb2.StdinMatcher(node=table.add(expected))
            self._patch(double_pb2.Double(stdin_match=facet, matchers=table.nodes))
        return self

    def with_stdin_bytes(self: D, expected: bytes) -> D:
        """The same of bytes."""
        with said("with_stdin_bytes"):
            if not isinstance(expected, bytes):
                raise BuilderError(f"stdin is {describe(expected)}: give bytes, or say with_stdin()")
            table = self._table()
            facet = matcher_pb2.StdinMatcher(node=table.add(expected))
            self._patch(double_pb2.Double(stdin_match=facet, matchers=table.nodes))
        return self

    def with_cwd(self: D, expected: Matching) -> D:
        """Calls from this working directory."""
        with said("with_cwd"):
            table = self._table()
            facet = matcher_pb2.CwdMatcher(node=table.add(expected))
            self._patch(double_pb2.Double(cwd_match=facet, matchers=table.nodes))
        return self

    def with_matching_env(self: D, name: Text, expected: Union[Matching, Type[Unset]]) -> D:
        """Calls whose environment has this variable accepted by the matcher; with Unset(), calls that do not have
        it."""
        with said("with_matching_env"):
            table = self._table()
            item = matcher_pb2.EnvMatcherItem(name=variable_name(name))
            if is_unset(expected):
                item.absent = True
            else:
                item.node = table.add(expected)
            facet = matcher_pb2.EnvMatcher(append=True, items=[item])
            self._patch(double_pb2.Double(env_match=facet, matchers=table.nodes))
        return self

    @overload
    def with_env(self: D, name: Variables) -> D: ...

    @overload
    def with_env(self: D, name: Text, value: Optional[Value]) -> D: ...

    def with_env(self: D, name: Union[Text, Variables], value: object = _NOTHING) -> D:
        """Gives the call these variables: one that has another value is not accepted, and where it is missing it is set
        for what handles the call, and in the journal. A value of None removes it."""
        with said("with_env"):
            if not isinstance(name, Mapping) and value is _NOTHING:
                raise BuilderError(f"the value of {name!r} is missing: give a text, or None to remove the variable")
            changes: Iterable[Tuple[object, object]] = name.items() if isinstance(name, Mapping) else [(name, value)]
            facet = double_pb2.EnvInjection(append=True)
            for each, its in changes:
                change = shim_pb2.EnvChange(name=variable_name(each))
                if its is not None:
                    change.value = encode(its, f"value of {decode(change.name)}")
                facet.changes.append(change)
            self._patch(double_pb2.Double(env_injection=facet))
        return self

    def capture_stdin(self: D, max_bytes: Optional[int] = None, deadline: Optional[Duration] = None) -> D:
        """Reads the caller's stdin into the journal: at most so many bytes (16 MiB), for so many seconds (5). Without
        this and with_stdin() stdin is left alone: it belongs to the caller."""
        with said("capture_stdin"):
            policy = double_pb2.StdinPolicy(
                mode=double_pb2.STDIN_MODE_CAPTURE, max_bytes=0 if max_bytes is None else whole(max_bytes, "max_bytes", 1),
                deadline_ms=0 if deadline is None else max(ms(deadline, "deadline"), 1))
            self._patch(double_pb2.Double(stdin_policy=policy))
        return self

    def drain_stdin(self: D) -> D:
        """Reads the caller's stdin to its end and drops it: who writes to the command gets no SIGPIPE."""
        with said("drain_stdin"):
            self._patch(double_pb2.Double(stdin_policy=double_pb2.StdinPolicy(mode=double_pb2.STDIN_MODE_DRAIN)))
        return self

    # ---- What it answers --------------------------------------------------------------------------------------------

    def _act(self, action: double_pb2.DoubleAction, repeat: int) -> None:
        action.repeat = repeat
        self._patch(double_pb2.Double(actions=double_pb2.ActionList(append=True, items=[action])))

    def returns(self: D, stdout: Union[Text, Response] = "", stderr: Text = "", exit_code: int = 0, *,
                signal: Optional[Signal] = None, delay: Duration = 0, hang: bool = False, gate: Optional[str] = None,
                chunks: Chunks = (), files: Files = ()) -> D:
        """What it answers from here on: first the chunks, then, after `delay` seconds, the files, stdout and stderr; at
        a gate only when release() names it. A Response says all of it at once."""
        with said("returns"):
            self._act(_answers.action_of(stdout, stderr, exit_code, signal, delay, hang, gate, chunks, files), 0)
        return self

    def returns_bytes(self: D, stdout: bytes = b"", stderr: bytes = b"", exit_code: int = 0) -> D:
        """The same with bytes."""
        with said("returns_bytes"):
            for name, value in (("stdout", stdout), ("stderr", stderr)):
                if not isinstance(value, bytes):
                    raise BuilderError(f"{name} is {describe(value)}: give bytes, or say returns()")
            self._act(_answers.reply_action(Response(stdout, stderr, exit_code)), 0)
        return self

    def returns_once(self: D, stdout: Union[Text, Response] = "", stderr: Text = "", exit_code: int = 0, *,
                     signal: Optional[Signal] = None, delay: Duration = 0, hang: bool = False, gate: Optional[str] = None,
                     chunks: Chunks = (), files: Files = ()) -> D:
        """What it answers to the next call only. Said again, the turns follow each other; then comes what returns()
        said, or else the last turn again."""
        with said("returns_once"):
            self._act(_answers.action_of(stdout, stderr, exit_code, signal, delay, hang, gate, chunks, files), 1)
        return self

    def returns_times(self: D, times: int, stdout: Union[Text, Response] = "", stderr: Text = "", exit_code: int = 0, *,
                      signal: Optional[Signal] = None, delay: Duration = 0, hang: bool = False, gate: Optional[str] = None,
                      chunks: Chunks = (), files: Files = ()) -> D:
        """The same for the next calls, so many."""
        with said("returns_times"):
            turns = whole(times, "times", 1)
            self._act(_answers.action_of(stdout, stderr, exit_code, signal, delay, hang, gate, chunks, files), turns)
        return self

    def runs(self: D, handler: Handler) -> D:
        """Has a function of the test's answer. It gets a Call, and returns None, its stdout, a tuple (stdout, stderr,
        exit_code), or a Response. It runs on a thread of its own, while the code under test waits; what it raises fails
        the call and the test."""
        with said("runs"):
            self._run(handler, 0)
        return self

    def runs_once(self: D, handler: Handler) -> D:
        """Has it answer the next call only."""
        with said("runs_once"):
            self._run(handler, 1)
        return self

    def runs_times(self: D, times: int, handler: Handler) -> D:
        """Has it answer the next calls, so many."""
        with said("runs_times"):
            self._run(handler, whole(times, "times", 1))
        return self

    def _run(self, handler: Handler, repeat: int) -> None:
        if not callable(handler):
            raise BuilderError(f"the handler is {describe(handler)}: give a function that takes the call")
        number = self._control.callbacks.add(handler)
        self._act(double_pb2.DoubleAction(handler=number, handler_name=name_of(handler)), repeat)

    def passthrough(self: D, *, timeout: Optional[Duration] = None, kill_after: Optional[Duration] = None,
                    capture_max_bytes: Optional[int] = None, captured: bool = True, gate: Optional[str] = None,
                    program: Optional[Value] = None) -> D:
        """Has the real command run; the journal has what it wrote, and with capture_stdin() what it read. After
        `timeout` seconds it gets TERM, and `kill_after` (5) seconds later KILL. captured=False: stdout and stderr are
        its own, and not kept. `program` is a path: this runs in place of the real command, with the call's arguments,
        environment, directory and stdin."""
        with said("passthrough"):
            self._act(_answers.pass_action(timeout, kill_after, capture_max_bytes, captured, gate, program), 0)
        return self

    def passthrough_once(self: D, *, timeout: Optional[Duration] = None, kill_after: Optional[Duration] = None,
                         capture_max_bytes: Optional[int] = None, captured: bool = True, gate: Optional[str] = None,
                         program: Optional[Value] = None) -> D:
        """Has it run for the next call only."""
        with said("passthrough_once"):
            self._act(_answers.pass_action(timeout, kill_after, capture_max_bytes, captured, gate, program), 1)
        return self

    def passthrough_times(self: D, times: int, *, timeout: Optional[Duration] = None, kill_after: Optional[Duration] = None,
                          capture_max_bytes: Optional[int] = None, captured: bool = True, gate: Optional[str] = None,
                          program: Optional[Value] = None) -> D:
        """Has it run for the next calls, so many."""
        with said("passthrough_times"):
            turns = whole(times, "times", 1)
            self._act(_answers.pass_action(timeout, kill_after, capture_max_bytes, captured, gate, program), turns)
        return self

    # ---- How often, and in which order ----------------------------------------------------------------------------------

    def _count(self, function: str, least: int, most: Optional[int]) -> None:
        with said(function):
            if self.kind != "mock":
                raise BuilderError(f"a {self.kind} may be called any number of times; make it a mock to count its calls")
            facet = double_pb2.Count(minimum=whole(least, "the number of calls"))
            if most is not None:
                facet.maximum = whole(most, "the number of calls")
                if facet.maximum < facet.minimum:
                    raise BuilderError(f"the least number of calls, {least}, is above the greatest, {most}")
            self._patch(double_pb2.Double(count=facet))

    def times(self: D, n: int) -> D:
        """A mock must be called exactly so often; once when nothing is said."""
        self._count("times", n, n)
        return self

    def never(self: D) -> D:
        self._count("never", 0, 0)
        return self

    def at_least(self: D, n: int) -> D:
        self._count("at_least", n, None)
        return self

    def at_most(self: D, n: int) -> D:
        self._count("at_most", 0, n)
        return self

    def between(self: D, least: int, most: int) -> D:
        self._count("between", least, most)
        return self

    def any_times(self: D) -> D:
        self._count("any_times", 0, None)
        return self

    def in_order(self: D) -> D:
        """A mock that must be called after those that said so before it."""
        with said("in_order"):
            self._take_place("")
        return self

    def in_sequence(self: D, name: str) -> D:
        """The same in an order of this name, beside others."""
        with said("in_sequence"):
            self._take_place(name)
        return self

    def _take_place(self, sequence: str) -> None:
        """The next place of a sequence. Places only grow, so that each order goes on where it ended."""
        if not isinstance(sequence, str):
            raise BuilderError(f"the name of the sequence is {describe(sequence)}: give a str")
        step = double_pb2.SequenceStep(sequence=sequence, position=self.mox._next_position())
        self._patch(double_pb2.Double(sequences=double_pb2.SequenceList(append=True, steps=[step])))

    def any_order(self: D) -> D:
        """Takes a mock out of all sequences again."""
        with said("any_order"):
            self._patch(double_pb2.Double(sequences=double_pb2.SequenceList()))
        return self

    def after(self: D, before: Double) -> D:
        """A mock that may be called only when the other double has had its least number of calls."""
        with said("after"):
            if not isinstance(before, Double):
                raise BuilderError(f"the double before it is {describe(before)}: give a double")
            if before.mox is not self.mox:
                raise BuilderError("the doubles belong to two sessions")
            self._patch(double_pb2.Double(after=double_pb2.Predecessors(append=True, double_ids=[before.id])))
        return self

    # ---- What calls there were --------------------------------------------------------------------------------------

    @property
    def invocations(self) -> List[Invocation]:
        """The calls that it took, in order of start."""
        with said("invocations"):
            return self._control.invocations(self.id)

    @property
    def call_count(self) -> int:
        """How many calls it took."""
        with said("call_count"):
            return self._control.count(self.id)

    def _assert(self, function: str, assertion: control_pb2.CallAssertion, calls: Sequence[Sequence[Argument]] = ()) -> None:
        with said(function) as where:
            patterns = []
            for call in calls:
                if isinstance(call, (str, bytes)) or not isinstance(call, Sequence):
                    raise BuilderError(f"a call is {describe(call)}: give the list of its arguments")
                patterns.append(pattern_of(Table(_no_predicate), call))
            request = control_pb2.AssertCallsRequest(double_id=self.id, assertion=assertion, patterns=patterns)
            answer = self._control.ask("AssertCalls", request, control_pb2.AssertCallsResponse)
        if not answer.passed:
            raise VerificationError(f"{where}: {function}: {answer.text}")

    def assert_called(self) -> None:
        """At least once."""
        self._assert("assert_called", control_pb2.CALL_ASSERTION_CALLED)

    def assert_not_called(self) -> None:
        self._assert("assert_not_called", control_pb2.CALL_ASSERTION_NOT_CALLED)

    def assert_called_once(self) -> None:
        """Exactly once."""
        self._assert_count("assert_called_once", 1)

    def assert_call_count(self, n: int) -> None:
        """Exactly so often."""
        self._assert_count("assert_call_count", n)

    def _assert_count(self, function: str, n: int) -> None:
        with said(function) as where:
            found = self._control.count(self.id)
            if found == whole(n, "the number of calls"):
                return
            shown = self._control.invocations(self.id)[:20]
        calls = "".join(f"\n  {each.line}" for each in shown)
        more = f"\n  and {found - len(shown)} more" if found > len(shown) else ""
        raise VerificationError(f"{where}: {function}: {self.kind} {self.command} ({self.location}): expected "
                                f"{n} call{'s' * (n != 1)}, actual {found}{calls}{more}")

    def assert_called_with(self, *args: Argument) -> None:
        """The last call had these arguments."""
        self._assert("assert_called_with", control_pb2.CALL_ASSERTION_CALLED_WITH, [args])

    def assert_called_once_with(self, *args: Argument) -> None:
        """There was exactly one call, with these arguments."""
        self._assert_count("assert_called_once_with", 1)
        self._assert("assert_called_once_with", control_pb2.CALL_ASSERTION_CALLED_WITH, [args])

    def assert_any_call(self, *args: Argument) -> None:
        """One of the calls had these arguments."""
        self._assert("assert_any_call", control_pb2.CALL_ASSERTION_ANY_CALL, [args])

    def assert_has_calls(self, calls: Sequence[Sequence[Argument]], any_order: bool = False) -> None:
        """These calls, each the list of its arguments, one after the other and nothing between; or each of them, in any
        order."""
        assertion = control_pb2.CALL_ASSERTION_HAS_CALLS_IN_ANY_ORDER if any_order else control_pb2.CALL_ASSERTION_HAS_CALLS
        self._assert("assert_has_calls", assertion, calls)


def pattern_of(table: Table, args: Sequence[Argument]) -> double_pb2.Double:
    """A double that says arguments only."""
    argv = matcher_pb2.ArgvMatcher()
    for number, arg in enumerate(args, 1):
        try:
            argv.items.append(table.item(arg))
        except BuilderError as error:
            raise error_of(error.reason, f"argument {number}: {error.message}") from None
    return double_pb2.Double(argv=argv, matchers=table.nodes)


def _no_predicate(predicate: object) -> int:
    raise error_of("INVALID_ARGUMENT", "an assertion about calls takes no functions: look at `invocations`, and judge them yourself")


