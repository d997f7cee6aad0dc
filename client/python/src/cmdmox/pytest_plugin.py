"""The pytest plugin: a session for each test that asks for one.

    def test_release(cmdmox):
        cmdmox.mock("git").with_args("describe", "--tags").returns("v1.4.0\\n")
        assert release_version() == "v1.4.0"

The fixture replays before the test's body, which declares its doubles then; after the body the session is verified, and what is
wrong fails the test. `cmd_mox` is the same session with the names of the Python CmdMox (cmdmox.compat).

@pytest.mark.cmdmox(auto_lifecycle=False), --no-cmdmox-auto-lifecycle, or cmdmox_auto_lifecycle = false in the ini file: the test
calls replay() and verify() by itself. What is said of one test wins over the command line, and that over the ini file.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from typing import Callable, Generator, Iterator, List, Optional, Tuple, TypeVar, cast

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntry, ReprFileLocation, ReprTraceback

from cmdmox import _living
from cmdmox._errors import CmdMoxError, UnverifiedError
from cmdmox._invocation import Invocation
from cmdmox._location import Location, short
from cmdmox._session import CmdMox

#: The names of what a test, the command line and the ini file may say; the second is the ancestor's.
NAMES = ("cmdmox", "cmd_mox")

CALLS_SHOWN = 50

Hook = Generator[None, "_Outcome", None]
H = TypeVar("H", bound=Callable[..., Hook])


class _Outcome:
    """What a hook gets of those that it wraps; pluggy's, of which versions differ."""

    excinfo: Optional[Tuple[type, BaseException, object]]

    def get_result(self) -> pytest.TestReport:
        raise NotImplementedError


def _fail(outcome: _Outcome, error: BaseException) -> None:
    """Has the wrapped hook fail; raising would cut off the wrappers around it before pluggy 1.2."""
    if hasattr(outcome, "force_exception"):
        outcome.force_exception(error)
    else:
        setattr(outcome, "_excinfo", (type(error), error, error.__traceback__))


class Held:
    """The session of a test, and how it ended."""

    def __init__(self, mox: CmdMox, auto: bool) -> None:
        self.mox = mox
        self.auto = auto
        #: How the session is verified: compat has words of its own for what is wrong.
        self.verify: Callable[[], object] = lambda: mox.verify(keep_environment=True)
        self.calls = -1  # until verified

    def judge(self) -> Optional[CmdMoxError]:
        """After the body. The shims stay until the fixture ends, so that no real command runs for a double."""
        if self.mox.phase == "record" and self.mox.doubles:
            return UnverifiedError("cmdmox: the test has declared doubles, and never called replay(): its commands were the real ones")
        if self.mox.phase != "replay":
            return None  # the test did it by itself
        error = None
        try:
            if self.auto:
                self.verify()
            else:
                report = self.mox.report()
                would = "would have passed" if report.passed else f"fails:\n{report.text}"
                raise UnverifiedError(f"cmdmox: the test has called replay(), and not verify(), which {would}")
        except CmdMoxError as found:
            error = found
        try:
            self.calls = self.mox.call_count()
        except CmdMoxError:
            pass  # there is no server any more: that is said already
        return error

    def account(self) -> str:
        """The first calls, one a line."""
        try:
            journal = self.mox.journal if self.mox.phase != "closed" else []
        except CmdMoxError:
            return ""
        lines = [_line(self.mox, call) for call in journal[:CALLS_SHOWN]]
        more = self.mox.call_count() - len(lines) if journal else 0
        return "\n".join([*lines, f"and {more} more"] if more else lines)

    def late(self) -> Optional[str]:
        """What is to be said of calls after that."""
        if self.calls < 0 or self.mox.phase == "closed" or self.mox.call_count() == self.calls:
            return None
        ids = {call.id for call in self.mox.journal[self.calls - self.mox.call_count():]}
        late = [each.message for each in self.mox.report().findings if ids.intersection(each.invocation_ids)]
        return "\n".join([
            "cmdmox: commands were called after the test's body, when its session was verified already; they got status 125:",
            *(f"  {line}" for line in late),
            "Something that the test started still runs; or the teardown of a fixture called them. One that needs the real command",
            "is set up before cmdmox: it does not ask for cmdmox, and the test names it first. One that needs doubles has a session of",
            "its own, or the test verifies by itself: @pytest.mark.cmdmox(auto_lifecycle=False)"])


def _line(mox: CmdMox, call: Invocation) -> str:
    double = mox.double(call.double_id)
    by = f"{double.kind} ({double.location})" if double is not None and call.verdict == "accepted" else call.verdict
    how = call.signal or (f"status {call.exit_code}" if call.exit_code is not None else call.state)
    return f"{call.id}. {call.line}: {how}, {by}" if by else f"{call.id}. {call.line}: {how}"


_HELD: pytest.StashKey[Held] = pytest.StashKey()
_ERROR: pytest.StashKey[CmdMoxError] = pytest.StashKey()


# ---- What is configured --------------------------------------------------------------------------------------------


def _names() -> Tuple[str, ...]:
    """Without the ancestor's, if that is installed: its own plugin has them."""
    if "cmd_mox" in sys.modules:
        ours = getattr(sys.modules["cmd_mox"], "__file__", "") == os.path.join(os.path.dirname(__file__), "compat", "__init__.py")
        return NAMES if ours else NAMES[:1]
    found = importlib.util.find_spec("cmd_mox")
    return NAMES if found is None or found.origin is None else NAMES[:1]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cmdmox", "command mocking")
    for name in _names():
        flag = name.replace("_", "-")
        group.addoption(f"--{flag}-auto-lifecycle", action="store_true", dest="cmdmox_auto_lifecycle", default=None,
                        help=f"the {name} fixture replays before the test's body and verifies after it, whatever the ini file says")
        group.addoption(f"--no-{flag}-auto-lifecycle", action="store_false", dest="cmdmox_auto_lifecycle", default=None,
                        help="tests call replay() and verify() by themselves")
        parser.addini(f"{name}_auto_lifecycle", f"whether the {name} fixture replays and verifies by itself (true)", type="bool",
                      default=None)


