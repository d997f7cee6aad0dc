"""The run: who calls what, and what came back."""

import json
import os
import select
import shlex

from behave import step, then, when
from phrases import Table, load, text
from support import ROOT, until


@when("the test replays")
def _(context):
    context.stage.mox.replay()


@when("{line:Line} is called")
def _(context, line):
    context.stage.call(line)


@when("{line:Line} is called {count:d} times")
def _(context, line, count):
    for _ in range(count):
        context.stage.call(line)


@when("{line:Line} is called {count:d} times at once")
def _(context, line, count):
    for _ in range(count):
        context.stage.start(line)
    context.stage.end(line)


@when("{line:Line} is called with the stdin {data:Text}")
def _(context, line, data):
    context.stage.call(line, input=data)


@when("{line:Line} is called in {directory:Line}")
def _(context, line, directory):
    context.stage.call(line, cwd=directory)


@when("{line:Line} is called with {name}={value:Text}")
def _(context, line, name, value):
    context.stage.call(line, env={name: value.decode()})


@when("these are called")
def _(context):
    for row in context.table:
        context.stage.call(row["call"])


@when("the script runs")
def _(context):
    context.stage.calls.append(context.stage.run_in(context.stage.mox, ["/bin/sh", "-c", context.text]))


@when("{line:Line} is started")
def _(context, line):
    stage = context.stage
    before = stage.mox.count()
    stage.start(line)
    until(lambda: stage.mox.count() > before, line)


@when("{line:Line} is started with a stdin that does not end")
def _(context, line):
    stage = context.stage
    source, sink = os.pipe()
    stage.addCleanup(os.close, sink)
    stage.start(line, stdin=source)
    os.close(source)
    until(lambda: stage.mox.count() > 0, line)


@when("{line:Line} is killed")
def _(context, line):
    for child in context.stage.running[line]:
        child.kill()
    context.stage.end(line)


@when("{line:Line} is told to end")
def _(context, line):
    for child in context.stage.running[line]:
        child.terminate()
    context.stage.end(line)


@when("the gate {gate} is opened")
def _(context, gate):
    context.released = context.stage.mox.release(gate)


@then("{count:d} calls go on")
def _(context, count):
    assert context.released == count, context.released


@then("{line:Line} prints")
def _(context, line):
    for child in context.stage.running[line]:
        until(lambda: select.select([child.stdout], [], [], 0)[0], line)


@then("{line:Line} still runs")
def _(context, line):
    assert all(child.poll() is None for child in context.stage.running[line])


@when("{line:Line} ends")
def _(context, line):
    context.stage.end(line)


# ---- What came back; "the call" is the last one

def _last(context):
    return context.stage.calls[-1]


@then("it printed {out:Text}")
def _(context, out):
    assert _last(context)[1] == out, _last(context)


@then("it printed {out:Text} on stderr")
def _(context, out):
    assert _last(context)[2] == out, _last(context)


@then("the calls printed {outs}")
def _(context, outs):
    want = [text(word) for word in shlex.split(outs.replace('"', "'\"'").replace("'\"'", '"'))]
    found = [out for _, out, _ in context.stage.calls]
    assert found == want, found


@then("the calls exited with {codes}")
def _(context, codes):
    found = [status for status, _, _ in context.stage.calls]
    assert found == [int(code) for code in codes.split()], context.stage.calls


@then("it exited with {code:d}")
def _(context, code):
    assert _last(context)[0] == code, _last(context)


@then("it died by signal {number:d}")
def _(context, number):
    assert _last(context)[0] == -number, _last(context)


@then("it was refused, since {why:Line}")
def _(context, why):
    found = context.stage.assert_refused(_last(context))
    assert why in found, found


@then("{count:d} of the calls were refused")
def _(context, count):
    refused = [call for call in context.stage.calls if call[0] == 125]
    for call in refused:
        context.stage.assert_refused(call)
    assert len(refused) == count, context.stage.calls


# ---- Cases as files

def _cases(context, path):
    for case in load(os.path.join(ROOT, "fixtures", path)):
        if "invalid" in case:
            continue
        for verdict in ("accepts", "refuses", "gives_up"):
            for value in case.get(verdict, []):
                yield case, verdict, value


def _bytes(value):
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


def _try(context, tried, verdict, case, argv):
    """A real call; one with a NUL is none."""
    if any(b"\0" in arg for arg in argv):
        return
    stage = context.stage
    status, _, err = stage.run_in(tried, argv)
    accepted = (status, err) == (0, b"")
    assert accepted == (verdict == "accepts"), f"{case}: {argv} {verdict}: status {status}, {err}"
    context.tried += 1


def _session_with(context, table, items):
    stage = context.stage
    from cmdmox.v1 import double_pb2  # pylint: disable=import-outside-toplevel
    double = double_pb2.Double(command=b"git", kind=double_pb2.DOUBLE_KIND_STUB, matchers=table.nodes,
                               argv={"items": items})
    return stage.session(double)


@when("an argument is matched by each case of {path:Line}")
def _(context, path):
    context.tried, sessions = 0, {}
    for case, verdict, value in _cases(context, path):
        key = json.dumps(case)
        if key not in sessions:
            table = Table()
            sessions[key] = _session_with(context, table, [{"one": table.from_json(case["matcher"])}])
        _try(context, sessions[key], verdict, case, [b"git", _bytes(value)])


@when("arguments are matched by each case of {path:Line}")
def _(context, path):
    context.tried, sessions = 0, {}
    for case, verdict, values in _cases(context, path):
        key = json.dumps(case)
        if key not in sessions:
            table = Table()
            sessions[key] = _session_with(context, table, [table.item_from_json(item) for item in case["items"]])
        _try(context, sessions[key], verdict, case, [b"git", *map(_bytes, values)])


@then("each is accepted or refused as the file says")
def _(context):
    assert context.tried > 0, "the file has no case"
