#!/usr/bin/env python3
"""A server of a newer minor version, for a runner of the scenarios:  newer.py [--refuse | --take-9] RUNNER --connect=ADDRESS ARGUMENT...

It listens, and passes frames between each client and a `cmdmox serve --listen` behind it. Into what the server says it puts
what this version does not know: fields of every message, a feature, bodies of frames, topics, and a request for a method that the client
cannot have. The runner gets the address in place of the word ADDRESS, and its scenarios must pass all the same; whether each client has answered
UNIMPLEMENTED is looked at here. With --refuse it is a server of versions 7 to 9 that refuses the client; with --take-9 one that
says it will speak version 9, whatever the client said.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "acceptance"))

import support  # noqa: E402  it knows where the generated messages are
from cmdmox.v1 import callback_pb2, control_pb2, frame_pb2, status_pb2  # noqa: E402
from cmdmox_client import read_frame, write_frame  # noqa: E402

# Field 1000 as a number, field 1001 as bytes.
UNKNOWN = b"\xc0\x3e\x07" + b"\xca\x3e\x08tomorrow"
TOMORROW = 1 << 30  # an id of the server's kind that it does not come to by itself
VERSIONS = (7, 9)


def age(message):
    """Puts fields into the message, and into all that are in it, that no version knows yet."""
    for field, value in message.ListFields():
        if field.message_type:
            for part in value if field.label == field.LABEL_REPEATED else [value]:
                age(part)
    message.MergeFromString(UNKNOWN)


def aged(module, service, method, payload, of):
    """A payload of this method, older or newer than it was; `of` says of which of its messages."""
    described = getattr(module.DESCRIPTOR.services_by_name[service].methods_by_name[method], of)
    message = getattr(module, described.name).FromString(payload)
    age(message)
    return message.SerializeToString()


class Link:
    """One client and its server."""

    def __init__(self, connection, address):
        self.methods = {}  # of the client's requests, by their ids
        self.unimplemented = None  # whether the client said so of the method that it cannot have
        self.to_client = connection.makefile("wb")
        self.from_client = connection.makefile("rb")
        self.connection, self.server = connection, socket.socket(socket.AF_UNIX)
        self.server.connect(address)
        self.to_server = self.server.makefile("wb")
        self.from_server = self.server.makefile("rb")
        self.threads = [threading.Thread(target=self.upwards), threading.Thread(target=self.downwards)]
        for thread in self.threads:
            thread.start()

    def upwards(self):
        while (frame := read_frame(self.from_client)) is not None:
            if frame.id == TOMORROW:
                self.unimplemented = frame.response.error.reason == "UNIMPLEMENTED"
                continue
            if frame.WhichOneof("body") == "request":
                self.methods[frame.id] = frame.request.method.rpartition("/")[2]
            write_frame(self.to_server, frame)
        self.server.shutdown(socket.SHUT_WR)

    def downwards(self):
        try:
            while (frame := read_frame(self.from_server)) is not None:
                self.pass_on(frame)
        except OSError:
            pass  # the client has gone

    def pass_on(self, frame):
        kind = frame.WhichOneof("body")
        if kind == "hello_reply":
            frame.hello_reply.ok.features.append("tomorrow")
        elif kind == "response" and frame.response.WhichOneof("result") == "payload":
            method = self.methods.pop(frame.id)
            frame.response.payload = aged(control_pb2, "ControlService", method, frame.response.payload, "output_type")
        elif kind == "request":
            method = frame.request.method.rpartition("/")[2]
            frame.request.payload = aged(callback_pb2, "CallbackService", method, frame.request.payload, "input_type")
        age(frame)
        if kind != "hello_reply":
            self.send(frame_pb2.Frame.FromString(UNKNOWN))
            self.send(frame_pb2.Frame(notify=frame_pb2.Notify(topic="cmdmox.v1.Tomorrow", payload=UNKNOWN)))
        self.send(frame)
        if kind == "hello_reply":
            self.send(frame_pb2.Frame(id=TOMORROW, request=frame_pb2.Request(method="cmdmox.v1.CallbackService/Tomorrow")))

    def send(self, frame):
        write_frame(self.to_client, frame)

    def end(self):
        for thread in self.threads:
            thread.join()
        self.server.close()
        self.connection.close()


def refuse(connection):
    with connection, connection.makefile("rb") as reader, connection.makefile("wb") as writer:
        hello = read_frame(reader).hello
        text = f"this server speaks versions {VERSIONS[0]} to {VERSIONS[1]}, and the peer {hello.min_version} to {hello.max_version}"
        error = status_pb2.Status(code=9, reason="VERSION_MISMATCH", message=text)
        write_frame(writer, frame_pb2.Frame(hello_reply=frame_pb2.HelloReply(error=error)))


def take_9(connection):
    with connection, connection.makefile("rb") as reader, connection.makefile("wb") as writer:
        read_frame(reader)
        write_frame(writer, frame_pb2.Frame(hello_reply=frame_pb2.HelloReply(ok=frame_pb2.HelloOk(version=9))))
        reader.read()  # until the client hangs up


def accept(listener, links, mode, address):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the runner has ended
        if mode:
            threading.Thread(target=mode, args=[connection]).start()
        else:
            links.append(Link(connection, address))


def main():
    modes = {"--refuse": refuse, "--take-9": take_9}
    words = [word for word in sys.argv[1:] if word not in modes]
    mode = next((modes[word] for word in sys.argv[1:] if word in modes), None)
    links = []
    with tempfile.TemporaryDirectory(prefix="cmdmox-newer-") as place, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{place}/newer")
        listener.listen(64)
        with subprocess.Popen([support.PROGRAM, "serve", "--listen", f"unix:{place}/server"]) as server:
            support.until(lambda: os.path.exists(f"{place}/server"), "the start of the server")
            threading.Thread(target=accept, args=[listener, links, mode, f"{place}/server"]).start()
            try:
                status = subprocess.run([word.replace("ADDRESS", f"unix:{place}/newer") for word in words], check=False).returncode
            finally:  # also of a runner that cannot be started
                server.terminate()
                listener.shutdown(socket.SHUT_RDWR)
    for link in links:
        link.end()
    silent = sum(not link.unimplemented for link in links)
    if silent:
        print(f"{silent} of {len(links)} clients did not answer UNIMPLEMENTED to a method that they do not have")
    sys.exit(status or (1 if silent else 0))


main()
