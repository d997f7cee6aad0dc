"""The sessions of this process that were replayed and not ended: what nobody looks at must not pass.

At exit each of them is verified, what there is to say is written to stderr, and the process ends with status 1. Whoever
runs tests does the same after each test, for those of sessions() that it made, and fails the test. A failure that no
exception can carry counts the same: lose() keeps it, and take_lost() is for whoever runs tests.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from typing import TYPE_CHECKING, Callable, Iterable, List, Optional, Tuple

if TYPE_CHECKING:
    from cmdmox._session import CmdMox

_living: List[Tuple[int, "CmdMox"]] = []
_lost: List[Tuple[int, str]] = []
_at_exit_done: List[int] = []


def add(mox: CmdMox) -> None:
    _living.append((os.getpid(), mox))


def remove(mox: CmdMox) -> None:
    _living[:] = [entry for entry in _living if entry[1] is not mox]


def sessions() -> List[CmdMox]:
    """Those of this process."""
    return [mox for pid, mox in _living if pid == os.getpid()]


def settle(but: Iterable[CmdMox] = ()) -> List[str]:
    """Ends all sessions of this process that were replayed and not ended; what is wrong with each of them."""
    texts = []
    for mox in sessions():
        text: Optional[str] = None if mox in but else mox.settle()
        if text:
            texts.append(text)
    return texts


def lose(text: str) -> None:
    """What is wrong with a session that has ended, where nobody would hear of it: on stderr, and the process fails."""
    sys.stderr.write(f"cmdmox: {text}\n")
    _lost.append((os.getpid(), text))


def take_lost() -> List[str]:
    """What was lost since, for one who fails something else of it than the process."""
    texts = [text for pid, text in _lost if pid == os.getpid()]
    _lost.clear()
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
        if take_lost() or texts:
            sys.stderr.flush()
            _last_word.failed_in = os.getpid()
        end_servers()

    def at_the_end_of_a_child() -> None:
        settle_and_end()
        error = sys.exc_info()[1]  # that of the child's own function, on its way out
        if _last_word.failed_in == os.getpid() and (error is None or isinstance(error, SystemExit) and not error.code):
            raise SystemExit(1)

    atexit.register(settle_and_end)
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        # It ends with os._exit(), without the handlers of exit: this is its own list of them, and we are the last there.
        importlib.import_module("multiprocessing.util").Finalize(None, at_the_end_of_a_child, exitpriority=-1000)
