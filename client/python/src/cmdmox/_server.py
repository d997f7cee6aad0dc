"""The server that sessions live in: a child of this process that all of its sessions share, or one that listens
somewhere.

The child is started with the first session, `cmdmox serve --stdio`. It has a session of its own in the terminal's
sense, so that Ctrl-C does not reach it, and ends when its stdin is closed: by us at exit, or by the kernel when this
process dies, whatever of. It reads its own CMOX_ variables at its start, so a session that needs others gets another
child.

A child of fork() closes its copies of the link at once, so that they do not keep the server from ending, and starts a
server of its own with its first session.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import threading
import weakref
from typing import Dict, Optional, Tuple

from cmdmox import _program
from cmdmox._callbacks import METHODS, Callbacks
from cmdmox._errors import CmdMoxError, error_of
from cmdmox._link import Link, read_patience
from cmdmox._version import SOFTWARE
from cmdmox._workers import MOST, Workers
from cmdmox.v1 import control_pb2, frame_pb2

ENDING = 10.0  # seconds that a server has for ending
SOCKET_PATH_MOST = 107
#: What a server, or its link, reads from the environment once.
VARIABLES = ("CMOX_IPC_TIMEOUT", "CMOX_SHIM", "CMOX_TMPDIR", "CMOX_TRACE", "CMOX_WATCH")

Key = Tuple[Optional[str], ...]


class Server:
    """A link, who answers which session's callbacks on it, and how it ends."""

    link: Link

    def __init__(self) -> None:
        self.callbacks: weakref.WeakValueDictionary[bytes, Callbacks] = weakref.WeakValueDictionary()
        self._workers = Workers()
        self._patience = read_patience()

    def greet(self, read_fd: int, write_fd: int) -> None:
        self.link = Link(read_fd, write_fd, self._serve, self.why_ended, self._patience)
        self.link.greet(SOFTWARE)

    def why_ended(self) -> str:
        return "the server closed the link: it has ended"

    def end(self) -> None:
        raise NotImplementedError

    def leave(self) -> None:
        """In a child of fork(): lets go of what was inherited."""
        raise NotImplementedError

    def forget(self, session_id: bytes) -> None:
        """Ends a session without waiting for it: the collector of garbage may run on any thread."""
        try:
            self.link.tell("DeleteSession", control_pb2.DeleteSessionRequest(session_id=session_id))
        except CmdMoxError:
            pass  # there is no server any more

    def _serve(self, link: Link, request_id: int, request: frame_pb2.Request) -> None:
        def answer() -> None:
            try:
                link.respond(request_id, Callbacks.answer(self.callbacks, request))
            except CmdMoxError as error:
                link.respond(request_id, error)
            except BaseException as error:  # whoever called the command waits for a word
                link.respond(request_id, error_of("INTERNAL", f"the client cannot answer: {type(error).__name__}"))
                raise

        if request.method not in METHODS:  # at once: nothing of the test's is asked
            link.respond(request_id, error_of("UNIMPLEMENTED", f"this client does not implement {request.method[:80]}"))
            return
        try:
            started = self._workers.start(answer)
        except Exception as error:  # here it would end the link, and with it all sessions
            link.respond(request_id, error_of("BAD_STATE", f"there is no thread for a handler or a predicate: {error}"))
            return
        if not started:
            link.respond(request_id, error_of("BAD_STATE", f"{MOST} handlers and predicates run already: let some of them end"))


