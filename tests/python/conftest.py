"""What the tests of the Python package share: a place of their own for shims, commands that are run, and what no test may leave.

    PYTHONPATH=build/dev/python CMDMOX_PROGRAM=build/dev/bin/cmdmox /usr/bin/python3 -m pytest tests/python
"""

import faulthandler
import os
import subprocess
import sys
import tempfile

import pytest

DEADLINE = 60  # seconds until a command counts as hanging; none takes that long
LIMIT = 240

# What is shared with the acceptance tests: programs started with what Python refuses.
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "acceptance"))

_place = tempfile.TemporaryDirectory(prefix="cmdmox-py-")
os.environ["CMOX_TMPDIR"] = _place.name


def pytest_configure(config):
    faulthandler.dump_traceback_later(LIMIT, exit=True)


@pytest.fixture(autouse=True)
def nothing_left(request):
    """The environment is as it was, and no session is left applied."""
    before = dict(os.environb)
    yield
    after = dict(os.environb)
    after.pop(b"PYTEST_CURRENT_TEST", None)
    before.pop(b"PYTEST_CURRENT_TEST", None)
    assert after == before


class Done:
    """How a command ended."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __eq__(self, other):
        return (self.status, self.out, self.err) == other

    def __repr__(self):
        return repr((self.status, self.out, self.err))


def _run(*argv, input=None, env=None, **options):
    """Runs a command to its end, with texts: what it wrote is read as this package writes it."""
    if input is None:
        options.setdefault("stdin", subprocess.DEVNULL)
    else:
        options["input"] = input
    return Done(subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="surrogateescape",
                               timeout=DEADLINE, check=False, **options))


@pytest.fixture
def run():
    return _run


@pytest.fixture
def python(tmp_path):
    """Runs a program of Python in a process of its own, with this package."""

    def start(text, *argv, **options):
        file = tmp_path / "program.py"
        file.write_text(text, encoding="utf-8")
        return _run(sys.executable, "-W", "always::ResourceWarning", str(file), *argv, cwd=options.pop("cwd", str(tmp_path)), **options)

    return start
