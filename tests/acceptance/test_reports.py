"""The reports people read, compared with fixtures/reports/*.txt. CMOX_UPDATE_GOLDEN=1 writes those files anew.

Each scenario declares, calls, and verifies; its file holds what the calls wrote to stderr and the text of the report.
"""

import os
import re
import unittest

from support import ROOT, Case, until
from cmdmox_doubles import ANY, Matcher, capture_stdin, mock, returns, stub, times

GOLDEN = os.path.join(ROOT, "fixtures", "reports")
SECRET = "-".join(["not", "really", "secret"])


def at(line, file="tests/release.c"):
    return {"location": {"file": file, "line": line}}


class Reports(Case):
    maxDiff = None

    def check(self, name, session, *calls):
        errors = []
        for call in calls:
            command, stdin = call if isinstance(call, tuple) else (call, None)
            errors.append(self.run_in(session, command, input=stdin)[2].decode("utf-8", "backslashreplace"))
        self.compare(name, session, "".join(errors))

    def compare(self, name, session, errors):
        report = session.verify()
        text = f"--- stderr of the calls\n{errors}--- report ({'passed' if report.passed else 'failed'})\n{report.text}"
        text = text.replace(os.path.dirname(session.shims.decode()), "DIR")
        text = re.sub(r"\bpid \d+", "pid N", text)
        self.assertNotIn(SECRET, text)
        path = os.path.join(GOLDEN, name + ".txt")
        if os.environ.get("CMOX_UPDATE_GOLDEN"):
            os.makedirs(GOLDEN, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), text)

    def test_all_is_well(self):
        self.check("passed", self.session(mock(b"git", [b"status"])), ["git", "status"])

    def test_wrong_argument(self):
        session = self.session(
            mock(b"git", [b"clone", Matcher(starts_with=b"https://"), ANY], **at(10)),
            mock(b"git", [b"describe", b"--tags"], returns(b"v1.4.0\n"), **at(13)))
        self.check("wrong_argument", session, ["git", "clone", "http://example.com/app.git", "app"],
                   ["git", "describe", "--tags"])

    def test_too_many_and_too_few_arguments(self):
        session = self.session(stub(b"cp", [b"a", b"b"], **at(3)))
        self.check("argument_count", session, ["cp", "a"], ["cp", "a", "b", "c"])

    def test_no_double(self):
        session = self.session(replay=False)
        self.client.RegisterCommands(session_id=session.id, commands=[b"rm"])
        session.replay()
        self.check("no_double", session, ["rm", "-rf", "build dir", "it's"])

    def test_one_call_too_many(self):
        session = self.session(mock(b"make", None, times(1, 2), **at(21)), mock(b"rm", None, times(0, 0), **at(22)))
        self.check("excess", session, ["make"], ["make"], ["make", "-j4"], ["rm", "x"])

    def test_counts(self):
        session = self.session(
            mock(b"make", [b"one"], times(2, 2), **at(1)), mock(b"make", [b"two"], times(3), **at(2)),
            mock(b"make", [b"three"], times(2, 4), **at(3)), mock(b"make", [b"four"], **at(4)))
        self.check("counts", session, ["make", "one"], ["make", "two"], ["make", "two"], ["make", "three"])

    def test_stdin(self):
        session = self.session(mock(b"mail", [b"-s", b"done"], stdin=Matcher(contains=b"all tests pass"), **at(8)))
        self.check("stdin", session, (["mail", "-s", "done"], b"2 tests fail\n"))

    def test_bytes(self):
        session = self.session(stub(b"printf", [Matcher(regex=b"^\\d+$")], **at(5)))
        self.check("bytes", session, [b"printf", b"\xff\x01\n\te\xc3\xa9\x1b[31m"], [b"printf", b""])

    def test_many_arguments(self):
        session = self.session(stub(b"seq", [b"%d" % i for i in range(30)], **at(6)))
        self.check("many_arguments", session, ["seq", *("x" if i == 17 else str(i) for i in range(30))])

    def test_long_values_show_where_they_differ(self):
        session = self.session(mock(b"sh", [b"-c", b"true;" * 60 + b"left" + b" x" * 200], **at(3)),
                               mock(b"tee", [], stdin=Matcher(equals=b"line\n" * 100 + b"end"), **at(4)))
        self.check("long_values", session, ["sh", "-c", "true;" * 60 + "right" + " x" * 200],
                   (["tee"], b"line\n" * 100 + b"END"))

    def test_secrets_are_masked(self):
        session = self.session(mock(b"curl", [b"--token", b"other", ANY], **at(4)), dialect="c")
        self.check("secrets", session, ["curl", "--token", SECRET, f"https://me:{SECRET}@example.com/"])

    def test_dialects(self):
        for dialect in ("python", "shell"):
            session = self.session(stub(b"git", [b"status"], **at(2)), dialect=dialect)
            self.check(f"dialect_{dialect}", session, ["git", "add", "it's a file"], ["git"])

    def test_calls_that_did_not_end(self):
        session = self.session(
            stub(b"killed", None, returns(gate="a")), stub(b"held", None, returns(gate="b")),
            stub(b"reader", None, capture_stdin()))
        killed = self.start_in(session, ["killed", "x"])
        until(lambda: session.count() == 1)
        killed.kill()
        killed.wait()
        self.start_in(session, ["held"])
        until(lambda: session.count() == 2)
        source, sink = os.pipe()
        reader = self.start_in(session, ["reader"], stdin=source)
        until(lambda: session.count() == 3)
        self.compare("unfinished", session, "")
        os.close(sink)
        os.close(source)
        self.finish(reader)

    def test_calls_outside_replay(self):
        session = self.session(mock(b"git"), replay=False)
        early = self.run_in(session, ["git", "early"])[2].decode()
        session.replay()
        self.check("before_replay", session, ["git", "now"])
        late = self.run_in(session, ["git", "late"])[2].decode()
        self.assertIn("has not called replay yet", early)
        self.assertIn("has already called verify", late)


if __name__ == "__main__":
    unittest.main()
