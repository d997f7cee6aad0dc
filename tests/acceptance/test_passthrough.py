"""Passthrough as the server sees it: a peer that plays the shim is told what to run, and reports of it."""

import os
import socket
import unittest

from support import Case, cmdmox, until
from cmdmox.v1 import control_pb2, frame_pb2, shim_pb2
from cmdmox_doubles import ANY, capture_stdin, double, double_pb2, mock, passes, patch, returns, runs, spy, stub

STDIN, STDOUT, STDERR = frame_pb2.STREAM_STDIN, frame_pb2.STREAM_STDOUT, frame_pb2.STREAM_STDERR
PENDING, COMPLETED, LOST = (control_pb2.CALL_STATE_PENDING, control_pb2.CALL_STATE_COMPLETED,
                            control_pb2.CALL_STATE_LOST)
SHIM = shim_pb2.DESCRIPTOR.services_by_name["ShimService"].full_name


class Peer:
    """A shim on its own link: `self.action` is what it was told last."""

    def __init__(self, case, session, argv, env=(), command=None, key=None, **hello):
        self.case, self.key = case, key or os.urandom(16)
        entries = dict(entry.split(b"=", 1) for entry in session.created.env_block)
        self.link = socket.socket(socket.AF_UNIX)
        self.link.connect(entries[b"CMOX_IPC_SOCKET"].removeprefix(b"unix:"))
        files = self.link.makefile("rb"), self.link.makefile("wb")
        case.addCleanup(case.hang_up, self.link, *files)
        self.client = cmdmox.Client(*files, role=frame_pb2.ROLE_SHIM)
        request = shim_pb2.InvokeRequest(command=command or argv[0], argv=argv, env_block=env, cwd=b"/",
                                         invocation_key=self.key)
        payload = self.client.request(f"{SHIM}/Invoke", request.SerializeToString())
        self.action = shim_pb2.InvokeResponse.FromString(payload).action

    def told(self):
        self.case.assertEqual(self.action.WhichOneof("kind"), "passthrough", self.action)
        return self.action.passthrough

    def piece(self, stream, data):
        self.client.send(id=1, stream_data=frame_pb2.StreamData(stream=stream, data=data, monotonic_ns=1))

    def stdin(self, data, end=shim_pb2.STDIN_END_EOF):
        self.piece(STDIN, data)
        request = shim_pb2.ContinueInvokeRequest(call_id=self.action.call_id, stdin_bytes=len(data), stdin_end=end)
        payload = self.client.request(f"{SHIM}/ContinueInvoke", request.SerializeToString())
        self.action = shim_pb2.ContinueInvokeResponse.FromString(payload).action

    def report(self, **fields):
        request = shim_pb2.ReportPassthroughRequest(call_id=self.action.call_id, **fields)
        return self.client.request(f"{SHIM}/ReportPassthrough", request.SerializeToString())

    def completed(self, **fields):
        message = shim_pb2.Completed(call_id=self.action.call_id, **fields)
        self.client.send(notify={"topic": "cmdmox.v1.Completed", "payload": message.SerializeToString()})
        self.client.thread.join(self.client.timeout)  # the server closes the link

    def leave(self):
        self.case.hang_up(self.link)


class Passing(Case):
    @staticmethod
    def hang_up(link, *files):
        try:
            link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for file in (*files, link):
            file.close()

    def call(self, session, *argv, **fields):
        return Peer(self, session, list(argv), **fields)

    def only_call(self, session):
        [call] = session.invocations()
        return call


class Told(Passing):
    def test_where_to_look_and_what_to_change(self):
        session = self.session(spy(b"git", None, passes()), path=b"/one:/two")
        self.assertEqual(self.call(session, b"git").told(), shim_pb2.Passthrough(
            search_path=b"/one:/two", env_changes=[{"name": b"CMOX_PASSTHROUGH", "value": b"1"}],
            capture_stdout=True, capture_stderr=True, capture_max_bytes=16 << 20, kill_after_ms=5000))

    def test_a_passed_call_in_the_journal(self):
        session = self.session(spy(b"git", None, passes()))
        peer = self.call(session, b"git", b"log")
        self.assertEqual(self.only_call(session).state, PENDING)
        peer.told()
        peer.piece(STDOUT, b"a\0")
        peer.piece(STDERR, b"warn")
        peer.piece(STDOUT, b"b")
        peer.report(exit_code=3, program=b"/usr/bin/git", stdout_bytes=3, stderr_bytes=4)
        peer.completed(stdout_written=3, stderr_written=4)
        call = self.only_call(session)
        self.assertEqual((call.state, call.WhichOneof("end"), call.exit_code), (COMPLETED, "exit_code", 3))
        self.assertEqual((call.stdout_capture.data, call.stderr_capture.data), (b"a\0b", b"warn"))
        self.assertEqual((call.program, call.stdout_written, call.merged), (b"/usr/bin/git", 3, False))
        self.assert_passed(session)


if __name__ == "__main__":
    unittest.main()
