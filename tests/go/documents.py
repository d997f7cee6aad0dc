#!/usr/bin/env python3
"""The examples of the documentation run, as they stand: each block of Go of docs/go.md and client/go/README.md is a package of its own, and go test
runs all of them at once; with them the packages of tests/examples/go. README.md of the repository has the quick start.

What docs/go.md shows of a failure is what go test shows.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE, MODULE = pathlib.Path(os.environ["CMDMOX_SOURCE"]), os.environ["CMDMOX_GO_DIR"]
PAGES = {"docs/go.md": 5, "client/go/README.md": 1, "README.md": 1}
BLOCK = re.compile(r"^```go\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK_START_MOST = 20
HANG = 300
RACE = ["-race"] if "-race" in os.environ.get("CMDMOX_GO_TEST_FLAGS", "").split() else []


def blocks(page):
    return BLOCK.findall((SOURCE / page).read_text(encoding="utf-8"))


def go(place, *words, **more):
    env = {**os.environ, "GOWORK": f"{place}/go.work", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", **more}
    return subprocess.run(["go", *words], cwd=f"{place}/examples", env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=HANG, check=False)


class Documents(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="cmx")
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.write("go.work", f"go 1.19\n\nuse (\n\t./examples\n\t{MODULE}\n)\n")
        self.write("examples/go.mod", "module example\n\ngo 1.19\n")

    def write(self, name, text):
        path = pathlib.Path(self.place, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_they_run(self):
        shutil.copytree(SOURCE / "tests/examples/go", f"{self.place}/examples/kept")
        for page, count in PAGES.items():
            found = blocks(page)
            self.assertEqual(len(found), count, page)
            for number, block in enumerate(found, 1):
                package = re.search(r"^package (\w+)", block, re.M)[1]
                self.write(f"examples/{page.split('.')[0].replace('/', '_').lower()}{number}/{package}_test.go", block)
        done = go(self.place, "test", *RACE, "./...")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertGreaterEqual(done.stdout.count("ok  "), sum(PAGES.values()), done.stdout)
        formatted = subprocess.run(["gofmt", "-l", f"{self.place}/examples"], stdout=subprocess.PIPE, text=True, timeout=HANG, check=True)
        self.assertEqual(formatted.stdout, "")

    def test_the_module_is_there_after_what_is_said_of_it(self):
        text = (SOURCE / "docs/go.md").read_text(encoding="utf-8")
        lines = re.search(r"^```text\n(require .*?)^```$", text, re.M | re.S)[1].replace("/path/to/build/dev/go", MODULE)
        words = re.search(r"^Then `go (mod \w+)`", text, re.M)
        self.assertIsNotNone(words, "docs/go.md does not say what follows")
        self.write("examples/go.mod", f"module example\n\ngo 1.19\n\n{lines}")
        self.write("examples/greeting_test.go", blocks("docs/go.md")[0])
        alone = {"GOWORK": "off", "GOPROXY": "off", "GOSUMDB": "off"}
        done = go(self.place, *words[1].split(), **alone)
        if "module lookup disabled" in done.stdout:
            self.skipTest(f"not all modules have been fetched: {done.stdout}")
        self.assertEqual(done.returncode, 0, done.stdout)
        done = go(self.place, "test", ".", **alone)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_quick_starts_are_short(self):
        for page in ("README.md", "client/go/README.md"):
            self.assertLess(len(blocks(page)[0].splitlines()), QUICK_START_MOST)

    def test_what_is_shown_of_a_failure_is_what_go_test_shows(self):
        code = blocks("docs/go.md")[0].replace('"hostname", "--short")', '"hostname", "-s")')
        code = re.sub(r'\tif got := Greeting\(\).*?\n\t}\n', "\tGreeting()\n", code, flags=re.S)
        self.write("examples/greeting_test.go", code)
        done = go(self.place, "test", ".")
        text = (SOURCE / "docs/go.md").read_text(encoding="utf-8")
        shown = re.search(r"^```text\n(--- FAIL.*?)^```$", text, re.M | re.S)[1]
        self.assertIn(re.sub(r"\(\d\.\d\ds\)", "", shown), re.sub(r"\(\d\.\d\ds\)", "", done.stdout))

    def test_what_is_suggested_is_go_and_accepts_the_call(self):
        """The lines of tests/go/doubles_test.go, compiled, and called again."""
        table = (SOURCE / "tests/go/doubles_test.go").read_text(encoding="utf-8")
        rows = re.findall(r"^\t\{\[\]string(\{.*\}), `(.*)`\},$", table, re.M)
        self.assertGreater(len(rows), 3)
        body = "".join(f"""
func Test{number}(t *testing.T) {{
	mox := cmdmox.New(t)
	{line}
	if err := mox.Command("git", []string{args}...).Run(); err != nil {{
		t.Error(err)
	}}
}}
""" for number, (args, line) in enumerate(rows))
        self.write("examples/suggested_test.go", 'package suggested\n\nimport (\n\t"testing"\n\n\t"cmdmox"\n)\n' + body)
        done = go(self.place, "test", "-v", ".")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout.count("--- PASS"), len(rows))


if __name__ == "__main__":
    unittest.main()
