"""What a session and its doubles ask of the server: the session's id in every request, and the place in every error."""

from __future__ import annotations

from typing import Iterator, List, Optional, Type, TypeVar

from google.protobuf.message import Message

from cmdmox._callbacks import Callbacks
from cmdmox._errors import CmdMoxError, error_of, relocated
from cmdmox._invocation import Invocation
from cmdmox._location import Location, caller
from cmdmox._server import Server
from cmdmox.v1 import control_pb2, double_pb2

M = TypeVar("M", bound=Message)

_PAGE = 64  # calls asked for at once


class Control:
    """A session on a server."""

    def __init__(self, server: Server, request: control_pb2.CreateSessionRequest) -> None:
        self.server = server
        self.created = server.link.call("CreateSession", request, control_pb2.CreateSessionResponse)
        self.session_id: bytes = self.created.session_id
        self.callbacks = Callbacks(self.read_stdin)
        server.callbacks[self.session_id] = self.callbacks

    def ask(self, method: str, request: Message, response: Type[M]) -> M:
        setattr(request, "session_id", self.session_id)
        return self.server.link.call(method, request, response)

    def read_stdin(self, call_id: int, offset: int) -> bytes:
        """stdin of a call from there on, as far as it was kept."""
        pieces: List[bytes] = []
        while True:
            request = control_pb2.ReadCallStdinRequest(call_id=call_id, offset=offset)
            answer = self.ask("ReadCallStdin", request, control_pb2.ReadCallStdinResponse)
            if not answer.data:
                return b"".join(pieces)
            pieces.append(answer.data)
            offset += len(answer.data)
            if offset >= answer.length:
                return b"".join(pieces)

    def update(self, double_id: int, patch: double_pb2.Double) -> None:
        request = control_pb2.UpdateDoubleRequest(double_id=double_id, patch=patch)
        self.ask("UpdateDouble", request, control_pb2.UpdateDoubleResponse)

    def pages(self, double_id: int, command: bytes) -> Iterator[control_pb2.ListInvocationsResponse]:
        token = b""
        while True:
            request = control_pb2.ListInvocationsRequest(double_id=double_id, command=command, page_size=_PAGE,
                                                         page_token=token)
            page = self.ask("ListInvocations", request, control_pb2.ListInvocationsResponse)
            yield page
            token = page.next_page_token
            if not token:
                return

    def invocations(self, double_id: int = 0, command: bytes = b"") -> List[Invocation]:
        return [Invocation(message, self.read_stdin) for page in self.pages(double_id, command) for message in page.invocations]

    def count(self, double_id: int = 0, command: bytes = b"") -> int:
        request = control_pb2.GetCallCountRequest(double_id=double_id, command=command)
        return self.ask("GetCallCount", request, control_pb2.GetCallCountResponse).count

    def forbid_in_callback(self, function: str) -> None:
        if self.callbacks.here():
            raise error_of("BAD_STATE", f"{function}: a handler or a predicate may not call it: the call that it answers would wait "
                           "for itself")


class said:  # pylint: disable=invalid-name
    """Around what one call of the test's does: an error gets the place and the name of what was called in front.

    with said("with_args") as where: ...
    """

    def __init__(self, function: str, where: Optional[Location] = None) -> None:
        self.function = function
        self.where = where or caller()

    def __enter__(self) -> Location:
        return self.where

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if isinstance(error, CmdMoxError):
            raise relocated(error, f"{self.where}: {self.function}") from None
