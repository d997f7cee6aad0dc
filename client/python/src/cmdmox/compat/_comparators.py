"""The comparators of the Python CmdMox: each is called with an argument, and says whether it accepts it.

What cmdmox judges in the same way is judged by its server; Regex and IsA are Python's own re and conversions, and are judged here.
"""

from __future__ import annotations

import re
from typing import Callable

from cmdmox import matchers

Comparator = Callable[[str], object]


class _Shown:
    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in sorted(vars(self).items()) if not name.startswith("_"))
        return f"{type(self).__name__}({said})"


class Any(_Shown):
    """Anything."""

    def __call__(self, value: str) -> bool:
        return True


class IsA(_Shown):
    """What a type, or another function, takes without raising: IsA(int)."""

    def __init__(self, typ: Callable[[str], object]) -> None:
        self.typ = typ

    def __call__(self, value: str) -> bool:
        try:
            self.typ(value)
        except Exception:  # whatever it raises, it does not take it
            return False
        return True


class Regex(_Shown):
    """A regular expression of `re`, found anywhere in it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._compiled = re.compile(pattern)

    def __call__(self, value: str) -> bool:
        return self._compiled.search(value) is not None


class Contains(_Shown):
    def __init__(self, substring: str) -> None:
        self.substring = substring

    def __call__(self, value: str) -> bool:
        return self.substring in value


class StartsWith(_Shown):
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __call__(self, value: str) -> bool:
        return value.startswith(self.prefix)


class Predicate(_Shown):
    """What a function accepts."""

    def __init__(self, func: Callable[[str], object]) -> None:
        self.func = func

    def __call__(self, value: str) -> bool:
        return bool(self.func(value))


def translated(said: object) -> matchers.Argument:
    """What stands in with_matching_args() or with_stdin(), for cmdmox. Its own matchers may stand there, too."""
    if type(said) is Any:
        return matchers.Any()
    if type(said) is Contains:
        return matchers.Contains(said.substring)
    if type(said) is StartsWith:
        return matchers.StartsWith(said.prefix)
    if type(said) is Predicate:
        return matchers.Predicate(said.func)
    if isinstance(said, _Shown) and callable(said):
        return matchers.Predicate(said, name=repr(said))
    if isinstance(said, (str, matchers.Matcher, matchers.ListMatcher)):
        return said
    if callable(said):
        return matchers.Predicate(said)
    raise TypeError(f"{said!r} is no comparator: give a text, a comparator, or a function that takes the argument")


def accepts(said: object, value: str) -> bool:
    """Whether it accepts it, judged here."""
    if callable(said):
        return bool(said(value))
    return said == value


__all__ = ["Any", "Comparator", "Contains", "IsA", "Predicate", "Regex", "StartsWith"]
