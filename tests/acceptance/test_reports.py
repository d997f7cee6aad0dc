"""The reports people read, compared with fixtures/reports/*.txt. CMOX_UPDATE_GOLDEN=1 writes those files anew.

Each scenario declares, calls, and verifies; its file holds what the calls wrote to stderr and the text of the report.
"""

import json
import os
import re
import unittest
import xml.etree.ElementTree

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

    def compare(self, name, session, errors, **fields):
        report = session.verify(**fields)
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

    def test_the_same_mistake_again_and_again(self):
        session = self.session(stub(b"git", [b"status"], **at(2)), stub(b"tee", stdin=Matcher(equals=b"a"), **at(3)))
        calls = [["git", "push"], (["tee"], b"b"), ["git", "push", "-f"], (["tee"], b"c"), ["git", "push"], (["tee"], b"b")]
        self.check("repeated", session, *calls)
        found = session.verify().findings
        self.assertEqual([list(finding.invocation_ids) for finding in found], [[1, 5], [2, 6], [3], [4]])
        report = json.loads(session.verify(format="REPORT_FORMAT_JSON").text)
        self.assertEqual(report["findings"][0]["others"], [5])

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

    def test_order(self):
        def step(position, name="release"):
            return {"sequences": {"steps": [{"sequence": name, "position": position}]}}
        session = self.session(
            mock(b"git", [b"commit"], **at(4), **step(1)), mock(b"git", [b"push"], **at(5), **step(2)),
            mock(b"gh", [b"release"], **at(6), **step(3)))
        self.check("order", session, ["git", "push"], ["git", "commit"], ["gh", "release"], ["git", "push"])

    def test_lines_of_stdin(self):
        config = [b"[user]", b"name = a", b"email = a@example.com", b"[core]", b"editor = vi", b"pager = cat",
                  b"[alias]", b"st = status", b"co = checkout"]
        session = self.session(mock(b"tee", stdin=Matcher(equals=b"\n".join(config) + b"\n"), **at(9)))
        other = config[:1] + [b"name = b\x1b[31m"] + config[2:7] + [b"last = log -1", *config[7:]]
        self.check("stdin_lines", session, (["tee"], b"\n".join(other)))

    def test_secrets_of_stdin(self):
        session = self.session(mock(b"login", stdin=Matcher(equals=b"user=me\npassword=other\n"), **at(2)),
                               mock(b"post", stdin=Matcher(contains=b"x"), **at(3)))
        self.check("stdin_secrets", session, (["login"], f"user=me\npassword={SECRET}\n".encode()),
                   (["post"], f"Authorization: Bearer {SECRET}\n".encode()))

    def test_environment_and_directory(self):
        session = self.session(
            mock(b"make", matchers=[Matcher(equals=b"-j4"), Matcher(starts_with=b"/srv/"), Matcher(equals=SECRET.encode())],
                 env_match={"items": [{"name": b"MAKEFLAGS", "node": 0}, {"name": b"DEBUG", "absent": True},
                                      {"name": b"API_TOKEN", "node": 2}]},
                 cwd_match={"node": 1}, env_injection={"changes": [{"name": b"LEVEL", "value": b"3"}]}, **at(7)))
        self.run_in(session, ["make"], env={"MAKEFLAGS": "-j8", "DEBUG": "1", "API_TOKEN": SECRET + "x", "LEVEL": "4"},
                    cwd="/")
        self.compare("environment", session, "")

    def formats(self, format, label="clones & <tags>"):
        session = self.session(mock(b"git", [b"status"], **at(3)), mock(b"git", [b"fetch"], times(2, 2), **at(4)),
                               label=label)
        errors = self.run_in(session, ["git", "stash", "a\x02b"])[2].decode()
        self.compare(f"format_{format.lower()}", session, errors, format=f"REPORT_FORMAT_{format}")
        return session.verify(format=f"REPORT_FORMAT_{format}").text

    def test_json(self):
        report = json.loads(self.formats("JSON"))
        self.assertFalse(report["passed"])
        self.assertEqual([finding["kind"] for finding in report["findings"]],
                         ["UNEXPECTED_CALL", "UNFULFILLED", "UNFULFILLED"])

    def test_junit(self):
        suite = xml.etree.ElementTree.fromstring(self.formats("JUNIT").encode())
        self.assertEqual(suite.get("failures"), "1")
        self.assertEqual(suite.find("testcase").get("name"), "clones & <tags>")
        self.assertIn("git stash", suite.find("testcase/failure").text)

    def test_tap(self):
        self.assertIn("\nnot ok 1 - clones", self.formats("TAP", "clones #1"))

    def test_formats_of_a_test_that_passed(self):
        session = self.session(stub(b"git"), label="fine")
        self.assertTrue(json.loads(session.verify(format="REPORT_FORMAT_JSON").text)["passed"])
        suite = xml.etree.ElementTree.fromstring(session.verify(format="REPORT_FORMAT_JUNIT").text.encode())
        self.assertEqual(suite.get("failures"), "0")
        self.assertEqual(session.verify(format="REPORT_FORMAT_TAP").text, "TAP version 14\n1..1\nok 1 - fine\n")

    def test_colour(self):
        session = self.session(mock(b"git", [b"status"], **at(3)))
        self.run_in(session, ["git", "stash"])
        plain = session.verify().text
        self.compare("colour", session, "", color=True)
        colour = session.verify(color=True).text
        self.assertNotEqual(colour, plain)
        self.assertEqual(re.sub("\x1b\\[[0-9]*m", "", colour), plain)

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
