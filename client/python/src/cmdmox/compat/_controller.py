"""CmdMox as the Python CmdMox has it, over a session of cmdmox."""

from __future__ import annotations

import enum
import os
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Deque, Dict, List, Optional, Type, TypeVar

from cmdmox import _session
from cmdmox._errors import CmdMoxError, LifecycleError, ServerError, SetupError, VerificationError
from cmdmox.compat._doubles import CommandDouble, DoubleKind
from cmdmox.compat._errors import MissingEnvironmentError, UnexpectedCommandError, UnfulfilledExpectationError, named
from cmdmox.compat._models import Invocation, of_journal

M = TypeVar("M", bound="CmdMox")


class Phase(str, enum.Enum):
    RECORD = "RECORD"
    REPLAY = "REPLAY"
    VERIFY = "VERIFY"

    def __str__(self) -> str:
        return self.value


class Environment:
    """Where the shims are."""

    def __init__(self, mox: CmdMox) -> None:
        self._mox = mox
        self.original_environment: Dict[str, str] = dict(os.environ)

    @property
    def shim_dir(self) -> Optional[Path]:
        """None: outside of the with block."""
        return Path(self._mox.session.shim_directory) if self._mox.entered else None


class CmdMox:
    """Doubles for commands: enter it, declare them, replay(), run the code under test, verify().

        with CmdMox() as mox:
            mox.stub("hostname").returns(stdout="here")
            mox.replay()
            assert whoami() == "me@here"

    verify_on_exit: the block verifies when it is left. max_journal_entries: how many calls the journal keeps; the oldest go first.
    `session` is the one of cmdmox, with all that it can do; given here, it is used, and ended by whoever made it.
    """

    def __init__(self, *, verify_on_exit: bool = True, max_journal_entries: Optional[int] = None,
                 session: Optional[_session.CmdMox] = None) -> None:
        if max_journal_entries is not None and max_journal_entries <= 0:
            raise ValueError("max_journal_entries must be positive")
        self._verify_on_exit = verify_on_exit
        self._max_entries = max_journal_entries
        self._doubles: Dict[str, CommandDouble] = {}
        self._phase = Phase.RECORD
        self._session = session
        self._lent = session is not None
        self._kept: Optional[List[Invocation]] = None  # of a session that has ended
        self._kept_of: Dict[str, List[Invocation]] = {}
        #: Whether its with block is entered.
        self.entered = self._lent
        self.environment = Environment(self)

    @property
    def session(self) -> _session.CmdMox:
        if self._session is None:
            try:
                self._session = _session.CmdMox(verify_on_exit=False, max_journal_entries=self._max_entries)
            except (ServerError, SetupError) as error:
                raise MissingEnvironmentError(error.message, error.reason) from error
        return self._session

    @property
    def phase(self) -> Phase:
        """A session of the fixture is replayed and verified by the plugin."""
        if self._session is not None and self._phase is not Phase.VERIFY:
            self._phase = {"replay": Phase.REPLAY, "verified": Phase.VERIFY}.get(self._session.phase, self._phase)
        return self._phase

    # ---- Doubles ----------------------------------------------------------------------------------------------------

    def stub(self, command_name: str) -> CommandDouble:
        """Answers, and checks nothing."""
        return self._double(command_name, DoubleKind.STUB)

    def mock(self, command_name: str) -> CommandDouble:
        """Must be called as it says, once unless times() says otherwise. Said again it is the same double."""
        return self._double(command_name, DoubleKind.MOCK)

    def spy(self, command_name: str) -> CommandDouble:
        """Keeps its calls."""
        return self._double(command_name, DoubleKind.SPY)

    def _double(self, name: str, kind: DoubleKind) -> CommandDouble:
        double = self._doubles.get(name)
        if double is None:
            double = self._doubles[name] = CommandDouble(name, self, kind)
        if double.kind is not kind:
            raise ValueError(f"{name!r} already registered as {double.kind}; cannot register as {kind}")
        return double

    @property
    def stubs(self) -> Dict[str, CommandDouble]:
        return self._of_kind(DoubleKind.STUB)

    @property
    def mocks(self) -> Dict[str, CommandDouble]:
        return self._of_kind(DoubleKind.MOCK)

    @property
    def spies(self) -> Dict[str, CommandDouble]:
        return self._of_kind(DoubleKind.SPY)

    def _of_kind(self, kind: DoubleKind) -> Dict[str, CommandDouble]:
        return {name: double for name, double in self._doubles.items() if double.kind is kind}

    def register_command(self, name: str) -> None:
        """Makes a shim for a command that has no double: each call of it is unexpected."""
        self.session.register_command(name)

    # ---- Replay and verify ------------------------------------------------------------------------------------------

    def _require(self, phase: Phase, action: str) -> None:
        if self.phase is not phase:
            raise LifecycleError(f"Cannot call {action}(): not in '{phase.lower()}' phase (current phase: {self.phase.lower()})")

    def replay(self) -> None:
        """From here on calls are answered. Again is fine."""
        if self.phase is Phase.REPLAY and self.entered:
            return
        self._require(Phase.RECORD, "replay")
        if not self.entered:
            raise LifecycleError("replay() called without entering context: write `with CmdMox() as mox:`")
        try:
            self.session.replay()
        except (ServerError, SetupError) as error:
            raise MissingEnvironmentError(error.message, error.reason) from error

    def verify(self) -> None:
        """Raises what is wrong, and ends the session, which may be asked for its calls still."""
        self.judge(keep_environment=False)

    def judge(self, *, keep_environment: bool) -> None:
        """verify(); with the shims left where they are it is the plugin's."""
        self._require(Phase.REPLAY, "verify")
        failure: Optional[VerificationError] = None
        try:
            self.session.verify(keep_environment=keep_environment)
        except VerificationError as error:
            failure = named(error)
            failure.__cause__ = error.__cause__
        finally:
            self._phase = Phase.VERIFY
            failure = failure or self._misjudged_spy()
            if not self._lent:
                self._end()
        if failure is not None:
            raise failure

    def _misjudged_spy(self) -> Optional[VerificationError]:
        """One that was not called as often as its times() says: cmdmox counts mocks only."""
        for spy in self.spies.values():
            if spy.count is None or spy.double.call_count == spy.count:
                continue
            found = spy.double.call_count
            kind = UnexpectedCommandError if found > spy.count else UnfulfilledExpectationError
            return kind(f"cmdmox: verification failed: spy {spy.name} ({spy.double.location}): expected exactly {spy.count} "
                        f"call{'s' * (spy.count != 1)}, actual {found}")
        return None

    def __enter__(self: M) -> M:
        if self.phase is Phase.VERIFY or self.entered and not self._lent:
            raise LifecycleError("this CmdMox was entered before: make a new one")
        self.environment.original_environment = dict(os.environ)
        self.entered = bool(self.session)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        try:
            if self._verify_on_exit and self.phase is Phase.REPLAY:
                self.verify()
        except CmdMoxError as ours:
            if error is None:
                raise
            _session.attach(error, ours.message)
        finally:
            if not self._lent:
                self._end()

    def _end(self) -> None:
        if self._session is None or self._kept is not None:
            return
        try:
            self._kept_of = {name: self.invocations_of(double) for name, double in self._doubles.items()}
            self._kept = list(self.journal)
        except CmdMoxError:
            self._kept = []  # the server is gone, and the calls with it
        self._phase, self.entered = self.phase, False
        with self._session:
            pass  # with verify_on_exit=False the block ends it, and says nothing

    # ---- What calls there were --------------------------------------------------------------------------------------

    @property
    def journal(self) -> Deque[Invocation]:
        """All calls, accepted or not, in order of start: as they are now."""
        if self._kept is not None:
            found = self._kept
        elif self._session is None:
            found = []
        else:
            found = [of_journal(each) for each in self._session.invocations()]
        return deque(found, maxlen=self._max_entries)

    def invocations_of(self, double: CommandDouble) -> List[Invocation]:
        if self._kept is not None:
            return list(self._kept_of.get(double.name, []))
        return [of_journal(each) for each in double.double.invocations]
