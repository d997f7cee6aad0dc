"""What a command answers: a reply, in pieces, with files; the real command; or what a handler gave."""

from __future__ import annotations

import os
import pathlib
import signal as signals
from dataclasses import dataclass
from typing import Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from cmdmox._errors import BuilderError
from cmdmox._text import Duration, Value, describe, encode, ms, utf8, whole
from cmdmox.v1 import callback_pb2, double_pb2, shim_pb2

Text = Union[str, bytes]
Signal = Union[str, int]


@dataclass(frozen=True)
class Chunk:
    """A piece of output that is written on its own, `delay` seconds after the one before it; without data a pause."""

    data: Text = ""
    delay: Duration = 0
    to_stderr: bool = False


@dataclass(frozen=True)
class File:
    """A file that the call makes, from its working directory, or that gets this content when it is there. Directories
    are not made. Without a mode, permission bits up to 0o777, it is 0o666 less the umask of the call."""

    path: Value
    content: Text = ""
    mode: Optional[int] = None


#: Contents by path. What a Mapping has as keys is of one type for mypy, so each stands by itself.
Contents = Union[Mapping[str, Text], Mapping[bytes, Text], Mapping[pathlib.Path, Text], Mapping[Value, Text]]
Files = Union[Contents, Iterable[File]]
Chunks = Iterable[Union[Chunk, Text]]


@dataclass(frozen=True)
class Response:
    """What a command answers: first the chunks, then, after `delay` seconds, the files, stdout and stderr; then it
    exits, dies by the signal ("SIGTERM", signal.SIGTERM), or hangs until it is killed."""

    stdout: Text = ""
    stderr: Text = ""
    exit_code: int = 0
    signal: Optional[Signal] = None
    delay: Duration = 0
    hang: bool = False
    chunks: Sequence[Union[Chunk, Text]] = ()
    files: Union[Contents, Sequence[File]] = ()


HandlerResult = Union[None, Text, Tuple[Text, Text, int], Response]


def _text(value: object, what: str) -> bytes:
    if not isinstance(value, (str, bytes)):
        raise BuilderError(f"{what} is {describe(value)}: give a str or bytes")
    return encode(value, what)


def signal_name(value: Signal) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return signals.Signals(value).name
        except ValueError:
            pass
    elif isinstance(value, str) and value in signals.Signals.__members__:
        return value
    raise BuilderError(f"signal is {value}, which is none: give a name, such as \"SIGTERM\", or one of signal.Signals")


def _reply(said: Response) -> shim_pb2.Reply:
    reply = shim_pb2.Reply(stdout_data=_text(said.stdout, "stdout"), stderr_data=_text(said.stderr, "stderr"),
                           delay_ms=ms(said.delay, "delay"))
    code = whole(said.exit_code, "exit_code", 0, 255)
    if said.hang:
        if said.signal is not None or code:
            raise BuilderError("a command that hangs has neither exit_code nor signal")
        reply.hang = True
    elif said.signal is not None:
        if code:
            raise BuilderError("a command that dies by a signal has no exit_code")
        reply.signal = signal_name(said.signal)
    else:
        reply.exit_code = code
    return reply


def _chunks(said: object) -> List[double_pb2.TimedChunk]:
    if isinstance(said, (str, bytes, Chunk)) or not isinstance(said, Iterable):
        raise BuilderError(f"chunks is {describe(said)}: give a list of Chunk, str or bytes")
    out = []
    for number, item in enumerate(said, 1):
        chunk = Chunk(item) if isinstance(item, (str, bytes)) else item
        if not isinstance(chunk, Chunk):
            raise BuilderError(f"chunk {number} is {describe(item)}: give a Chunk, a str or bytes")
        out.append(double_pb2.TimedChunk(data=_text(chunk.data, f"chunk {number}"), to_stderr=bool(chunk.to_stderr),
                                         delay_ms=ms(chunk.delay, f"delay of chunk {number}")))
    return out


