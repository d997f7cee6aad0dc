#!/usr/bin/env python3
"""docs/run.md shows what the program and three scripts of a Debian system say: each console block is run, one after the
other in one directory, and gives what stands there. CMOX_UPDATE_GOLDEN=1 writes the output anew.

What differs from run to run is made equal before comparing: times, numbers of calls, names of temporary files; the
directory is shown as /home/alice.
"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import support

PAGE = pathlib.Path(support.ROOT) / "docs" / "run.md"
BLOCK = re.compile(r"```console\n(.*?)```\n", re.S)
NEEDED = ["ssh-copy-id", "update-ca-certificates", "xdg-open", "openssl"]
MARK = "@@next@@"


def commands(block):
    """The lines behind "$ ", with those that go on: after a backslash, or up to the end of a here-document."""
    found, lines = [], iter(block.split("\n"))
    for line in lines:
        if not line.startswith("$ "):
            continue
        text = [line[2:]]
        heredoc = re.search(r"<<'(\w+)'", line)
        while (heredoc and text[-1] != heredoc[1]) or (not heredoc and text[-1].endswith("\\")):
            text.append(next(lines))
        found.append("\n".join(text))
    return found


def run(block, place, env):
    """The block with the output that its commands have: one shell, so that $? is the status of the command before."""
    asked = commands(block)
    script = "".join(f"{one}\ns=$?; echo {MARK}; (exit $s)\n" for one in asked)
    done = subprocess.run(["sh", "-c", script], cwd=place, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=100, check=False)
    said = done.stdout.decode().replace(place, "/home/alice").split(MARK + "\n")
    return "".join(f"$ {one}\n{output}" for one, output in zip(asked, said))


def same(text):
    """The text without what no two runs have in common."""
    text = re.sub(r"(?m)^ *\d+ +[\d.]+ +[\d.]+( +\S+  )", r"N START TOOK\1", text)
    text = re.sub(r"/tmp/cmdmox-\w+", "/tmp/cmdmox-X", text)
    text = re.sub(r"(ssh-copy-id|ca-certificates\.tmp)\.(?!X)\w+", r"\1.X", text)
    return re.sub(r"(?m)^(/usr)?/bin/", "/usr/bin/", text)


def read(path):
    return pathlib.Path(path).read_text() if os.path.exists(path) else ""


class Page(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        missing = [name for name in NEEDED if not shutil.which(name, path=support_path())]
        if missing or "VERSION_CODENAME=bookworm" not in read("/etc/os-release"):
            self.skipTest(f"the page is of Debian 12; not installed: {missing}")
        self.place = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.place)

    def test_it_shows_what_is_said(self):
        env = {"PATH": support_path(), "HOME": self.place, "LC_ALL": "C", "TERM": "dumb", "CMOX_SHIM": support.SHIM}
        page = PAGE.read_text()
        now = BLOCK.sub(lambda found: f"```console\n{run(found[1], self.place, env)}```\n", page)
        if os.environ.get("CMOX_UPDATE_GOLDEN"):
            PAGE.write_text(now)
            page = now
        difference = difflib.unified_diff(same(page).split("\n"), same(now).split("\n"), "docs/run.md", "what is said", lineterm="")
        self.assertEqual("\n".join(difference), "")
        self.assertGreater(len(BLOCK.findall(page)), 5)


def support_path():
    return os.pathsep.join([os.path.dirname(support.PROGRAM), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
                            "/sbin", "/bin"])


if __name__ == "__main__":
    unittest.main()
