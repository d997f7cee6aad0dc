"""Between the bytes of commands and Python's texts: what os.fsencode() and os.fsdecode() do, so that any bytes make the
way there and back (surrogateescape), and a text means the same bytes here and in subprocess."""

from __future__ import annotations

import datetime
import os
from typing import Union

from cmdmox._errors import BuilderError

Value = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Duration = Union[int, float, datetime.timedelta]

_MS_MOST = 2**32 - 1


def encode(value: object, what: str) -> bytes:
    """The bytes of a text, of bytes, or of a path."""
    if isinstance(value, (str, bytes, os.PathLike)):
        try:
            return os.fsencode(value)
        except UnicodeEncodeError as error:
            raise BuilderError(f"{what}: {value!r} cannot be written in {error.encoding}; give the bytes") from None
    raise BuilderError(f"{what} is {describe(value)}: give a str, bytes or a path")


def decode(data: bytes) -> str:
    return os.fsdecode(data)


def describe(value: object) -> str:
    """A value for a message: its type, and the beginning of what it is."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def ms(value: Duration, what: str) -> int:
    """Seconds, as a number or a timedelta, in ms; what is above 0 is at least 1 ms."""
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise BuilderError(f"{what} is {describe(value)}: give seconds, or a timedelta")
    if not 0 <= seconds <= _MS_MOST / 1000:
        raise BuilderError(f"{what} is {seconds}: give seconds from 0 to {_MS_MOST // 1000}")
    return max(round(seconds * 1000), 1) if seconds else 0


def whole(value: int, what: str, least: int = 0, most: int = 2**64 - 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BuilderError(f"{what} is {describe(value)}: give a whole number")
    if not least <= value <= most:
        bound = f"{least} to {most}" if most < 2**63 else f"{least} or more"
        raise BuilderError(f"{what} is {value}, not {bound}")
    return value


def utf8(text: object, what: str) -> str:
    """A text for people: what a proto string can hold."""
    if not isinstance(text, str):
        raise BuilderError(f"{what} is {describe(text)}: give a str")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
