"""The errors of the Python CmdMox, by its names."""

from __future__ import annotations

from cmdmox._errors import BuilderError, CmdMoxError, LifecycleError, VerificationError

#: Of findings of these kinds the ancestor says that a command was unexpected.
_UNEXPECTED = {"UNEXPECTED_CALL", "EXCESS_CALL", "ORDER", "REFUSED_CALL", "SHIMS_CHANGED"}
_UNFULFILLED = {"UNFULFILLED", "WRONG_COUNT"}


class ExpectationConfigurationError(BuilderError):
    """A double was given arguments twice: it has one list of them."""


class MissingEnvironmentError(CmdMoxError):
    """There is no environment to replay in: no server, or no directory for shims."""

    DEFAULT_MESSAGE = "Replay environment is not ready"
    default_reason = "NO_SERVER"


class UnexpectedCommandError(VerificationError):
    """A command was called that nobody expected, too often, or out of order."""


class UnfulfilledExpectationError(VerificationError):
    """What was expected did not happen, or not often enough."""


def named(error: VerificationError) -> VerificationError:
    """The same failure, of the class that the ancestor has for it."""
    kinds = {finding.kind for finding in error.findings if not finding.advisory}
    if kinds & _UNEXPECTED:
        return UnexpectedCommandError(error.message, error.findings)
    if kinds & _UNFULFILLED:
        return UnfulfilledExpectationError(error.message, error.findings)
    return error


__all__ = ["CmdMoxError", "ExpectationConfigurationError", "LifecycleError", "MissingEnvironmentError", "UnexpectedCommandError",
           "UnfulfilledExpectationError", "VerificationError"]
