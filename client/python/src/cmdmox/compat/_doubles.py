"""A double of the Python CmdMox: one for each command, which has one list of arguments."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar, Union

from cmdmox import _answers
from cmdmox._errors import UnimplementedError, VerificationError
from cmdmox._invocation import Call
from cmdmox.compat._comparators import accepts, translated
from cmdmox.compat._errors import ExpectationConfigurationError
from cmdmox.compat._models import Invocation, Response, of_call
from cmdmox.matchers import ListMatcher, name_of

if TYPE_CHECKING:
    from cmdmox.compat._controller import CmdMox

Handler = Callable[[Invocation], Union[Response, _answers.Response, Tuple[str, str, int]]]
D = TypeVar("D", bound="CommandDouble")


class DoubleKind(str, enum.Enum):
    STUB = "stub"
    MOCK = "mock"
    SPY = "spy"

    def __str__(self) -> str:
        return self.value


class CommandDouble:
    """Made by mock(), stub() and spy() of a CmdMox. A stub answers all calls of its command, whatever is said of arguments and stdin;
    of a mock and a spy that is checked. `double` is the one of cmdmox, with all that it can say."""

    T_Kind = DoubleKind

    def __init__(self, name: str, controller: CmdMox, kind: DoubleKind) -> None:
        self.name = name
        self.kind = kind
        self.controller = controller
        self.response = Response()
        self.handler: Optional[Handler] = None
        self.passthrough_mode = False
        #: What times() said.
        self.count: Optional[int] = None
        self.double = getattr(controller.session, kind.value)(name).capture_stdin()
        self._args: Optional[Sequence[object]] = None
        self._stdin: object = None
        self._env: Dict[str, str] = {}

    def __repr__(self) -> str:
        return f"CommandDouble(name={self.name!r}, kind={self.kind.value!r}, response={self.response!r})"

    # ---- What it answers --------------------------------------------------------------------------------------------

    def returns(self: D, stdout: str = "", stderr: str = "", exit_code: int = 0) -> D:
        """The same for each call."""
        self.double.returns(stdout, stderr, exit_code)
        self.response, self.handler, self.passthrough_mode = Response(stdout, stderr, exit_code), None, False
        return self

    def runs(self: D, handler: Handler) -> D:
        """What a function returns: a Response, or (stdout, stderr, exit_code). It is given the Invocation."""

        def answer(call: Call) -> _answers.HandlerResult:
            return _answer(handler(of_call(call)))

        if callable(handler):
            answer.__qualname__ = name_of(handler)
        else:
            raise TypeError(f"the handler is {handler!r}: give a function that takes the invocation")
        self.double.runs(answer)
        self.handler, self.passthrough_mode = handler, False
        return self

    def passthrough(self: D) -> D:
        """A spy on the real command."""
        if self.kind is not DoubleKind.SPY:
            raise ValueError("passthrough() is only valid for spies")
        self.double.passthrough()
        self.passthrough_mode = True
        return self

    def record(self, *_: object, **__: object) -> None:
        raise UnimplementedError("record(): cmdmox has no fixtures yet; keep this test with cmd-mox, or write down what the command answers")

    def replay(self, *_: object, **__: object) -> None:
        raise UnimplementedError("replay(): cmdmox has no fixtures yet; keep this test with cmd-mox, or say what the command answers")

    # ---- What it accepts --------------------------------------------------------------------------------------------

    def with_args(self: D, *args: str) -> D:
        """Exactly these arguments."""
        self._take_args("with_args", args)
        if self._checks:
            self.double.with_args(*args)
        return self

    def with_matching_args(self: D, *matchers: object) -> D:
        """As many arguments as comparators, each accepted by its own. A text stands for itself."""
        theirs = [translated(each) for each in matchers]
        self._take_args("with_matching_args", matchers)
        if self._checks:
            self.double.with_matching_args(*theirs)
        return self

    def with_stdin(self: D, data: object) -> D:
        """Exactly this text, or what a function accepts."""
        matcher = translated(data)
        if isinstance(matcher, ListMatcher):
            raise TypeError(f"{data!r} is for arguments: give a text, or a function that takes the text")
        self._stdin = data
        if self._checks:
            self.double.with_stdin(matcher)
        return self

    def with_env(self: D, mapping: Dict[str, str]) -> D:
        """Gives the call these variables; one that has other values for them is unexpected."""
        self._env = dict(mapping)
        self.double.with_env(mapping)
        return self

    def _take_args(self, function: str, args: Sequence[object]) -> None:
        if self._args is not None:
            raise ExpectationConfigurationError(
                f"{function}: {self.kind} {self.name} ({self.double.location}) has its arguments already, and {self.kind}({self.name!r}) "
                "is the same double again. For several calls write spy(...).runs(handler), or take doubles of cmdmox: "
                f"session.{self.kind}({self.name!r}) is a new one each time")
        self._args = args

    @property
    def _checks(self) -> bool:
        return self.kind is not DoubleKind.STUB

    def matches(self, invocation: Invocation) -> bool:
        """Whether a call is one that it speaks of."""
        args = self._args
        return (invocation.command == self.name
                and (args is None or len(args) == len(invocation.args) and all(map(accepts, args, invocation.args)))
                and (self._stdin is None or accepts(self._stdin, invocation.stdin))
                and all(invocation.env.get(name) == value for name, value in self._env.items()))

    # ---- How often, and in which order ----------------------------------------------------------------------------------

    def times(self: D, count: int) -> D:
        """Exactly so often; a mock once when nothing is said, a spy and a stub as often as it likes."""
        if self.kind is DoubleKind.MOCK:
            self.double.times(count)
        self.count = count
        return self

    def times_called(self: D, count: int) -> D:
        """times(), as one says it of a spy."""
        return self.times(count)

    def in_order(self: D) -> D:
        """A mock that is called after those that said so before it."""
        self.double.in_order()
        return self

    def any_order(self: D) -> D:
        """A mock that is called whenever: as it is when nothing is said."""
        self.double.any_order()
        return self

    # ---- What calls there were --------------------------------------------------------------------------------------

    @property
    def invocations(self) -> List[Invocation]:
        """Those that it took, in order of start."""
        return self.controller.invocations_of(self)

    @property
    def call_count(self) -> int:
        return len(self.invocations)

    @property
    def is_expected(self) -> bool:
        return self.kind is DoubleKind.MOCK

    @property
    def is_recording(self) -> bool:
        return self.kind is not DoubleKind.STUB

    def assert_called(self) -> None:
        """A spy: at least once."""
        if not self._calls("assert_called"):
            raise VerificationError(f"Expected {self.name!r} to be called at least once but it was never called")

    def assert_not_called(self) -> None:
        calls = self._calls("assert_not_called")
        if calls:
            raise VerificationError(f"Expected {self.name!r} to be uncalled but it was called {len(calls)} time(s); the last was {calls[-1]!r}")

    def assert_called_with(self, *args: str, stdin: Optional[str] = None, env: Optional[Dict[str, str]] = None) -> None:
        """A spy: the last call had these arguments, this stdin and this environment, where they are said."""
        calls = self._calls("assert_called_with")
        if not calls:
            raise VerificationError(f"Expected {self.name!r} to be called but it was never called")
        last = calls[-1]
        self._compare("args", tuple(last.args), args)
        if stdin is not None:
            self._compare("stdin", last.stdin, stdin)
        if env is not None and last.env != env:
            names = sorted(name for name in {*last.env, *env} if last.env.get(name) != env.get(name))
            raise VerificationError(f"{self.name!r} called with another environment than expected: {', '.join(names)} differ")

    def _calls(self, function: str) -> List[Invocation]:
        if self.kind is not DoubleKind.SPY:
            raise VerificationError(f"{function}() is only valid for spies")
        return self.invocations

    def _compare(self, what: str, actual: object, expected: object) -> None:
        if actual != expected:
            raise VerificationError(f"{self.name!r} called with {what} {actual!r}, expected {expected!r}")


def _answer(result: object) -> _answers.HandlerResult:
    if isinstance(result, Response):
        return _answers.Response(result.stdout, result.stderr, result.exit_code)
    if isinstance(result, _answers.Response):
        return result
    if isinstance(result, tuple) and len(result) == 3 and isinstance(result[0], str) and isinstance(result[1], str):
        return result[0], result[1], result[2]
    raise TypeError(f"the handler returned {result!r}: return a Response, or a tuple (stdout, stderr, exit_code) of two str and an int")
