"""The handlers and predicates of a session: their numbers, and what they answer to the server.

They run on threads of the link (Workers), so that a test that waits in subprocess.run() keeps none of them from
answering. Whatever a function of the test's raises becomes the failure of the call: exception, text and place; and the
first exception is kept, so that verify() can show its traceback.
"""

from __future__ import annotations

import inspect
import threading
import traceback
from typing import Callable, List, Mapping, Optional, Union

from google.protobuf.message import Message

from cmdmox import _answers
from cmdmox._errors import BuilderError, error_of
from cmdmox._invocation import Call
from cmdmox._location import short
from cmdmox._text import decode
from cmdmox.matchers import Predicate, name_of
from cmdmox.v1 import callback_pb2, frame_pb2

Handler = Callable[[Call], _answers.HandlerResult]
ReadStdin = Callable[[int, int], bytes]

HANDLE = "cmdmox.v1.CallbackService/Handle"
MATCH = "cmdmox.v1.CallbackService/Match"
METHODS = (HANDLE, MATCH)

_running = threading.local()


class Callbacks:
    """Those of one session. The numbers begin at 1."""

    def __init__(self, read_stdin: ReadStdin) -> None:
        self._items: List[Union[Handler, Predicate]] = []
        self._lock = threading.Lock()
        self._read_stdin = read_stdin
        #: The first exception that a handler or a predicate raised.
        self.failure: Optional[BaseException] = None

    def add(self, item: Union[Handler, Predicate]) -> int:
        with self._lock:
            self._items.append(item)
            return len(self._items)

    def here(self) -> bool:
        """Whether this is the thread of one of them, at work."""
        return getattr(_running, "callbacks", None) is self

    @staticmethod
    def answer(of_session: Mapping[bytes, Callbacks], request: frame_pb2.Request) -> Message:
        """What the server asks by one of METHODS, answered; a CmdMoxError is an answer, too."""
        if request.method == HANDLE:
            handle = callback_pb2.HandleRequest.FromString(request.payload)
            return _of(of_session, handle.session_id)._handle(handle)
        match = callback_pb2.MatchRequest.FromString(request.payload)
        return _of(of_session, match.session_id)._match(match)

    def _handle(self, request: callback_pb2.HandleRequest) -> callback_pb2.HandleResponse:
        handler = self._find(request.handler, "handler")
        assert not isinstance(handler, Predicate)
        call = Call(request.invocation, request.env_block, self._read_stdin)
        _running.callbacks = self
        try:
            result: object = handler(call)
            try:
                return _answers.handled(result)
            except BuilderError as error:
                if inspect.iscoroutine(result):
                    result.close()
                return callback_pb2.HandleResponse(failure=f"{name_of(handler)}: {error.message}")
        except BaseException as error:  # SystemExit and the failures of pytest are none of this thread's, either
            return callback_pb2.HandleResponse(failure=self._failed(error))
        finally:
            _running.callbacks = None

    def _match(self, request: callback_pb2.MatchRequest) -> callback_pb2.MatchResponse:
        predicate = self._find(request.callback, "predicate")
        assert isinstance(predicate, Predicate)
        _running.callbacks = self
        try:
            said = predicate.function(request.value if predicate.as_bytes else decode(request.value))
            if inspect.isawaitable(said):
                if inspect.iscoroutine(said):
                    said.close()
                return callback_pb2.MatchResponse(
                    failure=f"{predicate.shown_name()}: it returned a {type(said).__name__}, which is always true: give a "
                    "plain function, not an async one")
            return callback_pb2.MatchResponse(matched=bool(said))
        except BaseException as error:
            return callback_pb2.MatchResponse(failure=self._failed(error))
        finally:
            _running.callbacks = None

    def _find(self, number: int, what: str) -> Union[Handler, Predicate]:
        with self._lock:
            found = self._items[number - 1] if 0 < number <= len(self._items) else None
        if found is None or isinstance(found, Predicate) != (what == "predicate"):
            raise error_of("NOT_FOUND", f"this session has no {what} {number}")
        return found

    def _failed(self, error: BaseException) -> str:
        with self._lock:
            if self.failure is None:
                self.failure = error
        frames = traceback.extract_tb(error.__traceback__)
        # The first frame is ours; a call with the wrong number of arguments has no other.
        place = f" ({short(frames[-1].filename)}:{frames[-1].lineno})" if len(frames) > 1 else ""
        text = f"{type(error).__name__}: {_said_by(error)}{place}"
        return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def _said_by(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as other:  # its __str__ is the test's code, too
        return f"what it says cannot be told, for its __str__ raises {type(other).__name__}"


def _of(of_session: Mapping[bytes, Callbacks], session_id: bytes) -> Callbacks:
    found = of_session.get(session_id)
    if found is None:
        raise error_of("NOT_FOUND", "this client has no such session any more")
    return found
