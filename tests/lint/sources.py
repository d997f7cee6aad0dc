"""What the checks share: walking the tree, and stripping C of comments and texts."""

import os
import re
import sys

SKIPPED = {".git", "build", "__pycache__"}


def root():
    """The tree to check: the first argument, else this repository."""
    if len(sys.argv) > 1:
        return os.path.abspath(sys.argv[1])
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(top, suffixes=None):
    """Paths relative to top, with slashes, sorted."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            path = os.path.join(folder, name)
            if name not in SKIPPED and os.path.isfile(path) and (suffixes is None or name.endswith(tuple(suffixes))):
                found.append(os.path.relpath(path, top).replace(os.sep, "/"))
    return sorted(found)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="replace") as file:
        return file.read()


PIECES = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_lines(text):
    """The lines of C code with comments and texts blanked out."""
    return PIECES.sub(lambda piece: re.sub(r"[^\n]", " ", piece.group()), text).split("\n")


def finish(findings, rule):
    """Prints the findings and exits; 1 when there are any."""
    for finding in findings:
        print(finding)
    if findings:
        print(f"rule: {rule}")
    sys.exit(1 if findings else 0)
