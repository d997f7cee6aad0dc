#!/usr/bin/env python3
"""Runs the scenarios of tests/conformance through the verbs of a shell session, each step a process of its own:

    CMDMOX_PROGRAM=build/dev/bin/cmdmox run_shell.py tests/conformance/scenarios [NAME...]

A session of a shell answers calls from its start on: what a scenario declares before replay is kept here until then.
"""

import ast
import base64
import json
import os
import subprocess
import sys

import common
from common import GUARD, Mismatch, bytes_of, list_of, require, shown, told
from document import Document

PROGRAM = os.environ.get("CMDMOX_PROGRAM", "cmdmox")
TELL = "import os; print(repr(dict(os.environb)))"
START = 'eval "$("$0" session start "$@")" && exec "$PYTHON" -c "$TELL"'


def decoded(value):
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()


class Call:
    """A line of `cmdmox journal --json`, by the names of README.md."""

    def __init__(self, line):
        said = json.loads(line)
        self.double = int(said.get("double_id", 0)) if said.get("verdict") == "accepted" else 0
        self.variables = [decoded(entry) for entry in said.get("env_block", [])]
        self.changes = [(decoded(change["name"]), decoded(change["value"]) if "value" in change else None)
                        for change in said.get("injected", [])]
        captures = {name: said.get(f"{name}_capture", {}) for name in ("stdin", "stdout", "stderr")}
        argv = [decoded(word) for word in said.get("argv", [])]
        self.texts = {**{name: decoded(capture.get("data", "")) for name, capture in captures.items()},
                      "command": decoded(said["command"]), "cwd": decoded(said.get("cwd", "")),
                      "passthrough_failure": said.get("passthrough_failure", "").encode()}
        self.others = {"args": argv[1:], "argc": len(argv), "exit_code": said.get("exit_code"), "signal": said.get("signal"),
                       "verdict": said.get("verdict"), "state": said.get("state"), "timed_out": said.get("timed_out", False),
                       "stdin_truncated": captures["stdin"].get("truncated", False),
                       "stdout_length": int(captures["stdout"].get("length", 0)), "env_entries": self.variables}

    def variable(self, name):
        found = next((entry.partition(b"=")[2] for entry in self.variables if entry.startswith(name + b"=")), None)
        for changed, value in self.changes:
            found = value if changed == name else found
        return found


