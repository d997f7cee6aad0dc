"""What the test hears afterwards: the report, the journal, the assertions of spies."""

import json
import re

from behave import given, step, then, when
from cmdmox.v1 import control_pb2, double_pb2
from cmdmox_client import Error
from phrases import Table
import shlex


@step("verification passes")
def _(context):
    report = context.stage.verify()
    assert report.passed, report.text
    assert all(finding.advisory for finding in report.findings), report.text


def kinds(report):
    return [control_pb2.FindingKind.Name(finding.kind).removeprefix("FINDING_KIND_") for finding in report.findings
            if not finding.advisory]


@step("verification fails with {names}")
def _(context, names):
    report = context.stage.verify()
    assert not report.passed
    assert kinds(report) == names.split(", "), f"{kinds(report)}\n{report.text}"


@step("verification is refused with {reason}")
def _(context, reason):
    context.stage.assert_reason(reason, context.stage.verify)


@step("replaying is refused with {reason}")
def _(context, reason):
    context.stage.assert_reason(reason, context.stage.mox.replay)


@step("verification passes with the remark {words:Line}")
def _(context, words):
    report = context.stage.verify()
    assert report.passed, report.text
    remarks = [finding.message for finding in report.findings if finding.advisory]
    assert any(words in remark for remark in remarks), remarks


@step("the report says")
def _(context):
    """Each line, in this order; others may stand between them."""
    found = context.stage.words(context.stage.report.text)
    at = 0
    for line in context.text.splitlines():
        where = found.find(line.strip(), at)
        assert where >= 0, f"{line!r} is not there, or too early, in\n{found}"
        at = where + len(line.strip())


@step("the report does not say {words:Line}")
def _(context, words):
    assert words not in context.stage.report.text, context.stage.report.text


@when("the report is made as {name}")
def _(context, name):
    context.stage.verify(format=f"REPORT_FORMAT_{name}")


@when("the report is made in colour")
def _(context):
    context.stage.verify(color=True)


@then("without its colours it is the plain report")
def _(context):
    stage = context.stage
    colour, plain = stage.report.text, stage.verify().text
    assert colour != plain
    assert re.sub("\x1b\\[[0-9]*m", "", colour) == plain, colour


@then("finding {number:d} has")
def _(context, number):
    finding = context.stage.report.findings[number - 1]
    for row in context.table:
        value = finding
        for part in row["field"].split("."):
            value = value[int(part)] if part.isdigit() else getattr(value, part)
        assert str(value) == row["value"], f"{row['field']}: {value!r}\n{finding}"


# ---- The journal

@then("{name:Line} took {count:d} calls")
def _(context, name, count):
    stage = context.stage
    found = stage.mox.count(double_id=stage.double(name))
    assert found == count, found


@then("{count:d} calls of {command:Line} were made")
def _(context, count, command):
    found = context.stage.mox.count(command=command.encode())
    assert found == count, found


@then("the journal is")
def _(context):
    """Each column is a field of an Invocation, read as text."""
    stage = context.stage
    read = {
        "command": lambda call: call.command.decode(),
        "arguments": lambda call: " ".join(shlex.quote(arg.decode()) for arg in call.argv[1:]),
        "stdin": lambda call: call.stdin_capture.data.decode().replace("\n", "\\n"),
        "truncated": lambda call: "yes" if call.stdin_capture.truncated else "no",
        "stdout": lambda call: call.stdout_capture.data.decode().replace("\n", "\\n"),
        "stderr": lambda call: call.stderr_capture.data.decode().replace("\n", "\\n"),
        "end": lambda call: call.signal or (str(call.exit_code) if call.HasField("exit_code") else "unknown"),
        "program": lambda call: call.program.decode().rpartition("/")[2],
        "length": lambda call: str(call.stdout_capture.length),
        "merged": lambda call: "yes" if call.merged else "no",
        "timed out": lambda call: "yes" if call.timed_out else "no",
        "cwd": lambda call: call.cwd.decode(),
        "verdict": lambda call: control_pb2.CallVerdict.Name(call.verdict).removeprefix("CALL_VERDICT_"),
        "state": lambda call: control_pb2.CallState.Name(call.state).removeprefix("CALL_STATE_"),
        "injected": lambda call: " ".join(f"{one.name.decode()}={one.value.decode()}" for one in call.injected),
    }
    found = [[read[column](call) for column in context.table.headings] for call in stage.mox.invocations()]
    assert found == [list(row.cells) for row in context.table], found


@then("the journal has the variable {name} as {value:Line}")
def _(context, name, value):
    call = context.stage.mox.invocations()[-1]
    assert f"{name}={value}".encode() in call.env_block, call.env_block


# ---- Assertions about a double's calls

def _pattern(words):
    table = Table()
    if words.startswith("<"):
        items = [table.item(item) for item in re.findall(r"<([^>]*)>", words)]
    else:
        items = [{"one": table.add(equals=word.encode())} for word in shlex.split(words)]
    return double_pb2.Double(matchers=table.nodes, argv={"items": items})


@step("it is asserted of {name:Line} that it was {assertion}")
def _(context, name, assertion):
    """assertion: a name of CallAssertion; the table has the patterns."""
    stage = context.stage
    patterns = [_pattern(row["call"]) for row in context.table] if context.table else []
    try:
        stage.asserted = stage.client.AssertCalls(session_id=stage.mox.id, double_id=stage.double(name),
                                                  assertion=f"CALL_ASSERTION_{assertion}", patterns=patterns)
    except Error as error:
        stage.mistake = error


@then("that is true")
def _(context):
    assert context.stage.asserted.passed, context.stage.asserted.text
    assert context.stage.asserted.text == ""


@then("that is false, and it says")
def _(context):
    answer = context.stage.asserted
    assert not answer.passed
    for line in context.text.splitlines():
        assert line.strip() in answer.text, f"{line!r} is not in\n{answer.text}"
