"""Command mocking: test programs that call other programs.

    from cmdmox import CmdMox

    with CmdMox() as mox:
        mox.mock("git").with_args("describe", "--tags").returns("v1.4.0\\n")
        mox.replay()
        assert release_version() == "v1.4.0"

Texts are Python's, with surrogateescape, so that any bytes make the way; what has a text has a twin with the bytes
(`stdout_bytes`). Times are in seconds. A mistake raises at the call that makes it.
"""

from cmdmox._answers import Chunk, File, HandlerResult, Response
from cmdmox._callbacks import Handler
from cmdmox._double import Double
from cmdmox._errors import (
    BuilderError,
    CmdMoxError,
    LifecycleError,
    ServerError,
    SetupError,
    UnimplementedError,
    UnverifiedError,
    VerificationError,
)
from cmdmox._invocation import Call, CapturedStream, Invocation
from cmdmox._location import Location
from cmdmox._report import Difference, Finding, Report
from cmdmox._session import CmdMox
from cmdmox._version import VERSION as __version__
from cmdmox.matchers import (
    AllOf,
    Any,
    AnyOf,
    AnyOrder,
    ArgsContain,
    Contains,
    EndsWith,
    Eq,
    Flag,
    Glob,
    IsA,
    JsonEquals,
    Matcher,
    Not,
    OneOf,
    Predicate,
    Regex,
    Rest,
    StartsWith,
    Unset,
)

__all__ = [
    "AllOf", "Any", "AnyOf", "AnyOrder", "ArgsContain", "BuilderError", "Call", "CapturedStream", "Chunk", "CmdMox",
    "CmdMoxError", "Contains", "Difference", "Double", "EndsWith", "Eq", "File", "Finding", "Flag", "Glob",
    "Handler", "HandlerResult", "Invocation", "IsA", "JsonEquals", "LifecycleError", "Location", "Matcher", "Not",
    "OneOf", "Predicate", "Regex", "Report", "Response", "Rest", "ServerError", "SetupError", "StartsWith",
    "UnimplementedError", "Unset", "UnverifiedError", "VerificationError", "__version__",
]
