"""The public behaviour of the Python CmdMox (the package cmd-mox, module cmd_mox), under its own names.

    from cmdmox.compat import CmdMox, Regex      # was: from cmd_mox import CmdMox, Regex

A suite works after this one search-and-replace, or with install_as_cmd_mox() in place of it. docs/migrate/from-cmd-mox.md says what
differs, and why.
"""

from cmdmox.compat._alias import install_as_cmd_mox
from cmdmox.compat._comparators import Any, Comparator, Contains, IsA, Predicate, Regex, StartsWith
from cmdmox.compat._controller import CmdMox, Environment, Phase
from cmdmox.compat._doubles import CommandDouble, DoubleKind
from cmdmox.compat._errors import (
    CmdMoxError,
    ExpectationConfigurationError,
    LifecycleError,
    MissingEnvironmentError,
    UnexpectedCommandError,
    UnfulfilledExpectationError,
    VerificationError,
)
from cmdmox.compat._models import Invocation, Response
from cmdmox.compat._platform import PLATFORM_OVERRIDE_ENV, is_supported, skip_if_unsupported, unsupported_reason

#: By what they were called before.
StubCommand = MockCommand = SpyCommand = CommandDouble


def __getattr__(name: str) -> object:
    """cmd_mox_fixture, which needs pytest; the machinery of the ancestor is not here."""
    if name == "cmd_mox_fixture":
        from cmdmox._cmd_mox_fixture import cmd_mox

        return cmd_mox
    raise AttributeError(f"cmdmox.compat has no {name}: docs/migrate/from-cmd-mox.md says what it has, and what is there instead")


__all__ = [
    "Any", "CmdMox", "CmdMoxError", "CommandDouble", "Comparator", "Contains", "DoubleKind", "Environment",
    "ExpectationConfigurationError", "Invocation", "IsA", "LifecycleError", "MissingEnvironmentError", "MockCommand",
    "PLATFORM_OVERRIDE_ENV", "Phase", "Predicate", "Regex", "Response", "SpyCommand", "StartsWith", "StubCommand",
    "UnexpectedCommandError", "UnfulfilledExpectationError", "VerificationError", "install_as_cmd_mox", "is_supported",
    "skip_if_unsupported", "unsupported_reason",
]
