"""What a value of a call may be: an argument, stdin, a variable, the working directory.

Where a matcher may stand, a text, bytes or a path means equality, and a function of the test's what it accepts.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
from dataclasses import dataclass
from typing import Any as AnyValue
from typing import Callable, List, Mapping, Sequence, Tuple, Type, Union

from cmdmox._errors import BuilderError, error_of
from cmdmox._location import short
from cmdmox._text import Value, describe, encode, utf8
from cmdmox.v1 import matcher_pb2

NESTING_MOST = 64

TextPredicate = Callable[[str], object]


class Matcher:
    """One value, judged."""

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        raise NotImplementedError


class ListMatcher:
    """Several arguments, judged together: in the list of with_matching_args() only."""

    def item(self, table: Table) -> matcher_pb2.ArgvItem:
        raise NotImplementedError


Matching = Union[Matcher, Value, TextPredicate, Type["Any"]]
Argument = Union[Matching, ListMatcher]


class Table:
    """The matchers of one message; they refer to each other by their numbers in it."""

    def __init__(self, add_predicate: Callable[[Predicate], int]) -> None:
        self.nodes: List[matcher_pb2.MatcherNode] = []
        self.add_predicate = add_predicate

    def add(self, said: object, depth: int = 0) -> int:
        """The number of a matcher, of which children have lower ones."""
        if depth > NESTING_MOST:
            raise error_of("BAD_MATCHER", f"matchers are nested more than {NESTING_MOST} deep")
        node = matcher(said).node(self, depth)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def add_all(self, said: Sequence[object], depth: int) -> matcher_pb2.IndexList:
        return matcher_pb2.IndexList(indexes=[self.add(each, depth) for each in said])

    def item(self, said: object) -> matcher_pb2.ArgvItem:
        if isinstance(said, ListMatcher):
            return said.item(self)
        return matcher_pb2.ArgvItem(one=self.add(said))


def matcher(said: object) -> Matcher:
    """What stands where a matcher may stand, as one."""
    if isinstance(said, Matcher):
        return said
    if isinstance(said, (str, bytes, os.PathLike)):
        return Eq(said)
    if isinstance(said, ListMatcher):
        raise error_of("BAD_MATCHER", f"{type(said).__name__} stands only in the list of with_matching_args(), not inside "
                       "another matcher and not for one value; give one matcher for each argument there")
    if isinstance(said, type):
        if issubclass(said, (Any, Unset)):
            return said()
        hint = f"IsA({said.__name__})" if said in _TYPES else f"{said.__name__}(...)"
        raise error_of("BAD_MATCHER", f"{said.__name__} is a type: write {hint}, or give a function that takes the text")
    if callable(said):
        return Predicate(said)
    raise error_of("BAD_MATCHER", f"{describe(said)} is no matcher: give a text, bytes, a path, a matcher, or a function "
                   "that takes the text")


def name_of(function: object) -> str:
    """How reports call a function of the test's."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    code = getattr(function, "__code__", None)
    if "<lambda>" in name and code is not None:
        return f"lambda at {short(code.co_filename)}:{code.co_firstlineno}"
    return utf8(name.replace("<locals>.", ""), "name")


# ---- One value -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Eq(Matcher):
    """Exactly this."""

    value: Value

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(equals=encode(self.value, "Eq"))


@dataclass(frozen=True)
class Any(Matcher):
    """Anything."""

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(any=True)


@dataclass(frozen=True)
class StartsWith(Matcher):
    prefix: Value

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(starts_with=encode(self.prefix, "StartsWith"))


@dataclass(frozen=True)
class EndsWith(Matcher):
    suffix: Value

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(ends_with=encode(self.suffix, "EndsWith"))


@dataclass(frozen=True)
class Contains(Matcher):
    part: Value

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(contains=encode(self.part, "Contains"))


@dataclass(frozen=True)
class Regex(Matcher):
    """A regular expression of PCRE2 over bytes, found anywhere: write ^ and $ for the whole value. Of a pattern of `re`
    the text is taken, and its flags I, M, S and X."""

    pattern: AnyValue

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        pattern = self.pattern
        text, flags = getattr(pattern, "pattern", pattern), getattr(pattern, "flags", 0)
        letters = "".join(letter for letter, bit in (("i", 2), ("m", 8), ("s", 16), ("x", 64)) if flags & bit)
        prefix = f"(?{letters})".encode() if letters else b""
        return matcher_pb2.MatcherNode(regex=prefix + encode(text, "Regex"))


@dataclass(frozen=True)
class Glob(Matcher):
    """The whole value: * any bytes, ? one byte, [a-z] [!a-z] one of a set; a backslash takes the next as it is."""

    pattern: Value

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(glob=encode(self.pattern, "Glob"))


_TYPES: Mapping[object, matcher_pb2.ValueType] = {
    int: matcher_pb2.VALUE_TYPE_INT, float: matcher_pb2.VALUE_TYPE_FLOAT, bool: matcher_pb2.VALUE_TYPE_BOOL,
    pathlib.Path: matcher_pb2.VALUE_TYPE_PATH, os.PathLike: matcher_pb2.VALUE_TYPE_PATH, json: matcher_pb2.VALUE_TYPE_JSON,
    "int": matcher_pb2.VALUE_TYPE_INT, "float": matcher_pb2.VALUE_TYPE_FLOAT, "bool": matcher_pb2.VALUE_TYPE_BOOL,
    "path": matcher_pb2.VALUE_TYPE_PATH, "json": matcher_pb2.VALUE_TYPE_JSON,
}


