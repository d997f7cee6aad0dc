#!/usr/bin/env python3
"""What runs after the tests can fail: budgets.py on reports made up here, coverage.sh on a program of a few lines."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def case(name, seconds, text=""):
    return f'<testcase name="{name}" time="{seconds}" status="run"><system-out>{text}</system-out></testcase>'


class Budgets(unittest.TestCase):
    def judge(self, tests, cases, whole=True):
        listing = {"tests": [{"name": name, "properties": [{"name": "LABELS", "value": labels}] if labels else []}
                             for name, labels in tests.items()]}
        env = {name: value for name, value in os.environ.items() if name != "CMDMOX_BUDGETS"}
        with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as report:
            report.write("<testsuite>" + "".join(cases) + "</testsuite>")
            report.flush()
            done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "budgets.py"), report.name],
                                  env={**env, **({"CMDMOX_BUDGETS": "1"} if whole else {})},
                                  input=json.dumps(listing), capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stderr

    def test_nothing_to_say(self):
        self.assertEqual(self.judge({"unit/a": ["unit"]}, [case("unit/a", 1)]), (0, ""))

    def test_a_label_over_its_budget(self):
        tests, cases = {"unit/a": ["unit"], "unit/b": ["unit"]}, [case("unit/a", 5000), case("unit/b", 5000)]
        status, text = self.judge(tests, cases)
        self.assertEqual(status, 1)
        self.assertIn("the tests labelled unit took 10000 s", text)
        self.assertEqual(self.judge(tests, cases, whole=False), (0, ""))

    def test_no_label_and_an_unknown_one(self):
        status, text = self.judge({"a": [], "b": ["nonesuch"]}, [case("a", 1), case("b", 1)], whole=False)
        self.assertEqual(status, 1)
        self.assertIn("a has no label", text)
        self.assertIn("the label nonesuch of b has no budget", text)

    def test_what_a_test_leaves_out_is_named(self):
        status, text = self.judge({"unit/a": ["unit"]}, [case("unit/a", 1, "SKIP noexec: needs root\n100%: 1\n")])
        self.assertEqual((status, text), (0, "cmdmox: left out in unit/a: noexec: needs root\n"))


@unittest.skipUnless(shutil.which("gcovr") and shutil.which("gcc"), "gcovr or gcc is not installed")
class Coverage(unittest.TestCase):
    def test_the_floor(self):
        """Three of four lines: with 90 it fails and names the file, with 50 it passes."""
        with tempfile.TemporaryDirectory(prefix="cmdmox coverage ") as top:
            tools, source, build = (os.path.join(top, name) for name in ("tests/tools", "server", "build"))
            for folder in (tools, source, build):
                os.makedirs(folder)
            shutil.copy(os.path.join(HERE, "coverage.sh"), tools)
            with open(os.path.join(source, "half.c"), "w", encoding="ascii") as file:
                file.write("int main(int argc, char **argv) {\n  (void)argv;\n  if (argc > 1)\n    return 1;\n"
                           "  return 0;\n}\n")
            subprocess.run(["gcc", "--coverage", os.path.join(source, "half.c"), "-o", "half"], cwd=build, check=True)
            subprocess.run([os.path.join(build, "half")], cwd=build, check=True)

            def judge(*floor):
                done = subprocess.run(["sh", os.path.join(tools, "coverage.sh"), build, *floor], capture_output=True,
                                      text=True, check=False)
                return done.returncode, done.stdout, done.stderr

            status, out, _ = judge("50")
            self.assertEqual(status, 0)
            self.assertIn("lines: 75.0% (3 out of 4)", out)
            self.assertIn("branches:", out)
            status, _, err = judge("90")
            self.assertNotEqual(status, 0)
            self.assertIn("fewer than 90 % of the lines were executed", err)
            self.assertRegex(err, r"server/half\.c +4 +3 +75% +4\n")
            self.assertEqual(judge()[0], 0)
            with open(os.path.join(build, "uncovered.txt"), encoding="ascii") as file:
                self.assertEqual(file.read(), "server/half.c: 4\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
