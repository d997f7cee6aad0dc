"""What a test says before, and during, the run: "it" is the double that was declared last."""

import re

from behave import given, step
from cmdmox.v1 import double_pb2, shim_pb2
from phrases import Table


@given("the session has the {name} {value:Line}")
def _(context, name, value):
    context.stage.options[name] = value


@given("the command {command:Line} is registered")
def _(context, command):
    context.stage.client.RegisterCommands(session_id=context.stage.mox.id, commands=[command.encode()])


@given("a {kind:Kind} of {words:Line}")
def _(context, kind, words):
    context.stage.declare(kind, words)


@given("a {kind:Kind} of {words:Line}, called {name}")
def _(context, kind, words, name):
    context.stage.declare(kind, words, name)


@given("a {kind:Kind} of {command:Line} with any arguments")
def _(context, kind, command):
    context.stage.declare(kind, command, args="any")


@given("a {kind:Kind} of {command:Line} with any arguments, called {name}")
def _(context, kind, command, name):
    context.stage.declare(kind, command, name, args="any")


# ---- What it accepts

@step("its arguments are")
def _(context):
    table = Table()
    items = [table.item(row["argument"]) for row in context.table]
    context.stage.refine(table, argv={"items": items})


@step("its arguments are {words:Line}")
def _(context, words):
    table = Table()
    items = [{"one": table.add(equals=word.encode())} for word in words.split()]
    context.stage.refine(table, argv={"items": items})


@step("its only argument {phrase}")
def _(context, phrase):
    table = Table()
    context.stage.refine(table, argv={"items": [{"one": table.phrase(phrase)}]})


@step("its stdin {phrase}")
def _(context, phrase):
    table = Table()
    context.stage.refine(table, stdin_match={"node": table.phrase(phrase)})


@step("its working directory {phrase}")
def _(context, phrase):
    table = Table()
    context.stage.refine(table, cwd_match={"node": table.phrase(phrase)})


@step("its variable {name} {phrase}")
def _(context, name, phrase):
    table = Table()
    item = {"name": name.encode(), "absent": True}
    if phrase != "is not set":
        item = {"name": name.encode(), "node": table.phrase(phrase)}
    context.stage.refine(table, env_match={"items": [item], "append": True})


@step("it gives the call {name}={value:Text}")
def _(context, name, value):
    change = {"name": name.encode(), "value": value}
    context.stage.refine(env_injection={"changes": [change], "append": True})


@step("it captures stdin")
def _(context):
    context.stage.refine(stdin_policy={"mode": double_pb2.STDIN_MODE_CAPTURE})


@step("it captures at most {most:d} bytes of stdin")
def _(context, most):
    context.stage.refine(stdin_policy={"mode": double_pb2.STDIN_MODE_CAPTURE, "max_bytes": most})


@step("it drains stdin")
def _(context):
    context.stage.refine(stdin_policy={"mode": double_pb2.STDIN_MODE_DRAIN})


# ---- How often

@step("it must be called {count:d} times")
def _(context, count):
    context.stage.refine(count={"minimum": count, "maximum": count})


@step("it must never be called")
def _(context):
    context.stage.refine(count={"minimum": 0, "maximum": 0})


@step("it must be called at least {least:d} times")
def _(context, least):
    context.stage.refine(count={"minimum": least})


@step("it may be called at most {most:d} times")
def _(context, most):
    context.stage.refine(count={"minimum": 0, "maximum": most})


@step("it must be called between {least:d} and {most:d} times")
def _(context, least, most):
    context.stage.refine(count={"minimum": least, "maximum": most})


@step("it may be called any number of times")
def _(context):
    context.stage.refine(count={"minimum": 0})


COUNT_WORDS = re.compile(r"exactly (\d+)|between (\d+) and (\d+)|at least (\d+)|at most (\d+)|(never)|(any)")


@step("it takes {words} calls")
def _(context, words):
    exactly, low, high, least, most, never, _ = COUNT_WORDS.fullmatch(words).groups()
    count = {"minimum": int(exactly or low or least or 0)}
    if exactly or high or most or never:
        count["maximum"] = int(exactly or high or most or 0)
    context.stage.refine(count=count)


