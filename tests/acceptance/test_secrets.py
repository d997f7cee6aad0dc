"""What looks secret is in no message: not in a line of a shim, a report in any format, a finding, an assertion, an error.

Each case puts the secret where code under test has one, and a double that expects another; the words are looked for in
everything that anybody can read afterwards but the journal, which is the test's own.
"""

import os
import unittest

from support import Case
from cmdmox_doubles import ANY, Matcher, double, mock, spy, stub
from cmdmox.v1 import control_pb2, double_pb2

SECRET = "-".join(["not", "really", "secret"])
OTHER = "+".join(["quite", "another", "one"])  # what the double expects
FORMATS = ["UNSPECIFIED", "JSON", "JUNIT", "TAP"]


def env_of(name, index=0):
    return {"env_match": {"items": [{"name": name, "node": index}]}}


# name: arguments of the call, options of it, the double
CASES = {
    "the argument after a flag": (["--password", SECRET], {}, stub(b"x", [b"--password", OTHER.encode()])),
    "a flag with its value": ([f"--token={SECRET}"], {}, stub(b"x", [f"--token={OTHER}".encode()])),
    "an assignment": ([f"API_KEY={SECRET}"], {}, stub(b"x", [f"API_KEY={OTHER}".encode()])),
    "a header": (["-H", f"Authorization: Bearer {SECRET}"], {},
                 stub(b"x", [b"-H", f"Authorization: Bearer {OTHER}".encode()])),
    "an address": ([f"https://me:{SECRET}@example.com/"], {}, stub(b"x", [f"https://me:{OTHER}@example.com/".encode()])),
    "a query": ([f"https://example.com/?a=b&token={SECRET}"], {},
                stub(b"x", [f"https://example.com/?a=b&token={OTHER}".encode()])),
    "a JSON argument": ([f'{{"user": "me", "password": "{SECRET}"}}'], {},
                        stub(b"x", [Matcher(json_equals=f'{{"user": "me", "password": "{OTHER}"}}'.encode())])),
    "JSON of another kind": ([f'{{"password": "{SECRET}"}}'], {}, stub(b"x", [Matcher(json_equals=b"1")])),
    "expected JSON of another kind": (["1"], {}, stub(b"x", [Matcher(json_equals=f'{{"token": "{OTHER}"}}'.encode())])),
    "nested JSON": ([f'{{"a": [{{"token": {{"value": "{SECRET}"}}}}]}}'], {},
                    stub(b"x", [Matcher(json_equals=f'{{"a": [{{"token": {{"value": "{OTHER}"}}}}]}}'.encode())])),
    "a regular expression": (["--secret", SECRET], {}, stub(b"x", [b"--secret", Matcher(regex=f"^{OTHER}$".encode())])),
    "a composite": (["--secret", SECRET], {}, double_pb2.Double(
        command=b"x", kind=double_pb2.DOUBLE_KIND_STUB, argv={"items": [{"one": 0}, {"one": 3}]},
        matchers=[Matcher(equals=b"--secret"), Matcher(equals=OTHER.encode()), Matcher(starts_with=OTHER.encode()),
                  Matcher(any_of={"indexes": [1, 2]})])),
    "a flag item": (["--token", SECRET], {}, double_pb2.Double(
        command=b"x", kind=double_pb2.DOUBLE_KIND_STUB, matchers=[Matcher(equals=OTHER.encode())],
        argv={"items": [{"flag": {"name": b"--token", "value": 0}}]})),
    "arguments in any order": ([f"--token={SECRET}", "a"], {}, double_pb2.Double(
        command=b"x", kind=double_pb2.DOUBLE_KIND_STUB, matchers=[Matcher(equals=f"--token={OTHER}".encode()), ANY],
        argv={"items": [{"any_order": {"indexes": [0, 1]}}]})),
    "an option and its value in any order": (["--token", "x", "y"], {}, double_pb2.Double(
        command=b"x", kind=double_pb2.DOUBLE_KIND_STUB, matchers=[Matcher(equals=b"--token"), Matcher(equals=OTHER.encode())],
        argv={"items": [{"any_order": {"indexes": [0, 1]}}]})),
    "the rest": (["--password", SECRET], {}, double_pb2.Double(
        command=b"x", kind=double_pb2.DOUBLE_KIND_STUB, matchers=[Matcher(equals=b"--password"), Matcher(equals=OTHER.encode())],
        argv={"items": [{"one": 0}, {"rest": 1}]})),
    "an argument of lines": ([f"a\npassword={SECRET}"], {}, stub(b"x", [f"a\npassword={OTHER}".encode()])),
    "too many arguments": (["a", "--password", SECRET], {}, stub(b"x", [b"a"])),
    "too few arguments": (["a"], {}, stub(b"x", [b"a", b"--password", OTHER.encode()])),
    "a variable": ([], {"env": {"API_TOKEN": SECRET}},
                   stub(b"x", [], matchers=[Matcher(equals=OTHER.encode())], **env_of(b"API_TOKEN"))),
    "a variable that contains": ([], {"env": {"DB_PASSWORD": SECRET}},
                                 stub(b"x", [], matchers=[Matcher(contains=OTHER.encode())], **env_of(b"DB_PASSWORD"))),
    "an injected variable": ([], {"env": {"API_TOKEN": SECRET}}, stub(b"x", [], env_injection={
        "changes": [{"name": b"API_TOKEN", "value": OTHER.encode()}]})),
    "a variable that must not be set": ([], {"env": {"API_TOKEN": SECRET}}, stub(
        b"x", [], env_match={"items": [{"name": b"API_TOKEN", "absent": True}]})),
    "an address in a variable": ([], {"env": {"REMOTE": f"https://me:{SECRET}@example.com/"}}, stub(
        b"x", [], matchers=[Matcher(equals=f"https://me:{OTHER}@example.com/".encode())], **env_of(b"REMOTE"))),
    "a line of stdin": ([], {"input": f"user=me\npassword={SECRET}\n".encode()},
                        stub(b"x", [], stdin=f"user=me\npassword={OTHER}\n".encode())),
    "an indented line of stdin": ([], {"input": f"login:\n  - password: {SECRET}\n".encode()},
                                  stub(b"x", [], stdin=f"login:\n  - password: {OTHER}\n".encode())),
    "a header in stdin": ([], {"input": f"Authorization: Basic {SECRET}\n\nbody".encode()},
                          stub(b"x", [], stdin=Matcher(starts_with=f"Authorization: Basic {OTHER}".encode()))),
    "JSON in stdin": ([], {"input": f'{{"password": "{SECRET}"}}'.encode()},
                      stub(b"x", [], stdin=Matcher(json_equals=f'{{"password": "{OTHER}"}}'.encode()))),
    "one call too many": (["--password", SECRET], {}, mock(b"x", [b"--password", SECRET.encode()],
                                                         {"count": {"minimum": 0, "maximum": 0}})),
}


