#!/usr/bin/env python3
"""Runs the scenarios of tests/conformance through `cmdmox run`:  CMDMOX_PROGRAM=build/dev/bin/cmdmox run_program.py tests/conformance/scenarios [NAME...]

What a scenario declares becomes the file of --doubles. The command that is run tells its environment and waits: the steps run
beside it. When it ends, `cmdmox run` verifies, and says the rest.
"""

import ast
import json
import os
import pathlib
import subprocess
import sys

import common
from common import GUARD, Mismatch, require, told
from document import Document

PROGRAM = os.environ.get("CMDMOX_PROGRAM", "cmdmox")
WAITING = "import os, sys; print(repr(dict(os.environb)), flush=True); sys.stdin.read()"
REFUSED = (2, 3)  # what is declared cannot be


class ProgramStage(common.Stage):
    dialect = "shell"
    provided = frozenset(["mistakes", "passthrough", "contained", "absent", "drain_stdin", "journal-bound", "raw", "reports", "findings"])
    lacking = {
        "handlers": "a file has no functions",
        "predicates": "a file has no functions",
        "refine": "the file is read before the command starts",
        "recording": "its session is replayed when the command starts, and verified once, when it has ended",
        "gates": "nobody is there to open them",
        "live": "of the calls it tells when they are over",
        "assertions": "the file says what is expected; nothing is asked afterwards",
        "forget": "it always verifies",
        "journal": "its report is all that it tells of the calls",
        "reasons": "it tells mistakes in words",
    }
    passed_over = frozenset(["call_count", "journal", "invocations"])

    def __init__(self):
        super().__init__()
        self.document = Document()
        self.session = self.format = self.replayed = None
        self.errors = open("errors", "w+b")

    def close(self):
        super().close()
        if self.session:
            self.session.kill()
            self.session.communicate()
        self.errors.close()

    def take(self, step):
        if not any(name in step for name in self.passed_over):
            super().take(step)

    def environment(self):
        return dict(self.replayed or os.environb)

    # ---- Steps that declare

    def begin(self):
        pathlib.Path("doubles.json").write_text(json.dumps(self.document.json()), encoding="utf-8")
        formats = [word for kind in {"json", self.format or "json"} for word in (f"--{kind}", f"report.{kind}")]
        self.session = subprocess.Popen([PROGRAM, "run", "--doubles", "doubles.json", *formats, "--", sys.executable, "-c", WAITING],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        line = self.session.stdout.readline()
        self.replayed = ast.literal_eval(line.decode()) if line else None

    def end(self):
        """The status of cmdmox run, and what it wrote to stderr."""
        self.session.communicate(timeout=GUARD)
        self.errors.seek(0)
        return self.session.returncode, self.errors.read()

    def declared(self, fails):
        """A file that is refused is so when it is read; the reason is in the words."""
        if fails is None:
            return
        self.begin()
        status, text = self.end()
        require(status in REFUSED, f"is to fail with {fails['reason']}, and ended with {status}: {common.shown(text)}")
        self.texts.expect("the mistake", fails.get("says", {"any": True}), told(text))

    def step_session(self, options, fails=None):
        options = dict(options)
        self.format = options.pop("report", None)
        self.document.rest["session"] = options
        self.declared(fails)

    def step_mock(self, command, name=None, that=(), fails=None):
        self.document.declare("mock", command, name or command, that)
        self.declared(fails)

    def step_stub(self, command, name=None, that=(), fails=None):
        self.document.declare("stub", command, name or command, that)
        self.declared(fails)

    def step_spy(self, command, name=None, that=(), fails=None):
        self.document.declare("spy", command, name or command, that)
        self.declared(fails)

    def step_in_order(self, names):
        self.document.line_up("", names)

    def step_in_sequence(self, sequence, doubles):
        self.document.line_up(sequence, doubles)

    def step_register(self, command):
        self.document.rest["register"].append(command)

    def step_allow(self, command, fails=None):
        self.document.rest["allow"].append(command)
        self.declared(fails)

    def step_absent(self, command, fails=None):
        self.document.rest["absent"].append(command)
        self.declared(fails)

    def step_default(self, answer):
        self.document.default(answer)

    # ---- Steps that judge

    def step_replay(self, _):
        self.begin()
        if self.replayed is None:
            raise Mismatch(f"cmdmox run ended with {self.end()}")

    def step_verify(self, result, findings=None, text=""):
        status, errors = self.end()
        require(status == (0 if result == "passes" else 1), f"verification {result} was expected, and the status is {status}: {common.shown(errors)}")
        report = json.loads(pathlib.Path("report.json").read_text(encoding="utf-8"))
        require(report["passed"] == (result == "passes"), f"the report says {report['passed']}")
        kinds = [finding["kind"] for finding in report["findings"]]
        require(findings is None or kinds == findings, f"findings: expected {findings}, actual {kinds}")
        said = pathlib.Path(f"report.{self.format}").read_bytes() if self.format else errors
        if text or result == "passes":
            self.texts.expect("the report", text, told(said))


common.main(ProgramStage)