class ChildServer(Server):
    """`cmdmox serve --stdio`, as a child."""

    def __init__(self, program: str) -> None:
        super().__init__()
        try:
            self.process = subprocess.Popen([program, "serve", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            start_new_session=True)
        except OSError as error:
            raise error_of("NO_SERVER", f"{program} cannot be started: {error.strerror}; it was built for another system, or is "
                           "no program") from None
        assert self.process.stdin and self.process.stdout
        self.name = f"the cmdmox server ({program}, process {self.process.pid})"
        try:
            self.greet(self.process.stdout.fileno(), self.process.stdin.fileno())
        except BaseException:
            self.end()
            raise

    def why_ended(self) -> str:
        try:
            status = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return f"{self.name} closed its output"
        how = f"was killed by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
        return f"{self.name} {how}; what it had to say is on stderr, and a new CmdMox starts another one"

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        if self.link.silent:  # it is stopped, or hangs, and would not see that its stdin is closed
            self.process.kill()
        self.link.end("the server was ended, as Python is about to end")
        self.link.finish_writing(ENDING)
        try:
            self.process.stdin.close()
            self.process.wait(ENDING)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.link.finish_reading(ENDING)
        self.process.stdout.close()

    def leave(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        self.process.returncode = 0  # it is not a child of this process


class ListeningServer(Server):
    """A server at an address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        path = _socket_path(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            try:
                self.socket.connect(path)
            except OSError as error:
                why = {FileNotFoundError: "there is no such socket; start one with: cmdmox serve --listen ADDRESS",
                       ConnectionRefusedError: "nobody listens there any more"}.get(type(error), error.strerror)
                raise error_of("NO_SERVER", f"no server at {path}: {why}") from None
            self._check_owner(path)
            self.greet(self.socket.fileno(), self.socket.fileno())
        except BaseException:
            self.socket.close()
            raise

    def _check_owner(self, path: str) -> None:
        """A server gives out a directory that goes first on PATH: only one of our own or of root's may."""
        if not hasattr(socket, "SO_PEERCRED"):
            return
        data = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        uid = struct.unpack("3i", data)[1]
        if uid not in (os.geteuid(), 0):
            raise error_of("PERMISSION_DENIED", f"the server at {path} belongs to another user (uid {uid}): its commands would run "
                           "as you; start one of your own")

    def why_ended(self) -> str:
        return f"the server at {self.address} closed the link: it has ended, or was told to"

    def end(self) -> None:
        self.link.end("the session was closed")
        self.link.finish_writing(ENDING)
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server was first
        self.link.finish_reading(ENDING)
        self.socket.close()

    def leave(self) -> None:
        self.socket.close()

    def forget(self, session_id: bytes) -> None:
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # the session ends with the link that made it
        except OSError:
            pass  # the server was first


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _socket_path(address: str) -> str:
    scheme, colon, rest = address.partition(":")
    if address.startswith(("/", ".")) or not colon:
        path = address
    elif scheme == "unix":
        path = rest
    else:
        raise error_of("UNSUPPORTED_SCHEME", f"unsupported address scheme: {address}; write unix:/path/to/socket")
    if not path or "\0" in path:
        raise error_of("BAD_ADDRESS", f"malformed address: {address!r}; write unix:/path/to/socket")
    if len(os.fsencode(path)) > SOCKET_PATH_MOST:
        raise error_of("PATH_TOO_LONG", f"socket path too long: {path}; at most {SOCKET_PATH_MOST} bytes are possible")
    return path


# ---- The servers of this process ---------------------------------------------------------------------------------------

_lock = threading.Lock()
_children: Dict[Key, ChildServer] = {}
_connected: weakref.WeakSet[ListeningServer] = weakref.WeakSet()


def shared(named: Optional[str]) -> Server:
    """The child that sessions with this program and this environment share; starts it, also in place of one that has
    ended, or does not answer any more."""
    program = _program.find(named)
    key: Key = (program, *(os.environ.get(name) for name in VARIABLES))
    with _lock:
        server = _children.get(key)
        if server is not None and (server.link.broken is not None or server.link.silent):
            server.end()
            server = None
        if server is None:
            server = _children[key] = ChildServer(program)
        return server


def connected(address: str) -> Server:
    """A link of its own to a server that listens."""
    server = ListeningServer(address)
    _connected.add(server)
    return server


def end_all() -> None:
    """Ends the children; at the exit of this process, when no session needs them any more."""
    with _lock:
        servers = list(_children.values())
        _children.clear()
    for server in servers:
        server.end()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for server in [*_children.values(), *_connected]:
        server.leave()
    _children.clear()
    _connected.clear()


os.register_at_fork(after_in_child=_after_fork)