class Secrets(Case):
    def look(self, where, text):
        for word in (SECRET, OTHER):
            self.assertNotIn(word, text, where)

    def everything(self, name, session, line):
        self.look(f"{name}: the line of the shim", line)
        for format in FORMATS:
            report = session.verify(format=f"REPORT_FORMAT_{format}")
            self.assertFalse(report.passed, name)
            self.look(f"{name}: {format}", report.text)
            self.look(f"{name}: findings", str(report.findings))

    def test_no_report_shows_them(self):
        for name, (args, options, expected) in CASES.items():
            for dialect in ("c", "python", "shell"):
                session = self.session(expected, dialect=dialect)
                result = self.run_in(session, ["x", *args], **options)
                self.everything(f"{name} ({dialect})", session, self.assert_refused(result))
                session.delete()

    def test_no_assertion_shows_them(self):
        for name, (args, options, pattern) in CASES.items():
            session = self.session(replay=False)
            seen, = session.declare(double(pattern.kind, b"x", None, stdin=ANY if "input" in options else None))
            session.replay()
            self.assertEqual(self.run_in(session, ["x", *args], **options)[0], 0, name)
            pattern = double_pb2.Double.FromString(pattern.SerializeToString())
            for field in ("command", "kind", "location", "count", "env_injection"):
                pattern.ClearField(field)
            for kind in (control_pb2.CALL_ASSERTION_CALLED_WITH, control_pb2.CALL_ASSERTION_ANY_CALL,
                         control_pb2.CALL_ASSERTION_HAS_CALLS):
                said = self.client.AssertCalls(session_id=session.id, double_id=seen, assertion=kind, patterns=[pattern])
                self.look(f"{name}: assertion {kind}", said.text)
            session.delete()

    def test_no_error_shows_them(self):
        """A matcher that is wrong in itself is the test's own text, but that of a secret argument may be anybody's."""
        session = self.session(spy(b"x"), replay=False)
        for wrong in (Matcher(json_equals=f'{{"password": "{SECRET}'.encode()),):
            error = self.assert_reason("BAD_MATCHER", session.declare, stub(b"x", [wrong]))
            self.look("an invalid matcher", error.message)

    def test_a_server_that_crashes_leaves_no_core(self):
        with open(f"/proc/{self.server.pid}/limits", encoding="ascii") as file:
            limits = [line.split() for line in file if line.startswith("Max core file size")]
        self.assertEqual(limits[0][4], "0", "a core of the server would hold what it was told")
        with open(f"/proc/{self.server.pid}/coredump_filter", encoding="ascii") as file:
            self.assertEqual(int(file.read(), 16), 0, "so would one that goes to a pipe")


if __name__ == "__main__":
    unittest.main()
