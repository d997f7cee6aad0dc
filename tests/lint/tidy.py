#!/usr/bin/env python3
"""clang-tidy over our own sources, as build/dev compiles them. .clang-tidy holds the rules."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import sources


def tidy(top, database, path):
    command = ["clang-tidy", "--quiet", "-p", database, "--extra-arg=-Wno-unknown-warning-option", path]
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout if done.stdout else done.stderr


def main():
    top = sources.root()
    database = os.path.join(top, "build", "dev")
    with open(os.path.join(database, "compile_commands.json"), encoding="utf-8") as file:
        compiled = {os.path.realpath(os.path.join(e["directory"], e["file"])) for e in json.load(file)}
    paths = [path for path in sources.files(top, [".c"]) if os.path.realpath(os.path.join(top, path)) in compiled]
    if not paths:
        sys.exit("tidy: build/dev compiles none of our sources")
    with ThreadPoolExecutor(int(os.environ.get("CMDMOX_JOBS", os.cpu_count() or 2))) as pool:
        results = list(pool.map(lambda path: tidy(top, database, path), paths))
    for status, text in results:
        if status:
            print(text, end="")
    sys.exit(1 if any(status for status, _ in results) else 0)


main()
