"""One link to a server: frames out, frames in, and who waits for which answer.

A link has two threads of its own. One reads frames: it wakes the caller whose response came, and hands a request of the
server to `on_request`. The other writes, so that a KeyboardInterrupt on the test's thread never tears a frame. A caller
puts its request into the queue and waits for the response, or for the end of the link, whose reason every later
call repeats. Whoever waits can be interrupted at any time: a response that nobody waits for is dropped.

The one thing encoded by hand is the length prefix of a frame.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from typing import Callable, Dict, Optional, Type, TypeVar, Union

from google.protobuf.message import DecodeError, Message

from cmdmox._errors import CmdMoxError, error_of
from cmdmox.v1 import frame_pb2, shim_pb2, status_pb2

MAGIC = 0x584D4443
VERSION = 1
FRAME_MOST = 16 << 20
PATIENCE = 30.0  # seconds that a server may say nothing of a request, unless CMOX_IPC_TIMEOUT says otherwise
PATIENCE_MOST = 86400
SERVICE = "cmdmox.v1.ControlService"

M = TypeVar("M", bound=Message)
OnRequest = Callable[["Link", int, frame_pb2.Request], None]


def length_prefix(length: int) -> bytes:
    """The length of a frame as a varint."""
    prefix = bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)


def read_patience() -> Optional[float]:
    """CMOX_IPC_TIMEOUT: seconds, or none for as long as it takes."""
    text = os.environ.get("CMOX_IPC_TIMEOUT")
    if text is None:
        return PATIENCE
    if text == "none":
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text) and 0 < float(text) <= PATIENCE_MOST:
        return float(text)
    raise error_of("BAD_TIMEOUT", f"CMOX_IPC_TIMEOUT is \"{text}\": write seconds, such as 5 or 0.5, or none")


class _Waiter:
    """One request: who made it sleeps until there is a response, or none will come."""

    def __init__(self, patience: Optional[float]) -> None:
        self.response: Optional[frame_pb2.Response] = None
        self.heard = time.monotonic()
        self._patience = patience
        # Of all that one can wait for this is what an interrupt cannot break: a Semaphore is Python, and would.
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()

    def wake(self, response: Optional[frame_pb2.Response] = None) -> None:
        self.response = response
        self._woken.put(None)

    def wait(self) -> bool:
        """False: nothing was heard for too long."""
        while self._patience is not None:
            left = self.heard + self._patience - time.monotonic()
            if left <= 0:
                return False
            try:
                self._woken.get(timeout=left)
                return True
            except queue.Empty:
                continue
        self._woken.get()
        return True


class Link:
    """A connection that a server has accepted; made by greet()."""

    def __init__(self, read_fd: int, write_fd: int, on_request: OnRequest, why_ended: Callable[[], str],
                 patience: Optional[float]) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self._on_request, self._why_ended, self._patience = on_request, why_ended, patience
        self._pid = os.getpid()
        self._outgoing: queue.SimpleQueue[Optional[bytes]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: Dict[int, _Waiter] = {}
        self._next_id = 1
        self._frame_most = FRAME_MOST
        self._broken: Optional[CmdMoxError] = None
        #: A request has waited for too long, and nothing was heard since.
        self.silent = False
        self._greeting = _Waiter(self._patience)
        self._greeted: Optional[frame_pb2.HelloReply] = None
        self._reading = threading.Thread(target=self._reader, name="cmdmox reader", daemon=True)
        self._writing = threading.Thread(target=self._writer, name="cmdmox writer", daemon=True)

    # ---- What callers use -------------------------------------------------------------------------------------------

    def greet(self, software: str) -> frame_pb2.HelloOk:
        """Says hello and waits for the answer; the link can be used from then on."""
        self._reading.start()
        self._writing.start()
        self._send(frame_pb2.Frame(hello=frame_pb2.Hello(
            magic=MAGIC, min_version=VERSION, max_version=VERSION, role=frame_pb2.ROLE_CONTROLLER, software=software,
            max_frame_bytes=FRAME_MOST, silence_ms=int((self._patience or 0) * 1000))))
        if not self._greeting.wait():
            self.silent = True
            raise self.end(f"the server did not answer within {self._patience:g} s: it hangs, or is none of cmdmox",
                           "DEADLINE_EXCEEDED")
        reply = self._greeted
        if reply is None:
            raise self._broken or error_of("LINK_CLOSED", "the link ended")
        if reply.WhichOneof("result") == "error":
            raise self.end(reply.error.message, reply.error.reason)
        if reply.ok.version != VERSION:
            raise self.end(f"the server speaks version {reply.ok.version} of the protocol, this package version "
                           f"{VERSION}: use those of one release", "VERSION_MISMATCH")
        self._frame_most = reply.ok.max_frame_bytes or FRAME_MOST
        return reply.ok

    def call(self, method: str, request: Message, response: Type[M]) -> M:
        """Makes a request of ControlService and waits for its response."""
        waiter = _Waiter(self._patience)
        request_id = self._enter(waiter)
        try:
            self._send(frame_pb2.Frame(id=request_id, request=frame_pb2.Request(
                method=f"{SERVICE}/{method}", payload=request.SerializeToString())))
            if not waiter.wait():
                self.silent = True
                raise error_of("DEADLINE_EXCEEDED", f"the server has said nothing of {method} for {self._patience:g} s: "
                               "it is stopped, or the machine is overloaded")
        finally:
            with self._lock:
                self._waiting.pop(request_id, None)
        answer = waiter.response
        if answer is None:
            raise self._broken or error_of("LINK_CLOSED", "the link ended")
        if answer.WhichOneof("result") == "error":
            raise error_of(answer.error.reason, answer.error.message)
        try:
            return response.FromString(answer.payload)
        except DecodeError as error:
            raise error_of("BAD_PAYLOAD", f"the server's answer to {method} cannot be read ({error}): the program and "
                           "this package are of two releases that do not go together") from None

    def tell(self, method: str, request: Message) -> None:
        """Makes a request and does not wait: for those who must not."""
        with self._lock:
            request_id, self._next_id = self._next_id, self._next_id + 2
        self._send(frame_pb2.Frame(id=request_id, request=frame_pb2.Request(
            method=f"{SERVICE}/{method}", payload=request.SerializeToString())))

    def respond(self, request_id: int, answer: Union[Message, CmdMoxError]) -> None:
        """Answers a request of the server; what cannot be sent is answered with why."""
        if isinstance(answer, CmdMoxError):
            status = status_pb2.Status(code=2, reason=answer.reason, message=answer.message)
            response = frame_pb2.Response(error=status)
        else:
            response = frame_pb2.Response(payload=answer.SerializeToString())
        try:
            self._send(frame_pb2.Frame(id=request_id, response=response))
        except CmdMoxError as error:
            if error.reason == "FRAME_TOO_LARGE":
                self.respond(request_id, error)

    def end(self, message: str, reason: str = "LINK_CLOSED") -> CmdMoxError:
        """Ends the link: all who wait, and all who come, get this error. The first reason stays."""
        with self._lock:
            if self._broken is None:
                self._broken = error_of(reason, message)
            waiting = [*self._waiting.values(), self._greeting]
            self._waiting.clear()
        self._outgoing.put(None)
        for waiter in waiting:
            waiter.wake()
        return self._broken

    def finish_writing(self, timeout: float) -> None:
        """After end(): what was to be sent has been, and the descriptor may be closed."""
        if self._writing.is_alive():
            self._writing.join(timeout)

    def finish_reading(self, timeout: float) -> None:
        """After the other side has closed."""
        if self._reading.is_alive():
            self._reading.join(timeout)

    @property
    def broken(self) -> Optional[CmdMoxError]:
        return self._broken

    # ---- Inside -----------------------------------------------------------------------------------------------------

    def _enter(self, waiter: _Waiter) -> int:
        if os.getpid() != self._pid:
            raise error_of("FORKED", "this session belongs to the process that this one was forked from: make a "
                           "CmdMox here, or give the child mox.environ and let the parent ask")
        with self._lock:
            if self._broken is not None:
                raise error_of(self._broken.reason, self._broken.message)
            request_id, self._next_id = self._next_id, self._next_id + 2
            self._waiting[request_id] = waiter
        return request_id

    def _send(self, frame: frame_pb2.Frame) -> None:
        body = frame.SerializeToString()
        if len(body) > self._frame_most:
            raise error_of("FRAME_TOO_LARGE", f"this takes {len(body)} bytes, and the server takes at most "
                           f"{self._frame_most} at once: give less output, arguments or files")
        self._outgoing.put(length_prefix(len(body)) + body)

    def _writer(self) -> None:
        while True:
            data = self._outgoing.get()
            if data is None:
                return
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(self._write_fd, view):]
            except OSError as error:
                self.end(f"{self._why_ended()} ({error.strerror})")
                return

    def _reader(self) -> None:
        buffer = bytearray()
        try:
            while True:
                data = os.read(self._read_fd, 1 << 16)
                if not data:
                    break
                buffer += data
                self._cut(buffer)
        except Exception as error:  # whatever it is: nobody would hear of it, and all would wait
            self.end(f"what the server says is no frame of cmdmox: {error}", "BAD_FRAME")
            return
        self.end(self._why_ended())

    def _cut(self, buffer: bytearray) -> None:
        """Takes all whole frames from the buffer."""
        begin = 0
        while True:
            length, shift, at = 0, 0, begin
            while at < len(buffer) and buffer[at] & 0x80 and shift < 28:
                length |= (buffer[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
            if at == len(buffer):
                break
            length |= buffer[at] << shift
            at += 1
            if length > FRAME_MOST:
                raise ValueError(f"a length of {length} bytes")
            if len(buffer) - at < length:
                break
            self._take(frame_pb2.Frame.FromString(bytes(buffer[at:at + length])))
            begin = at + length
        del buffer[:begin]

    def _take(self, frame: frame_pb2.Frame) -> None:
        self.silent = False
        body = frame.WhichOneof("body")
        if body == "response":
            with self._lock:
                waiter = self._waiting.pop(frame.id, None)
            if waiter:
                waiter.wake(frame.response)
        elif body == "request":
            self._on_request(self, frame.id, frame.request)
        elif body == "notify" and frame.notify.topic == "cmdmox.v1.Progress":
            with self._lock:
                waiter = self._waiting.get(shim_pb2.Progress.FromString(frame.notify.payload).request_id)
            if waiter:
                waiter.heard = time.monotonic()
        elif body == "hello_reply":
            self._greeted = frame.hello_reply
            refused = frame.hello_reply.error
            if refused.reason:  # here: the end of the link comes next, and the first reason is the one that stays
                self.end(refused.message, refused.reason)
            self._greeting.wake()
        elif body == "go_away":
            self.end(f"the server closed the link: {frame.go_away.status.message}", frame.go_away.status.reason)
