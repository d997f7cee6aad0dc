"""The scenarios of the system-call sweep: what the server says, what the launcher is given, how it ends unharmed.

Each is deterministic, so that the k-th call of a name is the same one in every run: what the server says comes
in one piece, stdin is a file, and so are stdout and stderr unless they are said to be pipes.
"""

import signal

from scripted import STDERR, STDOUT, WELCOME, Link, action, file_piece, piece, refusal

OUT, ERR = bytes(range(256)) * 400, b"\xfe\x00\n" * 9000
STDIN = b"line\n" * 20_000  # two pieces, as large as WELCOME allows, which fit the buffer of a socket together


def say(*frames):
    """All of it at once, when the launcher has stated its call."""
    def conversation(_, link):
        with Link(link) as peer:
            peer.greeted()
            peer.send(*frames)
            peer.drain()
    return conversation


def answer(*frames):
    return say(WELCOME, *frames)


def after_one_that_closes(*frames):
    def conversation(server, link):
        if server.connections > 1:
            answer(*frames)(server, link)
        else:
            with Link(link) as peer:
                peer.greeted()
    return conversation


def ask_for_stdin(max_bytes, **fields):
    def conversation(_, link):
        with Link(link) as peer:
            peer.greeted()
            peer.send(WELCOME, action(read_stdin={"max_bytes": max_bytes, **fields}))
            while (request := peer.read()).WhichOneof("body") != "request":
                pass
            peer.send(action(request.id, reply={"stdout_data": b"read\n", "exit_code": 0}))
            peer.drain()
    return conversation


class Scenario:
    """`end` is the status as Popen gives it. `line`: instead of err, one line of ours that holds this."""

    def __init__(self, conversation, end=0, out=b"", err=b"", line=None, **options):
        self.conversation, self.end, self.out, self.err, self.line = conversation, end, out, err, line
        self.stdin = options.pop("stdin", None)
        self.streams = options.pop("streams", {})  # descriptor: "closed", "broken" or "pipe"
        self.arguments = options.pop("arguments", [])
        self.program = options.pop("program", "bin/git")
        self.endpoint = options.pop("endpoint", True)
        self.full = options.pop("full", False)  # no place in the queue when the launcher comes
        self.quick = options.pop("quick", True)
        self.also = options.pop("also", ())  # what a failure may end with beside 125
        self.varies = options.pop("varies", False)  # how often it waits is not the same in each run
        assert not options


def passed(script, **fields):
    """The real command is a shell; both of its outputs are captured."""
    how = {"program": b"/bin/sh", "capture_stdout": True, "capture_stderr": True, **fields}
    return answer(action(passthrough=how)), {"arguments": ["-c", script], "also": (126, 127), "varies": True}


def passing(end, script, fields=None, **options):
    conversation, more = passed(script, **(fields or {}))
    return Scenario(conversation, end=end, **more, **options)


SCENARIOS = {
    "plain": Scenario(answer(action(reply={"stdout_data": b"out\n", "stderr_data": b"err\n", "exit_code": 3})),
                      end=3, out=b"out\n", err=b"err\n"),
    "large": Scenario(answer(action(reply={"stdout_data": OUT, "stderr_data": ERR, "exit_code": 0})),
                      out=OUT, err=ERR),
    "streamed": Scenario(answer(piece(STDOUT, b"one", 5), piece(STDERR, b"two", 5), piece(STDOUT, b"three", 5),
                                action(reply={"stdout_data": b"four", "exit_code": 1, "delay_ms": 5})),
                         end=1, out=b"onethreefour", err=b"two"),
    "files": Scenario(answer(file_piece(b"one ", path=b"made", mode=0o640), file_piece(b"two", eof=True),
                             file_piece(path=b"empty", eof=True),
                             action(reply={"stdout_data": b"made", "exit_code": 0})), out=b"made"),
    "file_not_made": Scenario(answer(file_piece(b"lost", path=b"no/such", eof=True)), end=125,
                              line=b"cannot create no/such: No such file or directory"),
    "file_not_written": Scenario(answer(file_piece(b"lost", path=b"/dev/full", eof=True)), end=125,
                                 line=b"cannot write /dev/full: No space left on device"),
    "file_with_closed_stdout": Scenario(answer(file_piece(b"one", path=b"made", eof=True), action(reply={"exit_code": 4})),
                                         end=4, streams={1: "closed"}, quick=False),
    "stdin": Scenario(ask_for_stdin(1 << 20, deadline_ms=60_000), stdin=STDIN, out=b"read\n"),
    "stdin_up_to_a_limit": Scenario(ask_for_stdin(10), stdin=STDIN, out=b"read\n"),
    "stdin_drained": Scenario(ask_for_stdin(10, drain=True), stdin=b"short", out=b"read\n", quick=False),
    "refused": Scenario(say(refusal("no such session")), end=125, line=b"no such session"),
    "retried": Scenario(after_one_that_closes(action(reply={"stdout_data": b"ok", "exit_code": 0})), out=b"ok"),
    "queue_full": Scenario(answer(action(reply={"stdout_data": b"ok", "exit_code": 0})), out=b"ok", full=True),
    "signal": Scenario(answer(action(reply={"stdout_data": b"last", "signal": "SIGTERM"})),
                       end=-signal.SIGTERM, out=b"last"),
    "stdout_broken": Scenario(answer(action(reply={"stdout_data": b"lost", "exit_code": 0})),
                              end=-signal.SIGPIPE, streams={1: "broken"}),
    "stdout_closed": Scenario(answer(action(reply={"stdout_data": b"lost", "exit_code": 0})), end=125,
                              line=b"cannot write to stdout", streams={1: "closed"}),
    "stdin_closed": Scenario(answer(action(reply={"stdout_data": b"ok", "exit_code": 0})), out=b"ok",
                             streams={0: "closed"}, quick=False),
    "endpoint_from_environment": Scenario(answer(action(reply={"stdout_data": b"ok", "exit_code": 0})), out=b"ok",
                                          endpoint=False),
    "passed": passing(3, "echo out; echo err >&2; exit 3", out=b"out\n", err=b"err\n"),
    "passed_by_pipes": passing(3, "echo out; echo err >&2; exit 3", out=b"out\n", err=b"err\n",
                               streams={1: "pipe", 2: "pipe"}),
    "passed_and_died": passing(-signal.SIGTERM, "kill -TERM $$"),
    "passed_stdin": passing(0, "cat", {"capture_stdin": True}, stdin=b"line\n", out=b"line\n", quick=False),
    "passed_found_nowhere": passing(127, "", {"program": b"", "search_path": b"/no/such:/dev"},
                                    line=b"cannot run the real command: not found"),
    "passed_refused": passing(126, "", {"program": b"/"}, line=b"cannot run the real command: /: Permission denied"),
    "passed_too_long": passing(124, "exec sleep 1000", {"timeout_ms": 50}, line=b"ended after 50 ms", quick=False),
    "probe": Scenario(answer(), arguments=["--probe"], program="cmdmox-shim", line=None, out=None),
}

