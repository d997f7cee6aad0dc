#!/usr/bin/env python3
"""Runs the blocks of shell in a document that say "<!-- runs -->" above them, as they stand.

    blocks.py DOCUMENT FOLDER_OF_CMDMOX

Each in a directory of its own, by sh -eu, with cmdmox on PATH; it must succeed and leave nothing in the place of sessions.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

DOCUMENT, PROGRAMS = pathlib.Path(sys.argv[1]), os.path.abspath(sys.argv[2])
HANG = 60


class Blocks(unittest.TestCase):
    def test_they_run(self):
        blocks = re.findall(r"<!-- runs -->\n```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
        self.assertTrue(blocks, f"{DOCUMENT}: no block that runs")
        for number, block in enumerate(blocks, 1):
            with self.subTest(block=number), tempfile.TemporaryDirectory(prefix="cmx") as place:
                sessions = os.path.join(place, "s")
                os.makedirs(os.path.join(place, "work"))
                os.mkdir(sessions)
                env = {**os.environ, "PATH": PROGRAMS + os.pathsep + os.environ["PATH"], "CMOX_TMPDIR": sessions}
                done = subprocess.run(["sh", "-eu", "-c", block], cwd=os.path.join(place, "work"), env=env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=HANG, check=False)
                self.assertEqual(done.returncode, 0, f"{block}\n{done.stdout}")
                self.assertEqual(os.listdir(sessions), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
