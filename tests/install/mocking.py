"""What the tests of installed programs share: one mocked call, and what is said of ELF files."""

import os
import shlex
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ["CMDMOX_BUILD"]
HANG = 240  # seconds; nothing takes that long
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("CMOX_", "CMDMOX_", "DESTDIR", "PYTHON"))}

sys.path[:0] = [os.path.join(ROOT, "tests/acceptance"), os.path.join(BUILD, "gen/python")]
import cmdmox_client as cmdmox  # noqa: E402  pylint: disable=wrong-import-position
from cmdmox_doubles import mock, returns  # noqa: E402  pylint: disable=wrong-import-position


def run(*command, env=None, ok=True, cwd=None, **more):
    """What the command wrote, both streams; fails with that when it fails, or does not though it should."""
    done = subprocess.run(command, env={**CLEAN, **(env or {})}, cwd=cwd, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=HANG, check=False, errors="replace", **more)
    if (done.returncode == 0) != ok:
        raise AssertionError(f"status {done.returncode} of {shlex.join(command)}\n{done.stdout}")
    return done.stdout


def mocked_call(program, inside=(), env=None):
    """A session of `program serve`, and a call in it that is answered. `inside` comes before each of the two commands."""
    test = unittest.TestCase()
    with cmdmox.serve([*inside, program, "serve", "--stdio"], {**CLEAN, **(env or {})}) as client:
        test.assertEqual(client.Ping(payload=b"there?").payload, b"there?")
        session = cmdmox.Session(client)
        session.declare(mock(b"cmdmox-tested", [b"describe"], returns(b"v1.4.0\n", exit_code=3)))
        session.replay()
        shim = os.path.join(os.fsdecode(session.shims), "cmdmox-tested")
        done = subprocess.run([*inside, shim, "describe"], env=session.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=HANG, check=False)
        test.assertEqual((done.returncode, done.stdout), (3, b"v1.4.0\n"))
        test.assertTrue(session.verify().passed)


def is_static(path):
    return "INTERP" not in run("readelf", "-lW", path) and "(NEEDED)" not in run("readelf", "-dW", path)


def skip(reason):
    print("SKIP:", reason)
    sys.exit(77)
