"""What this package raises. Every error has a `reason`, one of the stable words of docs/protocol.md, and a text that
says what is wrong, where, and what to do about it. A text that the server gave is passed on whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Sequence, Type

if TYPE_CHECKING:
    from cmdmox._report import Finding


class CmdMoxError(Exception):
    """The base of all errors of this package; decide by `reason`."""

    default_reason = "INTERNAL"

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason


class BuilderError(CmdMoxError, ValueError):
    """The test declares something that cannot be: raised by the call that says it."""

    default_reason = "INVALID_ARGUMENT"


class LifecycleError(CmdMoxError, RuntimeError):
    """Not allowed now: before replay, after verify, in another process, while another session is applied."""

    default_reason = "BAD_STATE"


class ServerError(CmdMoxError, ConnectionError):
    """There is no server, it ended, it does not answer, or what it says cannot be understood."""

    default_reason = "NO_SERVER"


class SetupError(CmdMoxError, OSError):
    """This machine cannot have sessions as it is: the directory for shims, or the shim itself."""

    default_reason = "SHIM_MISSING"

    def __init__(self, message: str, reason: str = "") -> None:
        CmdMoxError.__init__(self, message, reason)


class UnimplementedError(CmdMoxError, NotImplementedError):
    """The schema has it, this version of the server does not."""

    default_reason = "UNIMPLEMENTED"


class VerificationError(CmdMoxError, AssertionError):
    """The calls were not those that were expected. The text is the server's report; `findings` are its parts, empty
    where a single assertion failed."""

    default_reason = "VERIFICATION_FAILED"

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class UnverifiedError(VerificationError):
    """A session was replayed and ended without verify(): whatever happened would have passed."""


_CLASSES: Dict[Type[CmdMoxError], str] = {
    BuilderError: "INVALID_ARGUMENT BAD_COMMAND_NAME BUILDER BAD_REGEX BAD_MATCHER NOT_FOUND BAD_ADDRESS "
                  "UNSUPPORTED_SCHEME PATH_TOO_LONG FRAME_TOO_LARGE TOO_COMPLEX BAD_TIMEOUT",
    LifecycleError: "BAD_STATE FORKED ENVIRONMENT_BUSY",
    ServerError: "CANCELLED DEADLINE_EXCEEDED UNAUTHENTICATED PERMISSION_DENIED BAD_FRAME BAD_PAYLOAD "
                 "VERSION_MISMATCH BAD_HELLO LINK_CLOSED NO_ENDPOINT NO_SERVER",
    SetupError: "TEMP_DIRECTORY UNSAFE_DIRECTORY SHIM_MISSING SHIM_BROKEN SHIM_VERSION NOT_EXECUTABLE IO",
    UnimplementedError: "UNIMPLEMENTED",
}
_BY_REASON = {reason: kind for kind, reasons in _CLASSES.items() for reason in reasons.split()}


def error_of(reason: str, message: str) -> CmdMoxError:
    """The error of the class that stands for this reason; one that is not known yet is a plain CmdMoxError."""
    return _BY_REASON.get(reason, CmdMoxError)(message, reason)


def relocated(error: CmdMoxError, where: str) -> CmdMoxError:
    """The same error, with the place in front of its text."""
    return error_of(error.reason, f"{where}: {error.message}") if where else error