def pytest_configure(config: pytest.Config) -> None:
    names = _names()
    for name in names:
        config.addinivalue_line("markers", f"{name}(auto_lifecycle=True): whether the {name} fixture replays and verifies by itself.")
    if len(names) == len(NAMES):
        config.pluginmanager.register(importlib.import_module("cmdmox._cmd_mox_fixture"), "cmdmox-cmd_mox")


def _auto_of_param(request: pytest.FixtureRequest) -> Optional[bool]:
    if not hasattr(request, "param"):
        return None
    param: object = request.param
    said: object = param.get("auto_lifecycle") if isinstance(param, dict) else param
    if not isinstance(said, bool):
        raise TypeError(f"the parameter of the {request.fixturename} fixture is {param!r}: give True, False, or "
                        "{\"auto_lifecycle\": True or False}")
    return said


def _auto_of_marker(node: pytest.Item) -> Optional[bool]:
    for marker in node.iter_markers():  # the closest first
        if marker.name in NAMES and "auto_lifecycle" in marker.kwargs:
            return bool(marker.kwargs["auto_lifecycle"])
    return None


def _auto_of_ini(config: pytest.Config) -> bool:
    said: List[bool] = []
    for name in _names():
        value: object = config.getini(f"{name}_auto_lifecycle")
        if isinstance(value, bool):  # pytest 7 gives [] for one that is not set
            said.append(value)
    if len(set(said)) > 1:
        raise pytest.UsageError("cmdmox_auto_lifecycle and cmd_mox_auto_lifecycle say different things: remove one of them")
    return said[0] if said else True


def _auto(request: pytest.FixtureRequest) -> bool:
    """Said of this test, on the command line, in the ini file: the first there is."""
    for said in (_auto_of_param(request), _auto_of_marker(request.node), request.config.getoption("cmdmox_auto_lifecycle")):
        if said is not None:
            return bool(said)
    return _auto_of_ini(request.config)


# ---- The fixtures --------------------------------------------------------------------------------------------------


def _label(request: pytest.FixtureRequest) -> str:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{request.node.nodeid} [{worker}]" if worker else str(request.node.nodeid)


def lend(request: pytest.FixtureRequest) -> Iterator[Held]:
    """The session of this test, which both fixtures share."""
    item = request.node
    held = item.stash.get(_HELD, None)
    if held is not None:
        if _auto_of_param(request) not in (None, held.auto):
            raise pytest.UsageError("cmdmox and cmd_mox are one session: give the parameter to one of them")
        yield held
        return
    path, line, name = item.location
    mox = CmdMox(label=_label(request), verify_on_exit=False)
    mox.location = Location(short(path), (line or 0) + 1, name)
    with mox:
        held = item.stash[_HELD] = Held(mox, _auto(request))
        if held.auto:
            mox.replay()
        yield held
        late = held.late()
    if late:
        pytest.fail(late, pytrace=False)


@pytest.fixture
def cmdmox(request: pytest.FixtureRequest) -> Iterator[CmdMox]:
    """A session of command doubles for this test: replays before its body, and is verified after it."""
    for held in lend(request):
        yield held.mox


# ---- Around the test's body ----------------------------------------------------------------------------------------


def _around(hook: H) -> H:
    """The form of wrapper that pytest 7 and 8 know."""
    return cast(H, pytest.hookimpl(hookwrapper=True)(hook))


@_around
def pytest_runtest_call(item: pytest.Item) -> Hook:
    before = _living.sessions()
    outcome = yield
    held = item.stash.get(_HELD, None)
    error = held.judge() if held is not None else None
    for mox in _living.sessions():
        if mox not in before and mox.phase == "replay":  # the body's own, and nobody verified it
            text = mox.settle()
            error = error or (UnverifiedError(f"cmdmox: {text}") if text else None)
    if error is not None:
        item.stash[_ERROR] = error
        if outcome.excinfo is None:
            _fail(outcome, error)


@_around
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Hook:
    outcome = yield
    report = outcome.get_result()
    if call.when != "call" or not report.failed or call.excinfo is None:
        return
    error = item.stash.get(_ERROR, None)
    if error is not None and call.excinfo.value is error:
        report.longrepr = _plain(item, error.message.rstrip("\n"))
    elif error is not None:
        report.sections.append(("cmdmox", error.message.rstrip("\n")))
    held = item.stash.get(_HELD, None)
    account = held.account() if held is not None else ""
    if account:
        report.sections.append(("cmdmox: the calls", account))
    cause = error.__cause__ if error is not None else None
    if cause is not None:
        raised = traceback.format_exception(type(cause), cause, cause.__traceback__)
        report.sections.append(("cmdmox: what a handler or a predicate raised", "".join(raised)))


def _plain(item: pytest.Item, text: str) -> ExceptionChainRepr:
    """The failure without a traceback: the text says what and where, and the lines of this plugin that raised it say nothing."""
    path, line, _ = item.location
    lines = text.split("\n")
    trace = ReprTraceback([ReprEntry(lines, None, None, None, "value")], None, "value")
    return ExceptionChainRepr([(trace, ReprFileLocation(path, (line or 0) + 1, lines[0]), None)])