@dataclass(frozen=True)
class IsA(Matcher):
    """A text that stands for an int, a float, a bool (true false yes no on off 1 0), a pathlib.Path (not empty), or
    "json"."""

    kind: object

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        try:
            return matcher_pb2.MatcherNode(is_a=_TYPES[self.kind])
        except (KeyError, TypeError):
            raise error_of("BAD_MATCHER", f"IsA does not know {describe(self.kind)}: give int, float, bool, pathlib.Path or "
                           "\"json\"") from None


@dataclass(frozen=True)
class JsonEquals(Matcher):
    """The same JSON document, given as its text, or as what json.dumps() takes."""

    document: object

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        document = self.document
        if not isinstance(document, (str, bytes)):
            try:
                document = json.dumps(document)
            except (TypeError, ValueError) as error:
                raise error_of("BAD_MATCHER", f"JsonEquals: {error}") from None
        return matcher_pb2.MatcherNode(json_equals=encode(document, "JsonEquals"))


class _OfOthers(Matcher):
    def __init__(self, *matchers: Matching) -> None:
        self.matchers: Tuple[Matching, ...] = matchers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.matchers))})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, _OfOthers) and self.matchers == other.matchers

    def __hash__(self) -> int:
        return hash((type(self), self.matchers))


class AllOf(_OfOthers):
    """Each of them accepts it."""

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(all_of=table.add_all(self.matchers, depth + 1))


class AnyOf(_OfOthers):
    """One of them accepts it."""

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        return matcher_pb2.MatcherNode(any_of=table.add_all(self.matchers, depth + 1))


class OneOf(_OfOthers):
    """One of these texts."""

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        for text in self.matchers:
            encode(text, "OneOf")
        return matcher_pb2.MatcherNode(any_of=table.add_all(self.matchers, depth + 1))


@dataclass(frozen=True)
class Not(Matcher):
    """It does not accept it."""

    matcher: Matching

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        node = matcher_pb2.MatcherNode()
        setattr(node, "not", table.add(self.matcher, depth + 1))
        return node


@dataclass(frozen=True)
class Predicate(Matcher):
    """What a function of the test's accepts: it gets the text, or the bytes, and what it returns is taken for true or
    false. It is called on another thread, while the code under test waits, once for a value in a call, perhaps for a
    double that does not take the call in the end: it must do nothing but judge. Reports call it by `name`."""

    function: Callable[[AnyValue], object]
    name: str = ""
    as_bytes: bool = False

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        if not callable(self.function):
            raise error_of("BAD_MATCHER", f"Predicate of {describe(self.function)}: give a function")
        return matcher_pb2.MatcherNode(callback=table.add_predicate(self), callback_name=self.shown_name())

    def shown_name(self) -> str:
        return utf8(self.name, "name") or name_of(self.function)


@dataclass(frozen=True)
class Unset(Matcher):
    """The variable is not there: with_matching_env("NAME", Unset())."""

    def node(self, table: Table, depth: int) -> matcher_pb2.MatcherNode:
        raise error_of("BAD_MATCHER", "Unset is for variables: with_matching_env(\"NAME\", Unset())")


def is_unset(said: object) -> bool:
    return said is Unset or isinstance(said, Unset)


# ---- Several arguments ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rest(ListMatcher):
    """All arguments that are left, none to many, each accepted by the matcher; last in the list."""

    matcher: Matching

    def item(self, table: Table) -> matcher_pb2.ArgvItem:
        return matcher_pb2.ArgvItem(rest=table.add(self.matcher))


class AnyOrder(ListMatcher):
    """As many arguments as matchers, next to each other, in any order; at most 64."""

    def __init__(self, *matchers: Matching) -> None:
        self.matchers = matchers

    def __repr__(self) -> str:
        return f"AnyOrder({', '.join(map(repr, self.matchers))})"

    def item(self, table: Table) -> matcher_pb2.ArgvItem:
        return matcher_pb2.ArgvItem(any_order=table.add_all(self.matchers, 0))


class ArgsContain(ListMatcher):
    """All arguments that are left: each matcher accepts another one of them, in any order, and others may stand among
    them; last in the list, at most 64."""

    def __init__(self, *matchers: Matching) -> None:
        self.matchers = matchers

    def __repr__(self) -> str:
        return f"ArgsContain({', '.join(map(repr, self.matchers))})"

    def item(self, table: Table) -> matcher_pb2.ArgvItem:
        return matcher_pb2.ArgvItem(contains=table.add_all(self.matchers, 0))


@dataclass(frozen=True)
class Flag(ListMatcher):
    """"--name value" or "--name=value"."""

    name: Value
    value: Matching

    def item(self, table: Table) -> matcher_pb2.ArgvItem:
        return matcher_pb2.ArgvItem(flag=matcher_pb2.FlagValue(name=encode(self.name, "name of Flag"), value=table.add(self.value)))


def variable_name(name: object) -> bytes:
    data = encode(name, "name of the variable") if isinstance(name, (str, bytes)) else b""
    if not data or b"=" in data or b"\0" in data:
        raise BuilderError(f"{describe(name)} is no name of a variable: it is a text, not empty, without '=' and NUL")
    return data
