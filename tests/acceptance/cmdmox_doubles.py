"""Doubles in few words: mock(b"git", [b"push", ANY], returns(b"done\\n"), times(2)) is a message Double."""

from cmdmox.v1 import double_pb2, matcher_pb2, shim_pb2

Matcher = matcher_pb2.MatcherNode
ANY = Matcher(any=True)


def returns(out=b"", err=b"", exit_code=0, gate="", **reply):
    """The facet that answers: output, and exit_code, signal="SIGTERM" or hang=True."""
    if not {"signal", "hang"} & reply.keys():
        reply["exit_code"] = exit_code
    reply = shim_pb2.Reply(stdout_data=out, stderr_data=err, **reply)
    return {"actions": {"items": [double_pb2.DoubleAction(reply=reply, gate=gate)]}}


def runs(handler, name="", gate=""):
    """The facet that has a handler of the client answer."""
    return {"actions": {"items": [double_pb2.DoubleAction(handler=handler, handler_name=name, gate=gate)]}}


def passes(gate="", repeat=0, **how):
    """The facet that has the real command run; both of its outputs are captured unless it says otherwise."""
    how = {"capture_stdout": True, "capture_stderr": True, **how}
    return {"actions": {"items": [double_pb2.DoubleAction(passthrough=how, gate=gate, repeat=repeat)]}}


def asks(callback, name=""):
    """A matcher that is a predicate of the client's."""
    return Matcher(callback=callback, callback_name=name)


def times(least, most=None):
    return {"count": {"minimum": least} if most is None else {"minimum": least, "maximum": most}}


def capture_stdin(**policy):
    return {"stdin_policy": {"mode": double_pb2.STDIN_MODE_CAPTURE, **policy}}


def double(kind, command, args, *facets, stdin=None, **fields):
    """args: bytes are compared, matchers are asked, None accepts any arguments. stdin: the same for the whole input."""
    wanted = [] if args is None else list(args)
    table = [item if isinstance(item, Matcher) else Matcher(equals=item) for item in wanted]
    if args is not None:
        fields["argv"] = {"items": [{"one": index} for index in range(len(table))]}
    if stdin is not None:
        fields["stdin_match"] = {"node": len(table)}
        table.append(stdin if isinstance(stdin, Matcher) else Matcher(equals=stdin))
    table += fields.pop("matchers", [])
    for facet in facets:
        fields.update(facet)
    return double_pb2.Double(command=command, kind=kind, matchers=table, **fields)


def mock(command, args=None, *facets, **fields):
    return double(double_pb2.DOUBLE_KIND_MOCK, command, args, *facets, **fields)


def stub(command, args=None, *facets, **fields):
    return double(double_pb2.DOUBLE_KIND_STUB, command, args, *facets, **fields)


def spy(command, args=None, *facets, **fields):
    return double(double_pb2.DOUBLE_KIND_SPY, command, args, *facets, **fields)


def patch(*facets, **fields):
    """What UpdateDouble replaces."""
    return double(double_pb2.DOUBLE_KIND_UNSPECIFIED, b"", fields.pop("args", None), *facets, **fields)