class ShellStage(common.Stage):
    dialect = "shell"
    provided = frozenset(["mistakes", "live", "gates", "passthrough", "contained", "absent", "drain_stdin", "journal-bound", "raw", "reports",
                          "findings", "journal"])
    lacking = {
        "handlers": "a verb has no functions",
        "predicates": "a verb has no functions",
        "refine": "there is no verb that changes a double",
        "recording": "a session of a shell is replayed when it begins",
        "assertions": "its assertions are about commands, not about doubles",
        "forget": "a session that ends unverified fails if something is wrong, not by itself",
        "reasons": "it tells mistakes in words",
    }

    def __init__(self):
        super().__init__()
        self.document = Document()
        self.options, self.report = [], None
        self.declared = 0  # of the doubles
        self.session = None

    def close(self):
        super().close()
        if self.session:
            self.verb("session", "end", accepted=(0, 1))

    def environment(self):
        return dict(self.session or os.environb)

    def verb(self, *words, stdin=b"", accepted=(0,)):
        """(status, stdout, stderr)"""
        done = subprocess.run([PROGRAM, *words], env=self.environment(), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=GUARD, check=False)
        require(not accepted or done.returncode in accepted, f"cmdmox {' '.join(words)}: status {done.returncode}: {shown(done.stderr)}")
        return done.returncode, done.stdout, done.stderr

    def begin(self):
        words = [*self.options, *(word for command in self.document.rest["absent"] for word in ("--absent", command))]
        done = subprocess.run(["/bin/sh", "-c", START, PROGRAM, "--parent", str(os.getpid()), *words], stdout=subprocess.PIPE, timeout=GUARD,
                              stderr=subprocess.PIPE, env={**os.environ, "PYTHON": sys.executable, "TELL": TELL}, check=False)
        require(done.stdout, f"cmdmox session start: {shown(done.stderr)}")
        self.session = ast.literal_eval(done.stdout.decode())
        for verb in ("register", "allow"):
            for command in self.document.rest[verb]:
                self.verb(verb, command)

    def catch_up(self):
        """Declares what was said since; the last answer of the program."""
        if self.session is None:
            self.begin()
        said = (0, b"", b"")
        for double in self.document.json()["doubles"][self.declared:]:
            self.declared += 1
            said = self.verb(double.pop("kind"), "--json", "-", stdin=json.dumps(double).encode(), accepted=())
            require(said[0] == 0 or self.declared == len(self.document.doubles), f"refused: {shown(said[2])}")
        return said

    def refused(self, fails, said):
        require(said[0] in (2, 3), f"is to fail with {fails['reason']}, and ended with {said[0]}: {shown(said[2])}")
        self.texts.expect("the mistake", fails.get("says", {"any": True}), told(said[2]))

    # ---- Steps that declare

    def step_session(self, options, fails=None):
        for name, value in options.items():
            if name == "report":
                self.report = value
            elif name == "contained":
                self.options += ["--contained"] if value else []
            else:
                self.options += [f"--{name.replace('_', '-')}={value}"]
        if fails:
            try:
                self.begin()
            except Mismatch:
                return
            raise Mismatch("a session with such options begins")

    def declare(self, kind, command, name=None, that=(), fails=None):
        self.document.declare(kind, command, name or command, that)
        if fails:
            self.refused(fails, self.catch_up())
        elif self.session:
            said = self.catch_up()
            require(said[0] == 0, f"refused: {shown(said[2])}")

    def step_mock(self, command, **others):
        self.declare("mock", command, **others)

    def step_stub(self, command, **others):
        self.declare("stub", command, **others)

    def step_spy(self, command, **others):
        self.declare("spy", command, **others)

    def step_in_order(self, names):
        self.document.line_up("", names)

    def step_in_sequence(self, sequence, doubles):
        self.document.line_up(sequence, doubles)

    def named(self, verb, command, fails):
        if not fails:
            self.document.rest[verb].append(command)
            return
        self.catch_up()
        self.refused(fails, self.verb(verb, command, accepted=()))

    def step_register(self, command, fails=None):
        self.named("register", command, fails)

    def step_allow(self, command, fails=None):
        self.named("allow", command, fails)

    def step_absent(self, command, fails=None):
        self.document.rest["absent"].append(command)
        if fails:
            self.refused(fails, self.catch_up())

    def step_default(self, answer):
        (kind, how), = answer.items()
        flags = {"stdout": "--out", "stderr": "--err", "exit_code": "--exit"}
        self.document.rest["default"] = ["--passthrough"] if kind == "passthrough" else [
            f"{flags[name]}={value}" for name, value in how.items()]

    # ---- Steps that judge

    def step_replay(self, _):
        said = self.catch_up()
        require(said[0] == 0, f"refused: {shown(said[2])}")
        if "default" in self.document.rest:
            self.verb("default", *self.document.rest["default"])

    def step_verify(self, result, findings=None, text=""):
        wanted = 0 if result == "passes" else 1
        status, _, said = self.verb("verify", accepted=(0, 1))
        require(status == wanted, f"verification {result} was expected, and the status is {status}: {shown(said)}")
        status, report, _ = self.verb("verify", "--json", accepted=(wanted,))
        kinds = [finding["kind"] for finding in json.loads(report)["findings"]]
        require(findings is None or kinds == findings, f"findings: expected {findings}, actual {kinds}")
        if self.report:
            said = self.verb("verify", f"--{self.report}", accepted=(wanted,))[1]
        if text or result == "passes":
            self.texts.expect("the report", text, told(said))

    def journal(self):
        _, out, err = self.verb("journal", "--json")
        return [Call(line) for line in out.splitlines()], err

    def of_double(self, name):
        place = list(self.document.doubles).index(name) + 1
        return [call for call in self.journal()[0] if call.double == place]

    def count(self, name):
        """Of the command where it has no other double, and what the journal keeps of this one otherwise."""
        command = self.document.doubles[name]["command"]
        alone = sum(double["command"] == command for double in self.document.doubles.values()) == 1
        all_taken = all(call.double for call in self.journal()[0])
        return int(self.verb("calls", command)[1]) if alone and all_taken else len(self.of_double(name))

    def step_release(self, gate, calls):
        """How many went is not told: their ends are."""
        self.verb("release", gate)

    def step_call_count(self, name, number):
        require(self.count(name) == number, f"{name}: expected {number} calls, actual {self.count(name)}")

    def step_journal(self, calls, dropped=None):
        found, said = self.journal()
        self.compare(calls, found)
        require(not dropped or f"({dropped} before these were not kept".encode() in said, f"expected {dropped} dropped calls: {shown(said)}")

    def step_invocations(self, name, calls):
        self.compare(calls, self.of_double(name))

    def compare(self, wanted, actual):
        require(len(wanted) == len(actual), f"expected {len(wanted)} calls, actual {len(actual)}")
        for number, (entry, call) in enumerate(zip(wanted, actual), 1):
            for field, value in entry.items():
                self.compare_field(f"call {number}, {field}", field, value, call)

    def compare_field(self, what, field, value, call):
        if field in call.texts:
            self.texts.expect(what, value, told(call.texts[field]) if field == "stderr" else call.texts[field])
        elif field == "env":
            for name, its in value.items():
                found = call.variable(name.encode())
                require(found == (None if its is None else bytes_of(its)), f"variable {name}: expected {its}, actual {found}")
        else:
            expected = list_of(value) if isinstance(value, list) else value
            require(expected == call.others[field], f"{what}: expected {str(value)[:200]}, actual {str(call.others[field])[:200]}")


if __name__ == "__main__":
    common.main(ShellStage)
