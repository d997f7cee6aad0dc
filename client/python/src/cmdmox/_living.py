"""The sessions of this process that were replayed and not ended: what nobody looks at must not pass.

At exit each of them is verified, what there is to say is written to stderr, and the process ends with status 1. Whoever
runs tests does the same after each test, for those of sessions() that it made, and fails the test.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

if TYPE_CHECKING:
    from cmdmox._session import CmdMox

_living: List[Tuple[int, "CmdMox"]] = []
_at_exit_done: List[int] = []


def add(mox: CmdMox) -> None:
    _living.append((os.getpid(), mox))


def remove(mox: CmdMox) -> None:
    _living[:] = [entry for entry in _living if entry[1] is not mox]


def sessions() -> List[CmdMox]:
    """Those of this process."""
    return [mox for pid, mox in _living if pid == os.getpid()]


def settle() -> List[str]:
    """Ends all sessions of this process that were replayed and not ended; what is wrong with each of them."""
    texts = []
    for pid, mox in list(_living):
        text: Optional[str] = mox.settle() if pid == os.getpid() else None
        if text:
            texts.append(text)
    _living.clear()
    return texts


class _LastWord:
    """Ends the process with status 1 when all else is done: every exit handler, and what they write."""

    def __init__(self) -> None:
        self.failed_in = 0
        self._end, self._pid = os._exit, os.getpid  # modules are gone when this is called

    def __del__(self) -> None:
        if self.failed_in and self.failed_in == self._pid():
            self._end(1)


_last_word = _LastWord()


def at_exit(end_servers: Callable[[], None]) -> None:
    """Has the sessions settled, and then the servers ended, when this process exits; once."""
    if os.getpid() in _at_exit_done:
        return
    _at_exit_done[:] = [os.getpid()]

    def settle_and_end() -> None:
        texts = settle()
        for text in texts:
            sys.stderr.write(f"cmdmox: {text}\n")
        if texts:
            sys.stderr.flush()
            _last_word.failed_in = os.getpid()
        end_servers()

    atexit.register(settle_and_end)
