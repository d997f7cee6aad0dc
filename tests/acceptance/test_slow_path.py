"""A PATH with thousands of programs: while one session is made for it, the others are answered."""

import os
import subprocess
import tempfile
import unittest

from support import PROGRAM, SHIM
from cmdmox_client import MAGIC, CONTROL, read_frame, write_frame
from cmdmox.v1 import control_pb2, frame_pb2

PROGRAMS = 2000


class SlowPath(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(dir="/tmp")
        cls.addClassCleanup(folder.cleanup)
        cls.path = os.fsencode(folder.name)
        for number in range(PROGRAMS):
            with open(os.path.join(folder.name, f"program{number}"), "wb") as file:
                os.fchmod(file.fileno(), 0o755)

    def setUp(self):
        place = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(place.cleanup)
        self.server = subprocess.Popen([PROGRAM, "serve", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       env={**os.environ, "CMOX_SHIM": SHIM, "CMOX_TMPDIR": place.name})
        self.addCleanup(self.server.wait, 60)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.server.stdin.close)
        self.last_id, self.progress = -1, []
        hello = frame_pb2.Hello(magic=MAGIC, role=frame_pb2.ROLE_CONTROLLER, min_version=1, max_version=1, silence_ms=3)
        write_frame(self.server.stdin, frame_pb2.Frame(hello=hello))
        self.assertEqual(read_frame(self.server.stdout).WhichOneof("body"), "hello_reply")

    def ask(self, method, **fields):
        """Sends, and waits for nothing."""
        self.last_id += 2
        request = getattr(control_pb2, f"{method}Request")(**fields)
        write_frame(self.server.stdin, frame_pb2.Frame(id=self.last_id, request=frame_pb2.Request(
            method=f"{CONTROL.full_name}/{method}", payload=request.SerializeToString())))
        return self.last_id

    def answers(self, count):
        """The next ones, in the order they come: (id, reason of the error or "", payload)."""
        found = []
        while len(found) < count:
            frame = read_frame(self.server.stdout)
            self.assertIsNotNone(frame)
            if frame.WhichOneof("body") == "notify":
                self.progress.append(frame.notify.topic)
            else:
                found.append((frame.id, frame.response.error.reason, frame.response.payload))
        return found

    def session(self):
        self.ask("CreateSession", path=self.path)
        return control_pb2.CreateSessionResponse.FromString(self.answers(1)[0][2]).session_id

    def test_a_contained_session_in_the_making_holds_nobody_up(self):
        slow, other = self.ask("CreateSession", path=self.path, contained=True), self.ask("Ping")
        self.assertEqual([answer[:2] for answer in self.answers(2)], [(other, ""), (slow, "")])

    def test_an_absent_command_holds_nobody_up_and_is_told_to_be_at_work(self):
        session = self.session()
        slow = self.ask("MakeAbsent", session_id=session, commands=[b"program7", b"program8"])
        early = self.ask("RegisterCommands", session_id=session, commands=[b"git"])
        other = self.ask("Ping")
        count = self.ask("CreateSession", path=self.path)
        answers = self.answers(4)
        self.assertEqual([answer[:2] for answer in answers],
                         [(early, "BAD_STATE"), (other, ""), (count, ""), (slow, "")])
        self.assertEqual(set(self.progress), {"cmdmox.v1.Progress"})
        made = control_pb2.MakeAbsentResponse.FromString(answers[-1][2])
        mirror = next(entry for entry in made.env_block if entry.startswith(b"PATH=")).split(b":")[1]
        self.assertEqual(set(os.listdir(self.path)) - set(os.listdir(mirror)), {b"program7", b"program8"})

    def test_a_session_that_ends_meanwhile_ends_the_work(self):
        session = self.session()
        slow = self.ask("MakeAbsent", session_id=session, commands=[b"program7"])
        ended = self.ask("DeleteSession", session_id=session)
        self.assertEqual([answer[:2] for answer in self.answers(2)], [(ended, ""), (slow, "CANCELLED")])

    def test_a_client_that_goes_meanwhile(self):
        self.ask("MakeAbsent", session_id=self.session(), commands=[b"program7"])
        self.server.stdin.close()
        self.assertEqual(self.server.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
