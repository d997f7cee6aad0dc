"""Words of the feature files as messages: `starts with "v" and not equals "v1"` is a matcher, `the rest: anything`
an item of an argument list.

    phrase := either ("or" either)*      either := term ("and" term)*      term := "not" term | test
    item   := phrase | "the rest:" phrase | "in any order:" phrase ("," phrase)* | "among them:" phrase ("," phrase)*
            | "flag" "NAME" phrase
"""

import json
import re

from cmdmox.v1 import matcher_pb2

Node = matcher_pb2.MatcherNode
TEXTS = {"equals": "equals", "starts with": "starts_with", "ends with": "ends_with", "contains": "contains",
         "matches": "regex", "is like": "glob", "is the JSON": "json_equals"}
TYPES = {"an int": "INT", "a float": "FLOAT", "a bool": "BOOL", "a path": "PATH", "JSON": "JSON"}
STRING = r'"(?:[^"\\]|\\.)*"'
TOKEN = re.compile(rf"\s*({STRING}|,|[A-Za-z]+:?)")


def text(quoted):
    r"""The bytes of "a\n\xff" as a feature file has them; quotes are optional."""
    if len(quoted) > 1 and quoted[0] == quoted[-1] == '"':
        quoted = quoted[1:-1]
    return quoted.encode().decode("unicode_escape").encode("latin-1")


class Table:
    """Matchers become nodes of the flat table that the schema wants; each gives its index."""

    def __init__(self):
        self.nodes = []

    def add(self, **test):
        self.nodes.append(Node(**test))
        return len(self.nodes) - 1

    def from_json(self, matcher):
        """As the files under fixtures/ have it: {"any_of": [{"equals": "a"}, {"equals": {"hex": "ff"}}]}."""
        (kind, value), = matcher.items()
        if kind in ("all_of", "any_of"):
            return self.add(**{kind: matcher_pb2.IndexList(indexes=[self.from_json(child) for child in value])})
        if kind == "not":
            return self.add(**{"not": self.from_json(value)})
        if kind == "one_of":
            return self.from_json({"any_of": [{"equals": one} for one in value]})
        if kind == "is_a":
            return self.add(is_a=matcher_pb2.ValueType.Value(f"VALUE_TYPE_{value.upper()}"))
        return self.add(**{kind: value if kind == "any" else bytes_of(value)})

    def phrase(self, words):
        return Reader(self, words).whole()

    def item(self, words):
        """The fields of an ArgvItem."""
        reader = Reader(self, words)
        for start, kind in (("the rest:", "rest"), ("in any order:", "any_order"), ("among them:", "contains")):
            if not reader.take(*start.split()):
                continue
            if kind == "rest":
                return {kind: reader.whole()}
            indexes = [reader.either()]
            while reader.take(","):
                indexes.append(reader.either())
            reader.end()
            return {kind: matcher_pb2.IndexList(indexes=indexes)}
        if reader.take("flag"):
            return {"flag": matcher_pb2.FlagValue(name=text(reader.next()), value=reader.whole())}
        return {"one": reader.whole()}

    def item_from_json(self, item):
        (kind, value), = item.items()
        if kind in ("any_order", "contains"):
            return {kind: matcher_pb2.IndexList(indexes=[self.from_json(child) for child in value])}
        if kind == "flag":
            return {"flag": matcher_pb2.FlagValue(name=bytes_of(value["name"]), value=self.from_json(value["value"]))}
        return {kind: self.from_json(value)}


class Reader:
    """One phrase, word by word."""

    def __init__(self, table, words):
        self.table, self.words, self.at = table, words, 0
        self.tokens, end = [], 0
        while (found := TOKEN.match(words, end)):
            self.tokens.append(found.group(1))
            end = found.end()
        assert not words[end:].strip(), f"{words!r}: what is {words[end:]!r}?"

    def take(self, *words):
        if tuple(self.tokens[self.at:self.at + len(words)]) != words:
            return False
        self.at += len(words)
        return True

    def next(self):
        assert self.at < len(self.tokens), f"{self.words!r} ends too early"
        self.at += 1
        return self.tokens[self.at - 1]

    def end(self):
        assert self.at == len(self.tokens), f"{self.words!r}: what is {self.tokens[self.at]!r}?"

    def whole(self):
        index = self.either()
        self.end()
        return index

    def either(self):
        return self._list("or", "any_of", lambda: self._list("and", "all_of", self.term))

    def _list(self, word, kind, part):
        indexes = [part()]
        while self.take(word):
            indexes.append(part())
        if len(indexes) == 1:
            return indexes[0]
        return self.table.add(**{kind: matcher_pb2.IndexList(indexes=indexes)})

    def term(self):
        if self.take("not"):
            return self.table.add(**{"not": self.term()})
        if self.take("anything"):
            return self.table.add(any=True)
        for words, name in TYPES.items():
            if self.take("is", *words.split()):
                return self.table.add(is_a=matcher_pb2.ValueType.Value(f"VALUE_TYPE_{name}"))
        for words, field in TEXTS.items():
            if self.take(*words.split()):
                return self.table.add(**{field: text(self.next())})
        raise AssertionError(f"{self.words!r}: what is {self.next()!r}?")


def bytes_of(value):
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
