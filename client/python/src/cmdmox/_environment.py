"""The environment of this process while a session is applied to it: what was changed, and what it was before.

One session at a time: two that put their shims on PATH would each find the other's. A child of fork() may apply one of
its own.
"""

from __future__ import annotations

import os
import threading
from typing import Dict, List, Optional, Tuple

from cmdmox._errors import error_of

_lock = threading.Lock()
_taken: Optional[Tuple[int, str, "Applied"]] = None  # in a process, for whom, and by what


class Applied:
    """What a session has changed in os.environ."""

    def __init__(self) -> None:
        self._before: List[Tuple[bytes, Optional[bytes]]] = []
        self._pid = 0

    def __bool__(self) -> bool:
        return bool(self._pid)

    def apply(self, entries: Dict[bytes, bytes], whose: str) -> None:
        """Sets the variables; once."""
        global _taken
        if self:
            return
        with _lock:
            if _taken and _taken[0] == os.getpid():
                raise error_of("ENVIRONMENT_BUSY", f"{_taken[1]} is applied to this process's environment: end it first, with "
                               "verify() or close(), or make this one with CmdMox(environment=\"none\") and start the code "
                               "under test with env=mox.environ")
            self._pid = os.getpid()  # first: an interrupt may come between any two lines, and restore() gives back what is noted
            _taken = (os.getpid(), whose, self)
        for name, value in entries.items():
            self._before.append((name, os.environb.get(name)))
            os.unsetenv(name)  # of a name that is there twice bash would see the second
            os.environb[name] = value

    def restore(self) -> None:
        """Gives each variable that was changed the value from before, whatever it holds by now."""
        global _taken
        if self._pid == os.getpid():
            for name, value in reversed(self._before):
                if value is not None:
                    os.environb[name] = value
                else:
                    os.environb.pop(name, None)
            with _lock:
                if _taken is not None and _taken[2] is self:
                    _taken = None
        self._before, self._pid = [], 0

    def before(self, name: bytes) -> Optional[bytes]:
        """A variable as the test has it."""
        for changed, value in self._before:
            if changed == name:
                return value
        return os.environb.get(name)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
