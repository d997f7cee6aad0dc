"""CMOX_TRACE: the path of a call in one file, with nothing secret in it.

docs/trace.md shows the lines of one call; CMOX_UPDATE_GOLDEN=1 writes them there anew.
"""

import os
import re
import tempfile
import unittest

from support import ROOT, Case, until
from cmdmox_doubles import Matcher, capture_stdin, mock, returns, stub

SECRET = b"-".join([b"not", b"really", b"secret"])
DOCUMENT = os.path.join(ROOT, "docs", "trace.md")
LINE = re.compile(r"(?P<time>\d+\.\d{6}) (?P<side>engine|shim|client) (?P<pid>\d+) (?P<event>[a-z_]+\.[a-z_]+)( .*)?")


class Traced(Case):
    maxDiff = None

    def own_place(self):
        super().own_place()
        folder = tempfile.TemporaryDirectory(dir="/tmp", prefix="cmox")
        self.addCleanup(folder.cleanup)
        self.trace = os.path.join(folder.name, "trace.txt")
        self.environment["CMOX_TRACE"] = self.trace

    def run_traced(self, session, command, env=None, **options):
        return self.run_in(session, command, env={**(env or {}), b"CMOX_TRACE": os.fsencode(self.trace)}, **options)

    def text(self):
        with open(self.trace, encoding="utf-8") as file:
            return file.read()

    def finished(self):
        """The text once the session has been verified: by then all is in but what shims write when they exit."""
        return until(lambda: self.text().count(" shim.start ") == self.text().count(" shim.exit ") and self.text())

    def events(self, text):
        found = []
        for line in text.splitlines():
            match = LINE.fullmatch(line)
            self.assertTrue(match, line)
            found.append(match["event"])
        return found


class Secrets(Traced):
    def test_nothing_secret_is_in_it(self):
        """Its place in arguments, environment, streams, expectations, reports."""
        session = self.session(
            mock(b"curl", [b"--password", SECRET, Matcher(contains=SECRET), Matcher(regex=SECRET)],
                 returns(b"out " + SECRET, b"err " + SECRET)),
            mock(b"mail", None, stdin=Matcher(equals=b"to " + SECRET)),
            stub(b"tee", None, returns(b"x" * 100000 + SECRET), capture_stdin()),
            path=b"/bin:/" + SECRET)
        env = {b"API_TOKEN": SECRET, b"PLAIN": SECRET}
        url = b"https://me:" + SECRET + b"@example.com/?token=" + SECRET
        header = b"Authorization: Bearer " + SECRET
        curl = [b"curl", b"--password", SECRET]
        self.assertEqual(self.run_traced(session, [*curl, SECRET.join([b"https://x?token=", b""]), b"token=" + SECRET],
                                         env)[0], 0)
        self.assertEqual(self.run_traced(session, [*curl, url, b"-H", header, b"API_KEY=" + SECRET], env)[0], 125)
        self.assertEqual(self.run_traced(session, [b"mail", b"--token=" + SECRET], env, input=SECRET * 2)[0], 125)
        self.assertEqual(self.run_traced(session, [b"tee"], env, input=SECRET * 40000)[0], 0)
        self.client.Ping(payload=SECRET)
        self.assertIn(SECRET.decode(), session.verify().text)  # stdin, shown to the test's author
        self.assertTrue(session.invocations())
        text = self.finished()
        self.assertNotIn(SECRET.decode(), text)
        self.assertNotIn(SECRET[:12].decode(), text)
        self.assertIn('argv="https://me:***@example.com/?token=***"', text)
        self.assertIn('argv="Authorization:***"', text)
        self.assertIn("differs=stdin", text)
        self.events(text)

    def test_a_refused_pattern_is_not_in_it(self):
        session = self.session(replay=False)
        self.assert_reason("BAD_REGEX", session.declare, stub(b"curl", [Matcher(regex=SECRET + b"(")]))
        self.assertIn("reason=BAD_REGEX", self.text())
        self.assertNotIn(SECRET.decode(), self.text())


