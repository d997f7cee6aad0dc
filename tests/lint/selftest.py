#!/usr/bin/env python3
"""Proves that a check can fail: it must accept the good sample tree and refuse each bad one.

usage: selftest.py CHECK      (exit 77: the check's tool is not installed)
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TOOLS = {"format.sh": "clang-format", "shell.sh": "shellcheck", "go.sh": "go", "cppcheck.sh": "cppcheck", "tidy.py": "clang-tidy"}
SHEBANG = "#!/bin/sh\n"
LOADS = "# shellcheck source=lib/src/b.bash\nsource lib/src/b.bash\n"
LAYERS = "server/base:\nserver/model: server/base\nserver/session: server/base server/model\n"
BASE = {"cmake/layers.txt": LAYERS, "server/base/span.h": "int a;\n", "server/session/step.h": "int b;\n"}
# In pieces, as in words.py: these samples are no part of the tree they are forbidden in.
REGISTRY = "see https://" + "pypi" + ".org/x\n"
MACHINE_PATH = "cd /wo" + "rk/main\n"
LATE_FREE = '#include <stdlib.h>\nint twice(void);\nint twice(void) {\n  int *p = malloc(4);\n  free(p);\n  return *p;\n}\n'
OUT_OF_BOUNDS = "int last(void);\nint last(void) {\n  int a[2] = {1, 2};\n  return a[2];\n}\n"
LONG_FUNCTION = "int f(int x);\nint f(int x) {\n" + "  x += 1;\n" * 80 + "  return x;\n}\n"

GO = {"build/dev/go.work": "go 1.19\n\nuse ../../tests\n", "tests/go.mod": "module a\n\ngo 1.19\n"}

# Check: (good tree, bad trees); a tree maps paths to texts.
SAMPLES = {
    "layers.py": (
        {**BASE, "server/model/call.c": '#include <stdio.h>\n#include "server/base/span.h"\n'},
        [
            {**BASE, "server/model/call.c": '#include "server/session/step.h"\n'},
            {**BASE, "server/session/step.c": "#include <uv.h>\n"},
            {**BASE, "server/model/call.c": '#include "no/such.h"\n'},
            {**BASE, "server/elsewhere/x.c": "int x;\n"},
            {**BASE, "cmake/layers.txt": LAYERS.replace("server/base:", "server/base: server/session")},
        ],
    ),
    "file_length.py": ({"a.c": "x;\n" * 500}, [{"a.c": "x;\n" * 501}, {"dir/a.h": "x;\n" * 501}]),
    "allocator.py": (
        {
            "server/base/alloc.c": "void *p = malloc(1);\n",
            "shim/a.c": "void *p = malloc(1);\n",
            "server/a.c": '/* free(x) */ char *s = "malloc(1)"; hooks.free(p); cmox_free(p);\n',
        },
        [
            {"server/a.c": "void *p = malloc(1);\n"},
            {"client/lib/a.c": "free(p);\n"},
            {"proto/a.c": "free(p);\n"},
            {"server/match/a.h": "return strdup (x);\n"},
            {"server/a.c": "#include <uthash.h>\n"},
        ],
    ),
    "words.py": (
        {"README.md": "network/working and docs.example.org\n"},
        [{"README.md": REGISTRY}, {"a.sh": MACHINE_PATH}, {"fixtures/x": "\t" + MACHINE_PATH[3:]}],
    ),
    "suppressions.py": (
        {"a.c": "// NOLINT(misc-x): rows differ on purpose\n// cppcheck-suppress nullPointer ; checked by the caller\n"},
        [{"a.c": "// NOLINT\n"}, {"a.c": "// NOLINT(misc-x)\n"}, {"a.c": "// cppcheck-suppress nullPointer\n"},
         {"a.c": "a(); // GCOVR_EXCL" + "_LINE: nobody can fail this\n"}],
    ),
    "format.sh": ({"a.c": "int a;\n"}, [{"a.c": "int   a;\n"}, {"b/a.h": "int *a, * b;\n"}]),
    "shell.sh": (
        {"a.sh": SHEBANG + 'echo "$1"\n', "lib/load.bash": LOADS, "lib/src/b.bash": ': "$1"\n'},
        [{"a.sh": SHEBANG + "echo $1\n"}, {"run": SHEBANG + "rm $1\n"}, {"lib/load.bash": LOADS, "lib/src/b.bash": "rm $1\n"},
         {"a.bats": "rm $1\n"}],
    ),
    "go.sh": (
        {"tests/a.go": "package a\n\nvar A = 1\n", **GO},
        [{"a.go": "package a\nvar  A = 1\n"}, {"tests/a.go": 'package a\n\nimport "fmt"\n\nfunc A() { fmt.Printf("%d", "a") }\n', **GO}],
    ),
    "cppcheck.sh": ({"server/a.c": "int a;\n"}, [{"server/a.c": OUT_OF_BOUNDS}]),
    "tidy.py": ({"server/a.c": "int a;\n"}, [{"server/a.c": LATE_FREE}, {"server/a.c": LONG_FUNCTION}]),
}


def write(top, path, text):
    path = os.path.join(top, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def plant(top, tree):
    for path, text in tree.items():
        write(top, path, text)
    for name in (".clang-format", ".clang-tidy"):
        shutil.copy(os.path.join(TOP, name), top)
    compiled = [{"directory": top, "file": path, "command": f"cc -c {path}"} for path in tree if path.endswith(".c")]
    write(top, "build/dev/compile_commands.json", json.dumps(compiled))


def accepts(check, tree):
    runner = sys.executable if check.endswith(".py") else "sh"
    with tempfile.TemporaryDirectory(prefix="cmdmox lint ") as top:
        plant(top, tree)
        done = subprocess.run([runner, os.path.join(HERE, check), top], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def main():
    check = sys.argv[1]
    if check in TOOLS and not shutil.which(TOOLS[check]):
        sys.exit(77)
    good, bad = SAMPLES[check]
    accepted, text = accepts(check, good)
    if not accepted:
        sys.exit(f"{check} refuses the good sample:\n{text}")
    for tree in bad:
        accepted, text = accepts(check, tree)
        if accepted:
            sys.exit(f"{check} accepts a bad sample: {tree}")
        if "Traceback" in text:
            sys.exit(f"{check} breaks instead of refusing: {text}")


main()
