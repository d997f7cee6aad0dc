"""Sessions whose PATH begins with a directory of the test's own: what is installed there says `real NAME` when it runs."""

import os
import tempfile

from support import Case


class Installed(Case):
    tools = ("tool",)

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(dir="/tmp")  # beside self.place, which others may not write to
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        self.folder = folder.name
        for name in self.tools:
            self.script(name, f"#!/bin/sh\necho real {name} \"$@\"\n")
        self.path = os.fsencode(self.folder) + b":" + os.environb[b"PATH"]

    def script(self, name, text, mode=0o755):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def session(self, *doubles, **fields):
        fields.setdefault("path", self.path)
        return super().session(*doubles, **fields)

    def hints(self, session):
        """Of a session whose verification fails: what the report says of commands that were not reached."""
        report = session.verify()
        self.assertFalse(report.passed)
        return [finding.hint for finding in report.findings if finding.hint]
