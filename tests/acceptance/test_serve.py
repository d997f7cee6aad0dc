"""cmdmox serve: when it ends by itself, whose address it takes; a session that nobody asks for, and one that is verified
as it is deleted."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from support import DEADLINE, PROGRAM, Case, Listening, cmdmox, until
from cmdmox_doubles import mock, returns, stub


LABEL = "a \"test\" \\ of\nthe\t log \x7f é"


class Ending(Listening):
    """Servers that a test starts itself."""

    def setUp(self):
        self.own_place()
        self.address = os.path.join(self.place, "s")
        self.server = None

    def serve(self, *options):
        self.server = subprocess.Popen([PROGRAM, "serve", "--listen", "unix:" + self.address, *options],
                                       env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.server.stderr.close)
        self.addCleanup(self.kill)
        return self.server.stdout.readline()

    def kill(self):
        if self.server.poll() is None:
            self.server.kill()
            self.server.wait()

    def assert_ended(self):
        self.assertEqual(self.server.wait(DEADLINE), 0)
        self.assertEqual(os.listdir(self.place), [])

    def test_nobody_ever_comes(self):
        self.serve("--idle-timeout", "0.1")
        self.assert_ended()

    def test_a_client_keeps_it_and_its_end_does_not(self):
        self.serve("--idle-timeout", "0.3")
        client = self.connect()
        for begin in (lambda: None, lambda: cmdmox.Session(client)):
            session = begin()
            with self.assertRaises(subprocess.TimeoutExpired):
                self.server.wait(0.6)
            client.Ping()
        session.delete()
        client.Ping()
        self.disconnect(client)
        self.assert_ended()

    def test_its_parent_ends(self):
        parent = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        self.serve("--parent", str(parent.pid))
        client = self.connect()
        cmdmox.Session(client).replay()
        self.assertIsNone(self.server.poll())
        parent.kill()
        parent.wait()
        self.assert_ended()
        parent.stdin.close()

    def test_a_parent_that_is_not_there(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        self.assertEqual(self.serve("--parent", str(gone.pid)), b"")
        self.assertEqual(self.server.wait(DEADLINE), 2)
        self.assertIn(f"--parent {gone.pid}: there is no such process", self.server.stderr.read().decode())

    def test_stdio_ends_with_its_parent_too(self):
        parent = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        serving = cmdmox.serve([PROGRAM, "serve", "--stdio", "--parent", str(parent.pid)], self.environment)
        client = serving.__enter__()
        client.Ping()
        parent.kill()
        parent.wait()
        self.assertEqual(serving.process.wait(DEADLINE), 0)
        client.close()
        parent.stdin.close()

    def test_the_socket_of_a_killed_server_is_replaced(self):
        self.serve()
        self.server.kill()
        self.server.wait()
        self.assertTrue(os.path.exists(self.address))
        self.assertEqual(self.serve("--idle-timeout", "60").decode(), f"unix:{self.address}\n")
        self.disconnect(self.connect())
        self.server.terminate()
        self.assert_ended()

    def test_a_living_server_keeps_its_address(self):
        self.serve()
        first = self.server
        self.assertEqual(self.serve(), b"")
        self.assertEqual(self.server.wait(DEADLINE), 3)
        self.assertIn("in use: another server has it", self.server.stderr.read().decode())
        self.disconnect(self.connect())
        first.terminate()
        self.assertEqual(first.wait(DEADLINE), 0)

    def test_what_is_no_socket_is_kept(self):
        with open(self.address, "w", encoding="ascii") as file:
            file.write("precious")
        self.assertEqual(self.serve(), b"")
        self.assertIn("in use: a file is there", self.server.stderr.read().decode())
        os.unlink(self.address)


class Logged(Case):
    """`--log`: what happens, as JSON."""

    def serve(self, **env):
        return cmdmox.serve([PROGRAM, "serve", "--stdio", "--log", self.log], {**self.environment, **env})

    def own_place(self):
        super().own_place()
        folder = tempfile.mkdtemp(prefix="log-")
        self.log = os.path.join(folder, "log")
        self.prepare()
        self.addCleanup(shutil.rmtree, folder)

    def prepare(self):
        pass

    def events(self, name=None):
        with open(self.log, encoding="utf-8") as file:
            return [event for event in map(json.loads, file) if name in (None, event["event"])]

    def test_what_happens_is_there_as_it_happens(self):
        secret = "".join(("hun", "ter", "2"))
        session = self.session(mock(b"git", [b"--token", secret.encode()]), label=LABEL)
        self.run_in(session, ["git", "--token", secret])
        self.run_in(session, ["git", "push"])
        self.assertFalse(session.verify().passed)
        self.assert_reason("NOT_FOUND", self.client.DeleteSession, session_id=b"x" * 16)
        session.delete()
        events = self.events()
        name = session.id.hex()[:8]
        self.assertEqual(events[0]["event"], "engine.start")
        [opened] = self.events("host.session_open")
        self.assertEqual((opened["session"], opened["label"]), (name, LABEL))
        for event in ("session.replay", "session.match", "session.refuse", "session.reply", "session.verify"):
            self.assertEqual({each["session"] for each in self.events(event)}, {name}, event)
        [refused] = self.events("session.refuse")
        self.assertEqual((refused["call"], refused["why"]), (2, "no double accepts it"))
        [failed] = self.events("request.fail")
        self.assertEqual((failed["method"], failed["why"]), ("DeleteSession", "NOT_FOUND"))
        self.assertEqual(len(self.events("host.session_close")), 1)
        self.assertRegex(events[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        with open(self.log, encoding="utf-8") as file:
            self.assertNotIn(secret, file.read())

    def test_a_log_that_cannot_be_opened(self):
        done = subprocess.run([PROGRAM, "serve", "--stdio", "--log", "/nonexistent/log"], env=self.environment, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE)
        self.assertEqual((done.returncode, done.stderr), (3, b"cmdmox serve: --log /nonexistent/log: No such file or "
                                                             b"directory\n"))


class LoggedNowhere(Logged):
    """A full disk and a reader that has gone disturb nobody."""

    def prepare(self):
        self.log = "/dev/full"

    def test_what_happens_is_there_as_it_happens(self):
        session = self.session(mock(b"git", None, returns(b"x\n")))
        self.assertEqual(self.run_in(session, ["git"])[:2], (0, b"x\n"))
        self.assert_passed(session)


class LoggedToNobody(LoggedNowhere):
    def prepare(self):
        os.mkfifo(self.log)
        self.reader = os.open(self.log, os.O_RDONLY | os.O_NONBLOCK)

    def test_what_happens_is_there_as_it_happens(self):
        os.close(self.reader)
        super().test_what_happens_is_there_as_it_happens()

    def test_a_log_that_cannot_be_opened(self):
        os.close(self.reader)


class Idle(Case):
    def test_a_session_that_nobody_asks_for_goes(self):
        session = self.session(stub(b"git"), idle_timeout_ms=50)
        until(lambda: self.gone(session), "its end")
        self.assert_reason("NOT_FOUND", session.count)

    def gone(self, session):
        self.client.Ping()  # asking for the session would keep it
        return not os.path.exists(os.path.join(os.path.dirname(session.shims.decode()), "priv", "s"))

    def test_a_call_at_work_keeps_it(self):
        session = self.session(stub(b"git", None, returns(b"late\n", gate="g")), idle_timeout_ms=100)
        child = self.start_in(session, ["git"])
        with self.assertRaises(subprocess.TimeoutExpired):
            child.wait(0.5)
        until(lambda: session.count() == 1, "the call")
        self.client.ReleaseCalls(session_id=session.id, gate="g")
        self.assertEqual(self.finish(child)[:2], (0, b"late\n"))


class Deleting(Case):
    def delete(self, session):
        return self.client.DeleteSession(session_id=session.id, verify=True)

    def test_it_verifies_what_nobody_has(self):
        answer = self.delete(self.session(mock(b"git")))
        self.assertTrue(answer.unverified)
        self.assertFalse(answer.verification.passed)
        self.assertIn("never called: mock git", answer.verification.text)

    def test_it_passes_what_is_well(self):
        answer = self.delete(self.session(stub(b"git")))
        self.assertTrue(answer.verification.passed)

    def test_it_does_not_verify_twice_nor_before_replay(self):
        session = self.session(mock(b"git"))
        session.verify()
        self.assertFalse(self.delete(session).HasField("verification"))
        self.assertFalse(self.delete(self.session(mock(b"git"), replay=False)).HasField("verification"))


if __name__ == "__main__":
    unittest.main()