class Path(Traced):
    def normalised(self, session, text):
        text = text.replace(os.path.dirname(session.shims.decode()), "/tmp/cmdmox-a1b2c3")
        text = text.replace(session.id[:4].hex(), "5e551047")
        shim = re.search(r" shim (\d+) ", text)[1]
        for number, shown in ((str(self.server.pid), "4100"), (shim, "4142"), (str(os.getpid()), "4099")):
            text = re.sub(rf"\b{number}\b", shown, text)
        text = re.sub(r"(shim\.hello bytes|link=2 bytes|uid)=\d+", r"\1=N", text)
        text = re.sub(r"(cmdmox[/a-z-]* ?)\d+\.\d+\.\d+", r"\1N", text)
        return re.sub(r"<\d+ entries>", "<N entries>", text)

    def test_the_path_of_one_call_is_the_documented_one(self):
        """Each side's lines are compared in their order; how the two sides interleave is up to the scheduler."""
        session = self.session(
            mock(b"curl", None, returns(b"v1.4.0\n"), location={"file": "tests/release.c", "line": 12}))
        self.assertEqual(self.run_traced(session, ["curl", "--token", SECRET, "https://example.com/"], cwd="/")[0], 0)
        self.assert_passed(session)
        until(lambda: " link.close link=2 " in self.text())
        call = self.normalised(session, self.finished())
        lines = ["0." + line for line in re.findall(r"(?m)^\d+\.(.* (?:shim\.|link\.accept|.* link=2|.* call=1).*)$", call)]

        with open(DOCUMENT, encoding="utf-8") as file:
            document = file.read()
        before, shown, after = re.split(r"(?<=<!-- one call -->\n```\n)(.*?)(?=```)", document, maxsplit=1, flags=re.S)
        if os.environ.get("CMOX_UPDATE_GOLDEN"):
            shown = "".join(line + "\n" for line in lines)
            with open(DOCUMENT, "w", encoding="utf-8") as file:
                file.write(before + shown + after)
        for side in (" engine ", " shim "):
            wanted = [re.sub(r"^\S+", "", line) for line in shown.splitlines() if side in line]
            seen = [re.sub(r"^\S+", "", line) for line in lines if side in line]
            self.assertTrue(wanted)
            self.assertEqual(seen[:len(wanted)], wanted)

    def test_where_a_call_hangs_can_be_seen(self):
        session = self.session(stub(b"cmd", None, returns(gate="gate 1")))
        child = self.start_in(session, ["cmd"], env={b"CMOX_TRACE": os.fsencode(self.trace)})
        until(lambda: session.count() == 1, "the call")
        self.assertIn('session.hold call=1 gate="gate 1"\n', self.text())
        self.assertNotIn("shim.action", self.text())
        session.release("gate 1")
        self.assertEqual(self.finish(child)[0], 0)
        self.assertIn('session.release gate="gate 1" calls=1\n', self.text())

    def test_why_a_call_is_refused_can_be_seen(self):
        session = self.session(mock(b"git", [b"push", b"origin"], location={"file": "a.c", "line": 7}), replay=False)
        self.client.RegisterCommands(session_id=session.id, commands=[b"rm"])
        self.run_traced(session, ["git", "early"])
        session.replay()
        self.run_traced(session, ["git", "push", "upstream"])
        self.run_traced(session, ["git", "push", "origin"])
        self.run_traced(session, ["git", "push", "origin"])
        self.run_traced(session, ["rm"])
        refused = re.findall(r" session\.refuse (.*)", self.text())
        self.assertEqual(refused, [
            'call=1 why="the test has not called replay yet" nearest=0 file="" line=0 differs=""',
            'call=2 why="no double accepts it" nearest=1 file=a.c line=7 differs="argument 2"',
            'call=4 why="the double has had all its calls" nearest=1 file=a.c line=7 differs=""',
            'call=5 why="no double of this command" nearest=0 file="" line=0 differs=""'])
        self.assertIn(" session.match call=3 double=1 file=a.c line=7 taken=1\n", self.text())

    def test_a_killed_shim_can_be_seen(self):
        session = self.session(stub(b"cmd", None, returns(gate="g")))
        child = self.start_in(session, ["cmd"])
        until(lambda: session.count() == 1, "the call")
        child.kill()
        child.wait()
        until(lambda: " session.lost call=1\n" in self.text())
        self.assertIn(" link.close link=2 why=", self.text())


class Switch(Traced):
    server_env = {}

    def test_the_server_alone_may_be_traced(self):
        """What it gives out for the environment of the code under test does not name the file."""
        session = self.session(stub(b"cmd"))
        self.assertFalse([entry for entry in session.env if entry == b"CMOX_TRACE" and entry not in os.environb])
        self.assertEqual(self.run_in(session, ["cmd"], env={b"CMOX_TRACE": b""})[0], 0)
        self.assert_passed(session)
        self.assertEqual({line.split()[1] for line in self.text().splitlines()}, {"engine"})

    def test_the_journal_does_not_know_of_it(self):
        session = self.session(stub(b"cmd"))
        self.assertEqual(self.run_traced(session, ["cmd"])[0], 0)
        [call] = session.invocations()
        self.assertFalse([entry for entry in call.env_block if entry.startswith(b"CMOX_")])


if __name__ == "__main__":
    unittest.main()
