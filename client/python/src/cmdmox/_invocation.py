"""One call of the code under test, as the journal has it, and as a handler sees it."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from cmdmox._errors import error_of
from cmdmox._text import decode
from cmdmox.v1 import control_pb2, shim_pb2

_STATES = {control_pb2.CALL_STATE_PENDING: "pending", control_pb2.CALL_STATE_ANSWERED: "answered",
           control_pb2.CALL_STATE_COMPLETED: "completed", control_pb2.CALL_STATE_LOST: "lost"}
_VERDICTS = {control_pb2.CALL_VERDICT_ACCEPTED: "accepted", control_pb2.CALL_VERDICT_UNEXPECTED: "unexpected",
             control_pb2.CALL_VERDICT_EXCESS: "excess", control_pb2.CALL_VERDICT_OUT_OF_ORDER: "out of order"}
_ENDS = {shim_pb2.STDIN_END_EOF: "eof", shim_pb2.STDIN_END_LIMIT: "limit", shim_pb2.STDIN_END_DEADLINE: "deadline",
         shim_pb2.STDIN_END_ERROR: "error"}


def mapping_of(entries: Sequence[bytes]) -> Dict[bytes, bytes]:
    """Of entries with the same name the first counts, as for getenv(); what has no '=' has no name."""
    found: Dict[bytes, bytes] = {}
    for entry in entries:
        name, equals, value = entry.partition(b"=")
        if equals:
            found.setdefault(name, value)
    return found


class CapturedStream:
    """stdin, stdout or stderr of a call, as far as it was kept."""

    def __init__(self, message: control_pb2.CapturedStream, captured: bool, rest: Callable[[int], bytes] = lambda _: b"") -> None:
        self.captured = captured
        data = message.data
        if message.digest and message.stdin_end and message.length > len(data):  # a page of the journal has no room for it
            data += rest(len(data))
        whole = len(data) == message.length and message.stdin_end in (shim_pb2.STDIN_END_UNSPECIFIED, shim_pb2.STDIN_END_EOF)
        self.bytes = data
        #: Bytes of the whole stream, also where the beginning only was kept.
        self.length: int = message.length
        #: `bytes` holds only the beginning.
        self.truncated: bool = message.truncated and not whole
        #: SHA-256 of the whole stream where it was read and not kept whole, else empty.
        self.digest: bytes = b"" if whole else message.digest
        #: How reading stdin ended: "eof", "limit", "deadline" or "error"; None where nobody read.
        self.end: Optional[str] = _ENDS.get(message.stdin_end)

    @property
    def text(self) -> str:
        return decode(self.bytes)


class CallData:
    """What is known when a call begins. Texts hold any bytes, by surrogateescape; each has a twin with the bytes."""

    def __init__(self, message: control_pb2.Invocation, environ_entries: Sequence[bytes]) -> None:
        self._message = message
        self.id: int = message.invocation_id
        self.command_bytes: bytes = message.command
        self.argv_bytes: List[bytes] = list(message.argv)
        self.cwd_bytes: bytes = message.cwd
        self.pid: int = message.pid
        self.ppid: int = message.ppid
        #: The descriptors among 0, 1 and 2 that are terminals.
        self.terminals: Tuple[int, ...] = tuple(fd for fd in range(3) if message.tty_mask >> fd & 1)
        #: The entries of the environment, in order, with duplicates and with those that have no '='.
        self.environ_entries_bytes: List[bytes] = list(environ_entries)

    @property
    def command(self) -> str:
        return decode(self.command_bytes)

    @property
    def argv(self) -> List[str]:
        """With the name that the command was called by."""
        return [decode(arg) for arg in self.argv_bytes]

    @property
    def args(self) -> List[str]:
        """Without it."""
        return self.argv[1:]

    @property
    def args_bytes(self) -> List[bytes]:
        return self.argv_bytes[1:]

    @property
    def cwd(self) -> str:
        return decode(self.cwd_bytes)

    @property
    def environ_bytes(self) -> Dict[bytes, bytes]:
        return mapping_of(self.environ_entries_bytes)

    @property
    def environ(self) -> Dict[str, str]:
        """The variables, with what with_env() changes."""
        return {decode(name): decode(value) for name, value in self.environ_bytes.items()}

    @property
    def env(self) -> Mapping[str, str]:
        """`environ`, by its short name."""
        return self.environ


class Call(CallData):
    """A call that waits for a handler."""

    def __init__(self, message: control_pb2.Invocation, environ_entries: Sequence[bytes],
                 read_stdin: Callable[[int, int], bytes]) -> None:
        super().__init__(message, environ_entries)
        self._read_stdin = read_stdin
        self._stdin: Optional[bytes] = None

    @property
    def stdin_bytes(self) -> bytes:
        """What was read of stdin; fetched when it is first asked for."""
        if not self._message.HasField("stdin_capture"):
            raise error_of("BAD_STATE", f"the stdin of this call of {self.command} was not read: say capture_stdin() or with_stdin() "
                           "of the double that runs this handler")
        if self._stdin is None:
            self._stdin = self._read_stdin(self.id, 0)
        return self._stdin

    @property
    def stdin(self) -> str:
        return decode(self.stdin_bytes)

    def __repr__(self) -> str:
        return f"<Call {self.id}: {' '.join([self.command, *self.args])}>"


class Invocation(CallData):
    """A call in the journal."""

    def __init__(self, message: control_pb2.Invocation, read_stdin: Callable[[int, int], bytes]) -> None:
        super().__init__(message, message.env_block)
        #: What with_env() changes, in the order in which it was said; None: the variable is removed.
        self.injected_bytes: List[Tuple[bytes, Optional[bytes]]] = [
            (change.name, change.value if change.WhichOneof("change") else None) for change in message.injected]
        #: The id of the double that took it; 0: none did.
        self.double_id: int = message.double_id
        self.stdin_capture = CapturedStream(message.stdin_capture, message.HasField("stdin_capture"),
                                            lambda offset: read_stdin(self.id, offset))
        self.stdout_capture = CapturedStream(message.stdout_capture, message.HasField("stdout_capture"))
        self.stderr_capture = CapturedStream(message.stderr_capture, message.HasField("stderr_capture"))
        end = message.WhichOneof("end")
        #: None: it died by a signal, or has not ended.
        self.exit_code: Optional[int] = message.exit_code if end == "exit_code" else None
        #: "SIGTERM"
        self.signal: Optional[str] = message.signal if end == "signal" else None
        #: On the server's monotonic clock; end 0: not ended.
        self.start_ns: int = message.start_ns
        self.end_ns: int = message.end_ns
        #: "pending", "answered", "completed", or "lost": its shim was gone before it was done.
        self.state: str = _STATES.get(message.state, "unknown")
        #: "accepted", "unexpected", "excess", "out of order"; "": not decided yet.
        self.verdict: str = _VERDICTS.get(message.verdict, "")
        self.stdout_written: int = message.stdout_written
        self.stderr_written: int = message.stderr_written
        self.broken_pipe: bool = message.broken_pipe
        #: Of a call that was passed through: what ran; empty: it was not, or did not come so far.
        self.program_bytes: bytes = message.program
        #: stdout and stderr were one open file: all of it is in stdout.
        self.merged: bool = message.merged
        self.timed_out: bool = message.timed_out
        #: Something that the command started still had its output open.
        self.lingering: bool = message.lingering
        #: Nothing was captured: the shim became the command, and nobody saw its end.
        self.replaced: bool = message.replaced
        #: Why the real command could not be run; "": it could.
        self.passthrough_failure: str = message.passthrough_failure
        #: For people: the call as a shell would write it, cut, with *** for what looks secret.
        self.line: str = message.line

    @property
    def program(self) -> str:
        return decode(self.program_bytes)

    @property
    def environ_bytes(self) -> Dict[bytes, bytes]:
        found = mapping_of(self.environ_entries_bytes)
        for name, value in self.injected_bytes:
            found.pop(name, None)
            if value is not None:
                found[name] = value
        return found

    @property
    def stdin(self) -> str:
        """What was read; "" where nothing was asked for (stdin_capture.captured)."""
        return self.stdin_capture.text

    @property
    def stdin_bytes(self) -> bytes:
        return self.stdin_capture.bytes

    @property
    def stdout(self) -> str:
        return self.stdout_capture.text

    @property
    def stdout_bytes(self) -> bytes:
        return self.stdout_capture.bytes

    @property
    def stderr(self) -> str:
        return self.stderr_capture.text

    @property
    def stderr_bytes(self) -> bytes:
        return self.stderr_capture.bytes

    def __repr__(self) -> str:
        return f"<Invocation {self.id}: {' '.join([self.command, *self.args])}>"
