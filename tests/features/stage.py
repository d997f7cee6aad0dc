"""What the steps of one scenario share: a server of its own, one session, its doubles and its calls."""

import contextlib
import os
import shlex

from support import Case  # first: it knows where the generated messages are
from cmdmox.v1 import double_pb2
from cmdmox_client import Error
from phrases import Table

KINDS = {"mock": double_pb2.DOUBLE_KIND_MOCK, "stub": double_pb2.DOUBLE_KIND_STUB, "spy": double_pb2.DOUBLE_KIND_SPY}


class Stage(Case):
    """Doubles are known by the line they were declared with, or by the name that was given to them."""

    def __init__(self):
        super().__init__()
        self.closing = contextlib.ExitStack()
        self.options, self.doubles, self.last = {}, {}, None
        self.calls, self.running, self.session_made, self.report, self.asserted = [], {}, None, None, None
        self.mistake = None  # what the server said to the last declaration, until a step asks for it

    def addCleanup(self, function, /, *args, **kwargs):
        self.closing.callback(function, *args, **kwargs)

    def open(self):
        self.closing.callback(self.done)
        self.begin()
        self.setUp()

    def close(self):
        with self.closing:
            self.no_mistake()

    # ---- Saying

    @property
    def mox(self):
        if self.session_made is None:
            self.session_made = self.session(replay=False, **self.options)
        return self.session_made

    def no_mistake(self):
        assert self.mistake is None, f"the server refused it: {self.mistake}"

    @contextlib.contextmanager
    def mistakes_kept(self):
        try:
            yield
        except Error as error:
            self.mistake = error

    def declare(self, kind, line, name=None, args=None):
        """args None: those of the line."""
        command, *words = shlex.split(line)
        table = Table()
        fields = {"command": command.encode(), "kind": KINDS[kind]}
        if args is None:
            args = [{"one": table.add(equals=word.encode())} for word in words]
        if args != "any":
            fields["argv"] = {"items": args}
        fields["location"] = {"file": "test", "line": len(self.doubles) + 1}
        with self.mistakes_kept():
            self.last, = self.mox.declare(double_pb2.Double(matchers=table.nodes, **fields))
            name = name or line
            assert name not in self.doubles, f"two doubles are called {name!r}: name one of them"
            self.doubles[name] = self.last

    def refine(self, table=None, double=None, **facets):
        patch = double_pb2.Double(matchers=table.nodes if table else [], **facets)
        with self.mistakes_kept():
            self.mox.refine(double or self.last, patch)

    def double(self, name):
        assert name in self.doubles, f"no double is called {name!r}, there are {', '.join(self.doubles)}"
        return self.doubles[name]

    # ---- Calling

    def call(self, line, **options):
        self.calls.append(self.run_in(self.mox, shlex.split(line), **options))

    def start(self, line, **options):
        self.running.setdefault(line, []).append(self.start_in(self.mox, shlex.split(line), **options))

    def end(self, line):
        """Ends of the calls of this line that were started, in the order of their starts."""
        self.calls += [self.finish(child) for child in self.running.pop(line)]

    def verify(self, **fields):
        self.report = self.mox.verify(**fields)
        return self.report

    def words(self, text):
        """A report or an error line without what differs from run to run."""
        return text.replace(os.path.dirname(self.mox.shims.decode()), "DIR")
