#!/usr/bin/env python3
"""A source file has at most 500 lines."""

import sources

MOST = 500
SUFFIXES = [".c", ".h", ".py", ".go", ".sh", ".cmake", ".txt", ".proto"]
# Path: why it may be longer.
EXCEPTIONS = {}


def main():
    top = sources.root()
    findings = []
    for path in sources.files(top, SUFFIXES):
        count = sources.read(top, path).count("\n")
        if count > MOST and path not in EXCEPTIONS and not path.startswith("fixtures/"):
            findings.append(f"{path}: {count} lines")
    findings += [f"{path}: an exception for no file" for path in EXCEPTIONS if path not in sources.files(top)]
    sources.finish(findings, f"at most {MOST} lines a file; an exception stands with its reason in tests/lint/file_length.py")


main()
