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
from typing import Any, Callable, Dict, Generator, Iterator, List, Optional, Tuple, TypeVar, cast

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntry, ReprFileLocation, ReprTraceback

from cmdmox import _living
from cmdmox._errors import CmdMoxError, UnverifiedError
from cmdmox._invocation import Invocation
from cmdmox._location import Location, at, short
from cmdmox._session import CmdMox

#: The names of what a test, the command line and the ini file may say; the second is the ancestor's.
NAMES = ("cmdmox", "cmd_mox")

CALLS_SHOWN = 50

Hook = Generator[None, "_Outcome", None]
H = TypeVar("H", bound=Callable[..., Hook])
N = TypeVar("N", bound=Callable[..., None])


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
_SHIMS: pytest.StashKey[str] = pytest.StashKey()  # a directory that may be on PATH no more


def _drop(item: pytest.Item, key: pytest.StashKey[Any]) -> None:
    """An item may run again, as pytest-rerunfailures has it, and keeps its stash."""
    if key in item.stash:
        del item.stash[key]


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
        if marker.name not in NAMES:
            continue
        keywords: Dict[str, object] = dict(marker.kwargs)
        said = keywords.pop("auto_lifecycle", None)
        if marker.args or keywords or not (said is None or isinstance(said, bool)):
            words = ", ".join([*map(repr, marker.args), *(f"{name}={value!r}" for name, value in marker.kwargs.items())])
            raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.{marker.name}({words}): it takes auto_lifecycle=True or "
                                    "auto_lifecycle=False, and nothing else")
        if said is not None:
            return said
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


def _place(item: pytest.Item) -> Location:
    path, line, name = item.location
    return Location(short(path), (line or 0) + 1, name)


def lend(request: pytest.FixtureRequest) -> Iterator[Held]:
    """The session of this test, which both fixtures share."""
    item = request.node
    held = item.stash.get(_HELD, None)
    if held is not None:
        if _auto_of_param(request) not in (None, held.auto):
            raise pytest.UsageError("cmdmox and cmd_mox are one session: give the parameter to one of them")
        yield held
        return
    auto = _auto(request)
    with at(_place(item)):
        mox = CmdMox(label=_label(request), verify_on_exit=False)
    item.stash[_SHIMS] = mox.shim_directory
    try:
        with mox:
            held = item.stash[_HELD] = Held(mox, auto)
            if auto:
                with at(_place(item)):
                    mox.replay()
            yield held
            with at(_place(item)):
                late = held.late()
    finally:
        _drop(item, _HELD)
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


def _outermost(hook: H) -> H:
    """Around all other wrappers."""
    return cast(H, pytest.hookimpl(hookwrapper=True, tryfirst=True)(hook))


@_around
def pytest_runtest_call(item: pytest.Item) -> Hook:
    _drop(item, _ERROR)
    before = _living.sessions()
    outcome = yield
    held = item.stash.get(_HELD, None)
    with at(_place(item)):
        error = held.judge() if held is not None else None
    for lost in _living.take_lost():
        error = error or UnverifiedError(f"cmdmox: {lost}")
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
    with at(_place(item)):
        account = held.account() if held is not None else ""
    if account:
        report.sections.append(("cmdmox: the calls", account))
    cause = error.__cause__ if error is not None else None
    if cause is not None:
        raised = traceback.format_exception(type(cause), cause, cause.__traceback__)
        report.sections.append(("cmdmox: what a handler or a predicate raised", "".join(raised)))


@_outermost
def pytest_runtest_teardown(item: pytest.Item) -> Hook:
    """What changed PATH during the test, and was set up before the session, has put the shims back: monkeypatch.setenv()."""
    yield
    shims = item.stash.get(_SHIMS, None)
    _drop(item, _SHIMS)
    path = os.environ.get("PATH")
    if shims and path is not None and shims in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(each for each in path.split(os.pathsep) if each != shims)


def _plain(item: pytest.Item, text: str) -> ExceptionChainRepr:
    """The failure without a traceback: the text says what and where, and the lines of this plugin that raised it say nothing."""
    path, line, _ = item.location
    lines = text.split("\n")
    trace = ReprTraceback([ReprEntry(lines, None, None, None, "value")], None, "value")
    return ExceptionChainRepr([(trace, ReprFileLocation(path, (line or 0) + 1, lines[0]), None)])


# ---- After the last test -------------------------------------------------------------------------------------------


#: What is wrong with sessions that no test made: here, or in the workers of pytest-xdist.
_LEFT: pytest.StashKey[List[str]] = pytest.StashKey()
_OTHERS: pytest.StashKey[List[CmdMox]] = pytest.StashKey()


def _left(config: pytest.Config) -> List[str]:
    none: List[str] = []
    return config.stash.setdefault(_LEFT, none)


def _of_xdist(hook: N) -> N:
    """A hook that nobody has without that plugin."""
    return cast(N, pytest.hookimpl(optionalhook=True)(hook))


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_OTHERS] = _living.sessions()  # of a test that runs this pytest inside of it


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Sessions of modules and of the whole run that were replayed, and nobody has verified, fail the run."""
    config = session.config
    none: List[CmdMox] = []
    others = config.stash.get(_OTHERS, none)
    texts = _left(config)
    texts += _living.take_lost() + _living.settle(but=others)
    if not texts:
        return
    output: Optional[Dict[str, object]] = getattr(config, "workeroutput", None)
    if output is not None:
        output["cmdmox"] = texts
    elif not config.pluginmanager.has_plugin("terminalreporter"):
        sys.stderr.write("".join(f"cmdmox: {text}\n" for text in texts))
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@_of_xdist
def pytest_testnodedown(node: Any) -> None:
    """What a worker has to say, in the process that is asked for the exit status."""
    output: Dict[str, Any] = getattr(node, "workeroutput", None) or {}
    _left(node.config).extend(f"[{node.gateway.id}] {text}" for text in output.get("cmdmox", []))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    texts = _left(config)
    if texts:
        terminalreporter.section("cmdmox", red=True)
        for text in texts:
            terminalreporter.line(f"cmdmox: {text}")
