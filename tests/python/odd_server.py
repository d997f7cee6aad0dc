"""A program that stands in for `cmdmox serve --stdio` and is odd: ODD says how.

    newer    the real server (REAL), but each frame and each message that comes from it has fields of a later version
    refuses  answers Hello with an error
    version  answers Hello with a version that nobody asked for
    garbage  writes what is no frame
    silent   never writes anything
    ends     says something on stderr and exits with 3
    leaves   answers Hello, and the first request with GoAway
    shorter  answers Hello, and each request with a payload that does not parse
"""

import os
import subprocess
import sys
import threading

from cmdmox._link import length_prefix
from cmdmox.v1 import callback_pb2, control_pb2, frame_pb2, status_pb2

#: Field 1000 of any message, a text; field 1001, a number.
LATER = b"\xc2\x3e\x06future\xc8\x3e\x07"


def read(file):
    length, shift = 0, 0
    while True:
        byte = file.read(1)
        if not byte:
            return None
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return file.read(length)


def write(body, file=sys.stdout.buffer):
    file.write(length_prefix(len(body)) + body)
    file.flush()


def of_a_later_version(body):
    """The frame with unknown fields in itself, in its body, and in the payload."""
    frame = frame_pb2.Frame.FromString(body)
    kind = frame.WhichOneof("body")
    part = getattr(frame, kind)
    if kind in ("response", "request", "notify") and (kind != "response" or part.WhichOneof("result") == "payload"):
        part.payload += LATER
    part.MergeFromString(LATER)
    return frame.SerializeToString() + LATER


def newer():
    real = subprocess.Popen([os.environ["REAL"], "serve", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def down():
        while (body := read(real.stdout)) is not None:
            write(of_a_later_version(body))

    thread = threading.Thread(target=down)
    thread.start()
    while (body := read(sys.stdin.buffer)) is not None:
        write(body, real.stdin)
    real.stdin.close()
    thread.join()
    sys.exit(real.wait())


def greeted(version=1):
    read(sys.stdin.buffer)
    write(frame_pb2.Frame(hello_reply=frame_pb2.HelloReply(ok=frame_pb2.HelloOk(version=version))).SerializeToString())


def answer(**body):
    while (frame := read(sys.stdin.buffer)) is not None:
        request = frame_pb2.Frame.FromString(frame)
        write(frame_pb2.Frame(id=0 if "go_away" in body else request.id, **body).SerializeToString())


def main(odd):
    if odd == "newer":
        newer()
    elif odd == "refuses":
        read(sys.stdin.buffer)
        error = status_pb2.Status(code=9, reason="VERSION_MISMATCH", message="this server speaks versions 2 to 3, you speak 1 to 1")
        write(frame_pb2.Frame(hello_reply=frame_pb2.HelloReply(error=error)).SerializeToString())
    elif odd == "version":
        greeted(2)
        read(sys.stdin.buffer)
    elif odd == "garbage":
        sys.stdout.buffer.write(b"Usage: cmdmox [OPTIONS] " * 100)
        sys.stdout.buffer.flush()
        read(sys.stdin.buffer)
    elif odd == "silent":
        while read(sys.stdin.buffer) is not None:
            pass
    elif odd == "ends":
        sys.stderr.write("cmdmox: no usable temporary directory\n")
        sys.exit(3)
    elif odd == "leaves":
        greeted()
        answer(go_away=frame_pb2.GoAway(status=status_pb2.Status(code=3, reason="BAD_FRAME", message="that was no frame")))
    elif odd == "shorter":
        greeted()
        answer(response=frame_pb2.Response(payload=b"\x0a\xff"))


assert callback_pb2 and control_pb2  # all of the schema can be read
main(os.environ["ODD"])
