"""A stage for one launcher and a server that says what a scenario tells it to, for tests that judge only how it ends.

The same as tests/lib/stage.c and peer.c, for drivers that start thousands of launchers from several processes.
The server's part bears everything: a launcher that fails may leave at any point of the conversation.
"""

import io
import os
import socket
import threading

from support import SHIM, cmdmox
from cmdmox.v1 import frame_pb2, shim_pb2

Frame, Response = frame_pb2.Frame, frame_pb2.Response
STDOUT, STDERR = frame_pb2.STREAM_STDOUT, frame_pb2.STREAM_STDERR
FILE = frame_pb2.STREAM_FILE
WELCOME = Frame(hello_reply={"ok": {"version": 1, "max_frame_bytes": 64 << 10}})


def refusal(message):
    return Frame(hello_reply={"error": {"code": 9, "reason": "NOT_REPLAYING", "message": message}})


def action(request=1, **kind):
    """The Response with an action; InvokeResponse and ContinueInvokeResponse are the same on the wire."""
    payload = shim_pb2.InvokeResponse(action=shim_pb2.Action(call_id=7, **kind)).SerializeToString()
    return Frame(id=request, response=Response(payload=payload))


def piece(stream, data, delay_ms=0):
    return Frame(id=1, stream_data={"stream": stream, "data": data, "delay_ms": delay_ms})


def file_piece(data=b"", **fields):
    return Frame(id=1, stream_data={"stream": FILE, "data": data, **fields})


def packed(*frames):
    """One write for all, so that how often the launcher reads does not depend on who runs first."""
    out = io.BytesIO()
    for frame in frames:
        cmdmox.write_frame(out, frame)
    return out.getvalue()


class Stage:
    """D/bin/git -> ../cmdmox-shim, D/endpoint, D/priv/s."""

    def __init__(self, folder, with_endpoint=True):
        self.folder = folder
        for name in ("bin", "priv"):
            os.makedirs(os.path.join(folder, name))
        launcher = os.path.join(folder, "cmdmox-shim")
        with open(SHIM, "rb") as source, open(launcher, "wb") as copy:
            copy.write(source.read())
        os.chmod(launcher, 0o755)
        self.command = os.path.join(folder, "bin", "git")
        os.symlink("../cmdmox-shim", self.command)
        self.socket = os.path.join(folder, "priv", "s")
        if with_endpoint:
            with open(os.path.join(folder, "endpoint"), "w", encoding="ascii") as file:
                file.write("unix:priv/s")


class Server:
    """Plays `conversation(server, link)` with every connection of one launcher, on a thread, until it is stopped."""

    def __init__(self, stage, conversation, backlog=8):
        if os.path.exists(stage.socket):
            os.unlink(stage.socket)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(stage.socket)
        self.listener.listen(backlog)
        self.conversation, self.connections = conversation, 0
        self.may_accept = threading.Event()
        self.filler = None
        self.may_accept.set()
        if backlog == 0:  # the only place in the queue is taken until may_accept
            self.may_accept.clear()
            self.filler = socket.socket(socket.AF_UNIX)
            self.filler.connect(stage.socket)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def stop(self):
        self.may_accept.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self.thread.join()
        self.listener.close()

    def _serve(self):
        self.may_accept.wait()
        if self.filler:
            self.filler.close()
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with link:
                try:
                    self.conversation(self, link)
                except OSError:
                    pass  # the launcher has left


class Link:
    """Frames over a connection; the end of it is an OSError."""

    def __init__(self, link):
        self.link, self.reader = link, link.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()

    def read(self):
        frame = cmdmox.read_frame(self.reader)
        if frame is None:
            raise OSError("the launcher closed the link")
        return frame

    def greeted(self):
        """Hello and Invoke."""
        self.read()
        self.read()

    def send(self, *frames):
        self.link.sendall(packed(*frames))

    def drain(self):
        while True:
            self.read()