# ---- In which order

def _in_sequence(context, sequence):
    for position, row in enumerate(context.table, 1):
        at = int(row["position"]) if "position" in context.table.headings else position
        where = [{"sequence": sequence, "position": at}]
        context.stage.refine(double=context.stage.double(row["double"]), sequences={"steps": where, "append": True})


@step("these must be called in order")
def _(context):
    _in_sequence(context, "")


@step("these must be called in the sequence {name:Line}")
def _(context, name):
    _in_sequence(context, name)


@step("{name:Line} may be called in any order")
def _(context, name):
    context.stage.refine(double=context.stage.double(name), sequences={})


@step("{later:Line} must come after {earlier:Line}")
def _(context, later, earlier):
    context.stage.refine(double=context.stage.double(later),
                         after={"double_ids": [context.stage.double(earlier)], "append": True})


# ---- What it answers

def _answer(context, repeat=0, gate="", **reply):
    if not {"signal", "hang"} & reply.keys():
        reply.setdefault("exit_code", 0)
    action = double_pb2.DoubleAction(reply=shim_pb2.Reply(**reply), repeat=repeat, gate=gate)
    context.stage.refine(actions={"items": [action], "append": True})


@step("it answers {out:Text}")
def _(context, out):
    _answer(context, stdout_data=out)


@step("it answers {out:Text} and exits with {code:d}")
def _(context, out, code):
    _answer(context, stdout_data=out, exit_code=code)


@step("it answers {out:Text} and on stderr {err:Text}")
def _(context, out, err):
    _answer(context, stdout_data=out, stderr_data=err)


@step("it exits with {code:d}")
def _(context, code):
    _answer(context, exit_code=code)


@step("it dies by {signal}")
def _(context, signal):
    _answer(context, signal=signal)


@step("it answers {out:Text} after {delay:d} ms")
def _(context, out, delay):
    _answer(context, stdout_data=out, delay_ms=delay)


@step("it answers {out:Text} and hangs")
def _(context, out):
    _answer(context, stdout_data=out, hang=True)


@step("it answers {out:Text} once")
def _(context, out):
    _answer(context, repeat=1, stdout_data=out)


@step("it exits with {code:d} once")
def _(context, code):
    _answer(context, repeat=1, exit_code=code)


@step("it answers {out:Text} to {count:d} calls")
def _(context, out, count):
    _answer(context, repeat=count, stdout_data=out)


@step("it answers {out:Text} from then on")
def _(context, out):
    _answer(context, stdout_data=out)


@step("it answers {out:Text} when the gate {gate} is opened")
def _(context, out, gate):
    _answer(context, gate=gate, stdout_data=out)


# ---- The real command

def _passthrough(repeat=0, gate="", **how):
    how = {"capture_stdout": True, "capture_stderr": True, **how}
    return double_pb2.DoubleAction(passthrough=how, repeat=repeat, gate=gate)


def _passes(context, **how):
    context.stage.refine(actions={"items": [_passthrough(**how)], "append": True})


@step("the real command runs")
def _(context):
    _passes(context)


@step("the real command runs once")
def _(context):
    _passes(context, repeat=1)


@step("the real command runs for at most {most:d} ms")
def _(context, most):
    _passes(context, timeout_ms=most)


@step("the real command runs, and {most:d} bytes of each stream are kept")
def _(context, most):
    _passes(context, capture_max_bytes=most)


@step("the real command runs uncaptured")
def _(context):
    _passes(context, capture_stdout=False, capture_stderr=False)


@step("the real command runs when the gate {gate} is opened")
def _(context, gate):
    _passes(context, gate=gate)


@step("the real command runs as the program {program:Line}")
def _(context, program):
    _passes(context, program=program.encode())


@step("the real command runs where no double accepts a call")
def _(context):
    context.stage.client.SetDefaultAction(session_id=context.stage.mox.id, action=_passthrough())


# ---- What is wrong with it

@step("that is refused with {reason}, since {why:Line}")
def _(context, reason, why):
    stage = context.stage
    mistake, stage.mistake = stage.mistake, None
    assert mistake is not None, "the server took it"
    assert mistake.reason == reason, mistake
    assert why in mistake.message, mistake.message
