"""Pipelines, missing commands, odd arguments: scripts that meet mocked commands, and what comes of them.

The cases are fixtures/regression/*.json, one a line. A text there is bytes: U+0000 to U+00FF are one each.

  line       of /bin/sh, or of what `needs` names; "$@" is `args`
  doubles    kind (mock, stub, spy; register: none), command, args, stdin; what it answers: out, err, exit, drain,
             passthrough
  status, out, err   of the line; an err in "*...*" is a part of it
  calls      their argv, in the order of start (unordered: in any); count: how many
  passes     what verify says; true if not given. unchecked: it is not asked
"""

import json
import os
import shutil
import unittest

from support import DEADLINE, ROOT, Case
from cmdmox.v1 import double_pb2
from cmdmox_doubles import mock, passes, returns, spy, stub

FOLDER = os.path.join(ROOT, "fixtures", "regression")
KINDS = {"mock": mock, "stub": stub, "spy": spy}
KNOWN = {"name", "line", "needs", "args", "doubles", "status", "out", "err", "calls", "unordered", "count", "passes", "unchecked"}


def raw(text):
    return text.encode("latin-1")


def double_of(case):
    facets = []
    if case.get("passthrough"):
        facets.append(passes())
    else:
        facets.append(returns(raw(case.get("out", "")), raw(case.get("err", "")), case.get("exit", 0)))
    if case.get("drain"):
        facets.append({"stdin_policy": {"mode": double_pb2.STDIN_MODE_DRAIN}})
    args = [raw(text) for text in case["args"]] if "args" in case else None
    stdin = raw(case["stdin"]) if "stdin" in case else None
    return KINDS[case["kind"]](raw(case["command"]), args, *facets, stdin=stdin)


class Regression(Case):
    limit = 4 * DEADLINE

    def run_case(self, case):
        self.assertLessEqual(set(case), KNOWN)
        shell = case.get("needs", "sh")
        if not shutil.which(shell):
            self.skipTest(f"there is no {shell}")
        session = self.session(replay=False)
        for double in case["doubles"]:
            if double["kind"] == "register":
                self.client.RegisterCommands(session_id=session.id, commands=[raw(double["command"])])
            else:
                session.declare(double_of(double))
        session.replay()
        command = [shell if shell == "bash" else "sh", "-c", raw(case["line"]), "sh", *map(raw, case.get("args", []))]
        scratch = os.path.join(self.place, "scratch")
        os.mkdir(scratch)
        status, out, err = self.run_in(session, command, env={b"TMPDIR": os.fsencode(scratch)}, restore_signals=True)
        os.rmdir(scratch)
        wanted = raw(case.get("err", ""))
        self.assertEqual((status, out), (case["status"], raw(case["out"])), err)
        if wanted.startswith(b"*"):
            self.assertIn(wanted[1:-1], err)
        else:
            self.assertEqual(err, wanted)
        self.judge(case, session)
        session.delete()

    def judge(self, case, session):
        if not case.get("unchecked"):
            report = session.verify()
            self.assertEqual(report.passed, case.get("passes", True), report.text)
        calls = [list(call.argv) for call in session.invocations()]
        if "calls" in case:
            wanted = [list(map(raw, argv)) for argv in case["calls"]]
            order = sorted if case.get("unordered") else list
            self.assertEqual(order(calls), order(wanted))
        if "count" in case:
            self.assertEqual(len(calls), case["count"])


def test_of(file):
    def test(self):
        with open(os.path.join(FOLDER, file), encoding="utf-8") as text:
            cases = json.load(text)
        self.assertGreater(len(cases), 10)
        for case in cases:
            with self.subTest(case["name"]):
                self.run_case(case)
    return test


for _file in sorted(os.listdir(FOLDER)):
    setattr(Regression, "test_" + _file.removesuffix(".json"), test_of(_file))


if __name__ == "__main__":
    unittest.main()
