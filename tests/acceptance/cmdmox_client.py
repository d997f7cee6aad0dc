"""A client of cmdmox in one file: the protocol of docs/protocol.md with nothing but generated protobuf code.

    protoc --python_out=gen -I proto proto/cmdmox/v1/*.proto

    with serve(["cmdmox", "serve", "--stdio"]) as client:
        session = Session(client)
        session.declare(mock(b"git", [b"status"], returns(b"clean\\n")))  # cmdmox_doubles.py
        session.replay()
        subprocess.run(["git", "status"], env=session.env)
        print(session.verify().text)

The one thing encoded by hand is the length prefix of a frame. Frames are read on a thread of their own, so that
requests can be made from any thread. `client.callbacks[7] = function` answers for handler or predicate 7, each on a thread
of its own: a handler takes a HandleRequest and gives a Reply, a predicate takes bytes and gives a bool or a MatchResponse.
"""

import os
import queue
import subprocess
import threading

from cmdmox.v1 import callback_pb2, control_pb2, frame_pb2

MAGIC = 0x584D4443
CONTROL = control_pb2.DESCRIPTOR.services_by_name["ControlService"]


class Error(Exception):
    """An error the server answered; decide by `reason`."""

    def __init__(self, status):
        super().__init__(f"{status.reason}: {status.message}")
        self.reason, self.code, self.message = status.reason, status.code, status.message


class LinkClosed(Exception):
    """The link ended; `go_away` is the status the server gave, if any."""

    def __init__(self, go_away=None):
        super().__init__(go_away.message if go_away else "the server closed the link")
        self.go_away = go_away


def write_frame(file, frame):
    body, prefix = frame.SerializeToString(), bytearray()
    length = len(body)
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    file.write(bytes(prefix) + body)
    file.flush()


def read_frame(file):
    """The next frame; None at the end of the stream."""
    length, shift = 0, 0
    while True:
        byte = file.read(1)
        if not byte:
            return None
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            break
    body = file.read(length)
    return frame_pb2.Frame.FromString(body) if len(body) == length else None


class Client:
    """One link. Each method of ControlService is a method of this class: client.Ping(payload=b"x")."""

    def __init__(self, reader, writer, role=frame_pb2.ROLE_CONTROLLER, versions=(1, 1), timeout=30):
        self.reader, self.writer, self.timeout = reader, writer, timeout
        self.callbacks = {}
        self.next_id, self.waiting, self.go_away, self.open = 1, {0: queue.Queue()}, None, True
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.send(hello=frame_pb2.Hello(magic=MAGIC, role=role, min_version=versions[0], max_version=versions[1]))
        reply = self._take(0)
        if reply.WhichOneof("result") == "error":
            raise Error(reply.error)
        self.hello = reply.ok

    def send(self, **frame):
        try:
            with self.lock:
                write_frame(self.writer, frame_pb2.Frame(**frame))
        except (OSError, ValueError):
            raise LinkClosed(self.go_away) from None

    def request(self, method, payload, request_id=None):
        """The payload of the response to a request by its full method name."""
        with self.lock:
            if request_id is None:
                request_id, self.next_id = self.next_id, self.next_id + 2
            self.waiting[request_id] = queue.Queue()
            if not self.open:
                raise LinkClosed(self.go_away)
        self.send(id=request_id, request=frame_pb2.Request(method=method, payload=payload))
        response = self._take(request_id)
        if response.WhichOneof("result") == "error":
            raise Error(response.error)
        return response.payload

    def __getattr__(self, name):
        method = CONTROL.methods_by_name.get(name)
        if method is None:
            raise AttributeError(name)
        request, response = (getattr(control_pb2, kind.name) for kind in (method.input_type, method.output_type))
        full_name = f"{CONTROL.full_name}/{name}"
        return lambda **fields: response.FromString(self.request(full_name, request(**fields).SerializeToString()))

    def close(self):
        self.writer.close()
        self.thread.join(self.timeout)
        self.reader.close()

    def _take(self, request_id):
        answer = self.waiting[request_id].get(timeout=self.timeout)
        del self.waiting[request_id]
        if answer is None:
            raise LinkClosed(self.go_away)
        return answer

    def _read(self):
        while (frame := read_frame(self.reader)) is not None:
            body = frame.WhichOneof("body")
            if body in ("hello_reply", "response") and frame.id in self.waiting:
                self.waiting[frame.id].put(getattr(frame, body))
            elif body == "request":
                threading.Thread(target=self._serve, args=(frame.id, frame.request), daemon=True).start()
            elif body == "go_away":
                self.go_away = frame.go_away.status
        with self.lock:
            self.open = False
            for waiter in self.waiting.values():
                waiter.put(None)

    def _serve(self, request_id, request):
        try:
            answer = {"payload": self._call_back(request).SerializeToString()}
        except Exception as error:  # pylint: disable=broad-except
            answer = {"error": {"code": 2, "reason": "UNKNOWN", "message": f"{type(error).__name__}: {error}"}}
        try:
            self.send(id=request_id, response=frame_pb2.Response(**answer))
        except LinkClosed:
            pass

    def _call_back(self, request):
        if request.method.endswith("/Handle"):
            asked = callback_pb2.HandleRequest.FromString(request.payload)
            return callback_pb2.HandleResponse(reply=self.callbacks[asked.handler](asked))
        asked = callback_pb2.MatchRequest.FromString(request.payload)
        said = self.callbacks[asked.callback](asked.value)
        return callback_pb2.MatchResponse(matched=said) if isinstance(said, bool) else said


class serve:  # pylint: disable=invalid-name
    """A server as a child process, as a context manager that gives its client."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        self.client = Client(self.process.stdout, self.process.stdin)
        return self.client

    def __exit__(self, *_):
        self.client.close()
        self.process.wait(self.client.timeout)


class Session:
    """A session, and `env`: what the code under test must have as its environment."""

    def __init__(self, client, **fields):
        fields.setdefault("path", os.environb.get(b"PATH", b"/usr/bin:/bin"))
        created = client.CreateSession(**fields)
        self.client, self.id, self.shims = client, created.session_id, created.shim_directory
        self.created = created
        self.env = {**os.environb, **dict(entry.split(b"=", 1) for entry in created.env_block)}

    def declare(self, *doubles):
        return list(self.client.CreateDoubles(session_id=self.id, doubles=doubles).double_ids)

    def allow(self, *commands):
        self.client.AllowCommands(session_id=self.id, commands=commands)

    def absent(self, *commands):
        answer = self.client.MakeAbsent(session_id=self.id, commands=commands)
        self.env.update(entry.split(b"=", 1) for entry in answer.env_block)

    def refine(self, double_id, patch):
        self.client.UpdateDouble(session_id=self.id, double_id=double_id, patch=patch)

    def replay(self):
        self.client.Replay(session_id=self.id)

    def verify(self, **fields):
        return self.client.Verify(session_id=self.id, **fields)

    def invocations(self, **filters):
        found, token = [], b""
        while True:
            page = self.client.ListInvocations(session_id=self.id, page_token=token, **filters)
            found += page.invocations
            token = page.next_page_token
            if not token:
                return found

    def count(self, **filters):
        return self.client.GetCallCount(session_id=self.id, **filters).count

    def release(self, gate):
        return self.client.ReleaseCalls(session_id=self.id, gate=gate).released

    def delete(self):
        return self.client.DeleteSession(session_id=self.id).unverified
