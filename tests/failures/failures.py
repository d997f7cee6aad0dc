#!/usr/bin/env python3
"""docs/failures.md is what the tests of failures.c say when they fail. CMOX_UPDATE_GOLDEN=1 writes it anew.

usage: failures.py SOURCE_DIR PROGRAM
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import textwrap

START = """\
# Twelve common mistakes

What a test says when it is wrong, or when the code under test is. This page is made from
[tests that fail](../tests/failures/failures.c), and a test compares the two: `CMOX_UPDATE_GOLDEN=1 ./dev test -R
failures` writes it anew. In each of them `run()` is the code under test, and stands for a function or a script of yours.

Read a report from the top: what was called and not expected comes first, what is missing comes last, since the one is
most often the cause of the other.
"""
PART = re.compile(r'/\* (## .*?) \*/\n#line 1 "[a-z_.]+"\n(START_TEST\((\w+)\).*?\nEND_TEST\n)', re.S)


def run(program, name):
    """What the test said, and what was on stderr meanwhile: the lines that the callers of the shims see."""
    done = subprocess.run([program, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    return done.returncode, out, re.sub(r"/\S*/cmdmox-\w+", "DIR", err)


def block(language, text):
    return f"```{language}\n{text.rstrip()}\n```\n"


def part(program, words, code, name):
    status, out, err = run(program, name)
    if status == 2 or not out + err:
        sys.exit(f"{name}: the mistake goes unnoticed (status {status})")
    title, text = words.split("\n", 1)
    lines = [title, "\n" + textwrap.dedent(text).strip() + "\n", block("c", code)]
    if err:
        lines += ["On stderr:\n" if out else "The test passes, unless its own assertions fail; on stderr:\n", block("text", err)]
    if out:
        lines += ["The test fails with:\n", block("text", out)]
    return "\n".join(lines)


def main():
    root, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    parts = PART.findall((root / "tests/failures/failures.c").read_text())
    listed = subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    if listed != [name for *_, name in parts]:
        sys.exit(f"the tests are {[name for *_, name in parts]}, the program lists {listed}")
    text = "\n".join([START, *(part(program, words, code, name) for words, code, name in parts)])
    page = root / "docs/failures.md"
    if os.environ.get("CMOX_UPDATE_GOLDEN"):
        page.write_text(text)
    found = page.read_text() if page.exists() else ""
    sys.stdout.writelines(difflib.unified_diff(found.splitlines(True), text.splitlines(True), "docs/failures.md", "the tests say"))
    sys.exit(found != text)


main()