def _files(said: object) -> List[double_pb2.FileEffect]:
    if isinstance(said, Mapping):
        said = [File(path, content) for path, content in said.items()]
    if isinstance(said, (str, bytes, File)) or not isinstance(said, Iterable):
        raise BuilderError(f"files is {describe(said)}: give a dict of paths and contents, or a list of File")
    out = []
    for number, file in enumerate(said, 1):
        if not isinstance(file, File):
            raise BuilderError(f"file {number} is {describe(file)}: give a File")
        mode = 0 if file.mode is None else whole(file.mode, f"mode of file {number}", 1, 0o777)
        out.append(double_pb2.FileEffect(path=encode(file.path, f"path of file {number}"), mode=mode,
                                         content=_text(file.content, f"content of file {number}")))
    return out


def reply_action(said: Response, gate: Optional[str] = None) -> double_pb2.DoubleAction:
    return double_pb2.DoubleAction(reply=_reply(said), chunks=_chunks(said.chunks), files=_files(said.files),
                                   gate=gate_name(gate))


def gate_name(gate: Optional[str]) -> str:
    if gate is None:
        return ""
    if not utf8(gate, "gate"):
        raise BuilderError("gate is an empty str: give it a name, for release()")
    return utf8(gate, "gate")


def pass_action(timeout: Optional[Duration], kill_after: Optional[Duration], capture_max_bytes: Optional[int], captured: bool,
                gate: Optional[str], program: Optional[Value]) -> double_pb2.DoubleAction:
    if kill_after is not None and timeout is None:
        raise BuilderError(f"kill_after is {kill_after}, and there is no timeout that it could follow")
    if capture_max_bytes is not None and not captured:
        raise BuilderError(f"capture_max_bytes is {capture_max_bytes}, and with captured=False nothing is captured")
    least = {"timeout": timeout, "kill_after": kill_after}
    for name, value in least.items():
        if value is not None and ms(value, name) == 0:
            raise BuilderError(f"{name} is 0: give seconds above 0, or leave it out")
    return double_pb2.DoubleAction(gate=gate_name(gate), passthrough=shim_pb2.Passthrough(
        capture_stdout=captured, capture_stderr=captured,
        capture_max_bytes=0 if capture_max_bytes is None else whole(capture_max_bytes, "capture_max_bytes", 1),
        timeout_ms=0 if timeout is None else ms(timeout, "timeout"),
        kill_after_ms=0 if kill_after is None else ms(kill_after, "kill_after"),
        program=b"" if program is None else _absolute(program)))


def _absolute(program: Value) -> bytes:
    path = encode(program, "program")
    if not path:
        raise BuilderError("program is empty: give the path of what is to run, or leave it out")
    return os.path.abspath(path)


def handled(result: object) -> callback_pb2.HandleResponse:
    """What a handler returned, as an answer."""
    if result is None:
        said = Response()
    elif isinstance(result, Response):
        said = result
    elif isinstance(result, (str, bytes)):
        said = Response(result)
    elif isinstance(result, tuple) and len(result) == 3:
        said = Response(*result)
    else:
        raise BuilderError(f"it returned {describe(result)}: return None, a str or bytes (stdout), a tuple (stdout, "
                           "stderr, exit_code), or a Response")
    return callback_pb2.HandleResponse(reply=_reply(said), chunks=_chunks(said.chunks), files=_files(said.files))




def action_of(stdout: Union[Text, Response], stderr: Text, exit_code: int, signal: Optional[Signal], delay: Duration, hang: bool,
              gate: Optional[str], chunks: Chunks, files: Files) -> double_pb2.DoubleAction:
    """What the words of returns() mean."""
    if isinstance(stdout, Response):
        if (stderr, exit_code, signal, delay, hang, chunks, files) != ("", 0, None, 0, False, (), ()):
            raise BuilderError("beside a Response only gate can be said: put the rest into the Response")
        return reply_action(stdout, gate)
    return double_pb2.DoubleAction(reply=_reply(Response(stdout, stderr, exit_code, signal, delay, hang)), chunks=_chunks(chunks),
                                   files=_files(files), gate=gate_name(gate))
