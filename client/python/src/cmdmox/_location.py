"""Where the test said it: the first frame outside of this package."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Iterator, NamedTuple, Optional

from cmdmox.v1 import double_pb2


def _start() -> str:
    """The working directory, with the slash; nothing if it was removed: files keep their whole names then."""
    try:
        return os.path.join(os.getcwd(), "")
    except OSError:
        return ""


_START = _start()


class Location(NamedTuple):
    """A file, as it is named from where the process was started, a line and a function."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def message(self) -> double_pb2.Location:
        return double_pb2.Location(file=_printable(self.file), line=self.line, function=_printable(self.function))


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def short(file: str) -> str:
    """The file as it is named from where the process was started, if it is below that."""
    return file[len(_START):] if file.startswith(_START) else file


def _folder() -> str:
    """That of this package, as the code of its functions names it."""
    return os.path.join(os.path.dirname(_folder.__code__.co_filename), "")


#: Code of these folders is ours; what stands on this package in another folder (an alias of cmdmox.compat) adds its own.
OURS = [_folder()]


_at: ContextVar[Optional[Location]] = ContextVar("cmdmox location", default=None)


@contextmanager
def at(where: Location) -> Iterator[None]:
    """What is called in here is called in the name of a test: above it there is only who runs tests."""
    token = _at.set(where)
    try:
        yield
    finally:
        _at.reset(token)


def caller() -> Location:
    where = _at.get()
    if where is not None:
        return where
    frame: Optional[FrameType] = sys._getframe(1)  # pylint: disable=protected-access
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(tuple(OURS)):
            return Location(short(file), frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return Location("", 0, "")
