#!/usr/bin/env python3
"""Runs the scenarios of tests/conformance through the library of bats, each in a test of bats of its own:

    CMDMOX_PROGRAM=build/dev/bin/cmdmox run_bats.py tests/conformance/scenarios [NAME...]

The test is written for the scenario, with the options of its session, and takes the steps from this process one by one: what declares
or judges is said to the functions of the library, in the test's own shell. Commands run in the environment that this shell has then.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import common
from common import GUARD, require, shown
from run_shell import PROGRAM, ShellStage

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = os.path.join(ROOT, "client", "shell", "bats", "load.bash")

# The steps come by one pipe, as texts with a NUL behind each; their statuses go by another. What a function says is in files.
TEST = """
load {library}

@test {name} {{
  cmdmox_start {options}
  /usr/bin/env -0 >environment
  printf 'begun\\n' >told
  while IFS= read -r -d '' step; do
    status=0
    eval "$step" <in >out 2>err || status=$?
    printf '%s\\n' "$status" >told
  done <steps
}}
"""

FUNCTIONS = {"assert called": "assert_called", "assert not-called": "refute_called", "assert last": "assert_last_called"}


def function_of(words):
    """What the library calls a verb, and the words behind it."""
    pair = " ".join(words[:2])
    return (FUNCTIONS[pair], words[2:]) if pair in FUNCTIONS else (f"cmdmox_{words[0]}", words[1:])


def undecorated(text):
    """What the program has told, in the dialect of the scenarios: a line to paste is one of the verbs there."""
    text = re.sub(rb"\A\n-- [^\n]+ --\n(.*)--\n\n\Z", rb"\1", text, flags=re.S)
    return re.sub(rb"^( +)cmdmox_(mock|allow) ", rb"\1cmdmox \2 ", text, flags=re.M)


class BatsStage(ShellStage):
    def __init__(self):
        super().__init__()
        self.place = os.path.join(os.environ["TMPDIR"], "bats")
        self.bats = self.steps = self.told = None

    def path(self, name):
        return os.path.join(self.place, name)

    def begin(self):
        os.mkdir(self.place)
        for name in ("steps", "told"):
            os.mkfifo(self.path(name))
        options = [*self.options, *(word for command in self.document.rest["absent"] for word in ("--absent", command))]
        text = TEST.format(library=shlex.quote(LIBRARY), name=shlex.quote("the scenario"), options=shlex.join(options))
        for name in ("steps", "told", "environment", "in", "out", "err"):
            text = text.replace(f">{name}", ">" + self.path(name)).replace(f"<{name}", "<" + self.path(name))
        with open(self.path("scenario.bats"), "w", encoding="utf-8") as file:
            file.write(text)
        environment = {**os.environ, "CMDMOX_PROGRAM": os.path.abspath(PROGRAM)}
        self.bats = subprocess.Popen(["bats", "--formatter", "tap", self.path("scenario.bats")], env=environment, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # Without a writer the read ends: also when bats has ended before.
        self.told = os.fdopen(os.open(self.path("told"), os.O_RDONLY | os.O_NONBLOCK), "rb")
        self.wait_for(b"begun")
        with open(self.path("environment"), "rb") as file:
            self.session = dict(entry.split(b"=", 1) for entry in file.read().split(b"\0") if entry)
        self.steps = open(self.path("steps"), "wb", buffering=0)  # pylint: disable=consider-using-with
        for verb in ("register", "allow"):
            for command in self.document.rest[verb]:
                self.verb(verb, command)

    def wait_for(self, what=b""):
        """The line that is told; what bats says, where it ends instead."""
        found = []

        def heard():
            found.append(self.told.readline() or b"")
            return found[-1] or self.bats.poll() is not None

        self.until(heard, "bats does not answer")
        line = b"".join(found).strip()
        require(line and (not what or line == what), f"bats has ended: {shown(self.bats.communicate()[0]) if not line else shown(line)}")
        return line

    def verb(self, *words, stdin=b"", accepted=(0,)):
        if words == ("session", "end"):
            return self.finish_bats()
        function, rest = function_of(words)
        with open(self.path("in"), "wb") as file:
            file.write(stdin)
        line = b" ".join(b"'" + os.fsencode(word).replace(b"'", b"'\\''") + b"'" for word in (function, *rest))
        self.steps.write(line + b"\0")
        status = int(self.wait_for())
        out, err = (self.read(name) for name in ("out", "err"))
        require(not accepted or status in accepted, f"{function} {' '.join(rest)}: status {status}: {shown(err)}")
        return status, out, undecorated(err)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def finish_bats(self):
        """The end of the test: what is wrong and was not told, its teardown tells."""
        self.steps.close()
        self.told.close()
        out, _ = self.bats.communicate(timeout=GUARD)
        return self.bats.returncode, out, b""

    def close(self):
        super().close()
        if self.bats and self.bats.poll() is None:
            self.bats.kill()
            self.bats.communicate()
        shutil.rmtree(self.place, ignore_errors=True)


if __name__ == "__main__":
    if not shutil.which("bats"):
        sys.exit(77)
    common.main(BatsStage)
