"""Whether docs/reference has every name that is exported, and no other.

    names.py SOURCE DESCRIPTOR_SET PROGRAM PYTHON_TREE [JAVASCRIPT_TREE GO_TREE]

A page documents the names that stand in backquotes in the cells of its tables, but for the last cell of a row; that of C
also those of its list of matchers.
"""

import json
import os
import re
import subprocess
import sys
import unittest

from google.protobuf import descriptor_pb2

SOURCE, DESCRIPTORS, PROGRAM, PYTHON = sys.argv[1:5]
JAVASCRIPT, GO = (sys.argv[5:] or [None, None])[:2]
HEADERS = ("client/include/cmdmox", "server/include/cmdmox", "proto/include/cmdmox")


def text_of(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def rows(page):
    """The names in the cells of a page's rows but the last cell, which tells; a list: one said twice is seen."""
    found = []
    for line in text_of("docs/reference", page).splitlines():
        if line.startswith("| "):
            for cell in line[2:].split("| ")[:-1]:
                found += re.findall(r"`([^`]+)`", cell)
    return found


def macros():
    """Public macros: neither guards nor those whose name ends in an underscore."""
    names = set()
    for folder in HEADERS:
        for header in os.listdir(os.path.join(SOURCE, folder)):
            if header.endswith(".h"):
                names |= set(re.findall(r"^#define (\w+)", text_of(folder, header), re.M))
    return {name for name in names if not name.endswith(("_", "_H")) and name not in ("CMOX_API", "CMOX_ERROR")}


class Names(unittest.TestCase):
    def check(self, documented, there, where):
        self.assertEqual(sorted(set(documented) - there), [], f"{where} documents what is not there")
        self.assertEqual(sorted(there - set(documented)), [], f"{where} lacks what is there")

    def test_c(self):
        page = text_of("docs/reference/c.md")
        listed = re.findall(r"`(CMOX_\w+)`", page.split("## Matchers")[1].split("|")[0])
        there = set(text_of("tests/integration/exports.txt").split())
        # Functions declared in the headers alone: those of <cmdmox/check.h>.
        there |= set(re.findall(r"static inline void (ck_\w+)", text_of("client/include/cmdmox/check.h")))
        self.check(rows("c.md") + listed, there | macros(), "c.md")

    def test_matchers(self):
        names = set(re.findall(r"^#define (CMOX_\w+)\b.*CMOX_(?:MATCHER|TYPE|PREDICATE|CHILDREN|TEXTS)_\(",
                               text_of("client/include/cmdmox/matchers.h"), re.M))
        names = {name for name in names if not name.endswith("_")} | {"CMOX_UNSET"}
        self.check([name for name in rows("matchers.md") if name.startswith("CMOX_")], names, "matchers.md")

    def test_rpc(self):
        with open(DESCRIPTORS, "rb") as file:
            schema = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        there = {(service.name, method.name) for part in schema.file for service in part.service
                 for method in service.method}
        self.check(rows("rpc.md"), {name for _, name in there}, "rpc.md")
        for service, method in there:
            self.assertIn(f"| `{method}` | {service} |", text_of("docs/reference/rpc.md"))

    def test_program(self):
        listed = subprocess.run([PROGRAM, "help"], capture_output=True, text=True, timeout=60, check=True).stdout
        verbs = {re.split("  +", line)[1] for line in listed.splitlines() if line.startswith("  ")}
        self.check(rows("program.md"), verbs, "program.md")

    def test_bats(self):
        functions = subprocess.run(["bash", "-c", "source \"$0\" && compgen -A function", os.path.join(SOURCE, "client/shell/bats/load.bash")],
                                   capture_output=True, text=True, timeout=60, check=True).stdout.split()
        self.check(rows("bats.md"), {name for name in functions if not name.startswith("cmdmox__")}, "bats.md")

    def test_bats_has_the_verbs_of_sessions(self):
        """Each verb that begins with one of them, by its name; the others have names of their own."""
        listed = subprocess.run([PROGRAM, "help"], capture_output=True, text=True, timeout=60, check=True).stdout
        verbs = re.findall(r"^  (\S+(?: \S+)?)  ", listed, re.M)
        session = verbs[verbs.index("mock"):verbs.index("verify") + 1]
        named = {"assert called": "assert_called", "assert not-called": "refute_called", "assert last": "assert_last_called"}
        self.assertEqual({named.get(verb, f"cmdmox_{verb}") for verb in session} - set(rows("bats.md")), set())

    def test_python(self):
        sys.path.insert(0, PYTHON)
        import cmdmox  # pylint: disable=import-outside-toplevel
        members = {f"{kind.__name__}.{name}" for kind in (cmdmox.CmdMox, cmdmox.Double)
                   for name in dir(kind) if not name.startswith("_")}
        self.check(rows("python.md"), set(cmdmox.__all__) | members, "python.md")

    @unittest.skipUnless(JAVASCRIPT, "the JavaScript package is built where CMDMOX_LANGUAGES is ON")
    def test_javascript(self):
        lister = os.path.join(SOURCE, "tests/reference/exports.mjs")
        said = json.loads(subprocess.run(["node", lister, JAVASCRIPT], capture_output=True, text=True, timeout=60, check=True).stdout)
        doors = {door: set(names) for door, names in said["doors"].items()}
        there = doors["."] | set(said["members"])
        for door in ("./node-test", "./vitest"):
            there |= doors[door]
        self.check(rows("javascript.md"), there, "javascript.md")

    @unittest.skipUnless(GO, "no Go in this build")
    def test_go(self):
        told = subprocess.run(["go", "doc", "-all", "."], cwd=GO, env={**os.environ, "GOTOOLCHAIN": "local"}, capture_output=True,
                              text=True, timeout=60, check=True).stdout
        there = set(re.findall(r"^(?:func|type|const|var) ([A-Z]\w*)", told, re.M))
        for block in re.findall(r"^const \($(.*?)^\)$", told, re.M | re.S):
            there |= set(re.findall(r"^\t([A-Z]\w*)", block, re.M))
        members = re.findall(r"^func \(\w+ \*?([A-Z]\w*)\) ([A-Z]\w*)", told, re.M)
        there |= {f"{kind}.{name}" for kind, name in members if name not in ("String", "Error")}
        self.check(rows("go.md"), there, "go.md")

    def test_no_name_is_said_twice(self):
        for page in ("rpc.md", "program.md", "python.md", "javascript.md", "bats.md", "go.md"):
            names = rows(page)
            self.assertEqual(sorted({name for name in names if names.count(name) > 1}), [], page)

    def test_every_page_is_linked(self):
        pages = {page for page in os.listdir(os.path.join(SOURCE, "docs/reference")) if page != "README.md"}
        linked = re.findall(r"\]\(([\w.]+)\)", text_of("docs/reference/README.md"))
        self.assertEqual(sorted(linked), sorted(pages))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
