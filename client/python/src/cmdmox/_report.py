"""What verify() found."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

from cmdmox.v1 import control_pb2


class Difference(NamedTuple):
    """Of a call and the nearest expectation: "argument 2", "stdin", "environment HOME"."""

    subject: str
    expected: str
    actual: str
    equal: bool


class Finding(NamedTuple):
    """One thing that is to be said."""

    #: "UNEXPECTED_CALL", "EXCESS_CALL", "ORDER", "UNFULFILLED", "HANDLER_FAILED", ...: FindingKind of the schema.
    kind: str
    message: str
    #: The first calls of which it is said, at most 1000; `calls` is how many there are.
    invocation_ids: Tuple[int, ...]
    calls: int
    #: The expectation it speaks of, or the nearest one; 0: none.
    double_id: int
    #: Where that was declared: "test_push.py:12", or "".
    location: str
    expected_minimum: int
    #: None: no bound.
    expected_maximum: Optional[int]
    actual_count: int
    differences: Tuple[Difference, ...]
    #: A line of Python that would accept the call.
    suggestion: str
    #: Worth saying, and no failure by itself.
    advisory: bool
    hint: str


class Report(NamedTuple):
    """The findings, and their text in the format that was asked for."""

    passed: bool
    findings: Tuple[Finding, ...]
    text: str


def _finding(message: control_pb2.Finding) -> Finding:
    kind = control_pb2.FindingKind.Name(message.kind) if message.kind in control_pb2.FindingKind.values() else str(message.kind)
    return Finding(
        kind=kind.replace("FINDING_KIND_", ""), message=message.message, invocation_ids=tuple(message.invocation_ids),
        calls=message.calls, double_id=message.double_id,
        location=f"{message.location.file}:{message.location.line}" if message.location.file else "",
        expected_minimum=message.expected_minimum,
        expected_maximum=message.expected_maximum if message.WhichOneof("expected_upper") else None,
        actual_count=message.actual_count,
        differences=tuple(Difference(each.subject, each.expected, each.actual, each.equal) for each in message.differences),
        suggestion=message.suggestion, advisory=message.advisory, hint=message.hint)


def report_of(answer: control_pb2.VerifyResponse) -> Report:
    findings: List[Finding] = [_finding(each) for each in answer.findings]
    return Report(answer.passed, tuple(findings), answer.text)
