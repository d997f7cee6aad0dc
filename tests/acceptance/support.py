"""What the acceptance tests share: a server for each test, children with a deadline, waiting for what is to happen.

CMDMOX_BUILD names the build folder; without it the newest one under build/ is taken, so that each test file
can be run by hand with a Python that has protobuf:  /usr/bin/python3 tests/acceptance/test_path.py
"""

import ctypes
import glob
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def _build():
    if "CMDMOX_BUILD" in os.environ:
        return os.environ["CMDMOX_BUILD"]
    found = glob.glob(os.path.join(ROOT, "build", "*", "bin", "cmdmox"))
    if not found:
        sys.exit("nothing is built: run ./dev build, or set CMDMOX_BUILD to a build folder")
    return os.path.dirname(os.path.dirname(max(found, key=os.path.getmtime)))


BUILD = _build()
PROGRAM = os.path.join(BUILD, "bin", "cmdmox")
SHIM = os.path.join(BUILD, "libexec", "cmdmox", "cmdmox-shim")
sys.path.insert(0, os.path.join(BUILD, "gen", "python"))

import cmdmox_client as cmdmox  # noqa: E402  pylint: disable=wrong-import-position

DEADLINE = 30  # seconds until a test gives up; nothing takes that long
SANITIZED = os.environ.get("CMDMOX_SANITIZE", "") != ""


def until(happened, what="it"):
    """Asks until the answer is true. Each question is a round trip to a server or to the kernel."""
    end = time.monotonic() + DEADLINE
    while not (answer := happened()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {DEADLINE} s")
        os.sched_yield()
    return answer


def wait_stopped(pid):
    os.waitid(os.P_PID, pid, os.WSTOPPED)


def serve(**env):
    """`with serve() as client`: a server of its own, with these variables."""
    return cmdmox.serve([PROGRAM, "serve", "--stdio"], {**os.environ, "CMOX_SHIM": SHIM, **env})


class Case(unittest.TestCase):
    """A server of its own for each test; `self.session()` makes sessions there."""

    server_env = {}

    def setUp(self):
        self.serving = serve(**self.server_env)
        self.server = self.serving.process
        self.addCleanup(self.stop_server)
        self.client = self.serving.__enter__()

    def stop_server(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGCONT)
            try:
                self.serving.__exit__()
            except Exception:
                self.server.kill()
                raise
            self.assertEqual(self.server.returncode, 0)
        self.server.wait(DEADLINE)
        self.client.close()

    def session(self, *doubles, replay=True, client=None, **fields):
        session = cmdmox.Session(client or self.client, **fields)
        if doubles:
            session.declare(*doubles)
        if replay:
            session.replay()
        return session

    def run_in(self, session, command, input=None, env=None, **options):
        """A child to its end: (status, stdout, stderr)."""
        if input is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        else:
            options["input"] = input
        done = subprocess.run(command, env={**session.env, **(env or {})}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE, check=False, **options)
        return done.returncode, done.stdout, done.stderr

    def start_in(self, session, command, env=None, **options):
        """A child that the test goes on beside; killed when the test ends, if it still runs."""
        options.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen(command, env={**session.env, **(env or {})}, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, **options)
        self.addCleanup(self._reap, child)
        return child

    @staticmethod
    def _reap(child):
        if child.poll() is None:
            child.kill()
        child.wait(DEADLINE)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                stream.close()

    def finish(self, child):
        out, err = child.communicate(timeout=DEADLINE)
        return child.returncode, out, err

    def assert_refused(self, result):
        """125 and one line of cmdmox on stderr; gives the line."""
        status, out, err = result
        self.assertEqual((status, out, err.count(b"\n")), (125, b"", 1), err)
        self.assertTrue(err.startswith(b"cmdmox: "), err)
        return err.decode("utf-8", "replace")

    def assert_reason(self, reason, function, *args, **fields):
        with self.assertRaises(cmdmox.Error) as caught:
            function(*args, **fields)
        self.assertEqual(caught.exception.reason, reason, caught.exception.message)
        return caught.exception

    def assert_passed(self, session):
        report = session.verify()
        self.assertTrue(report.passed, report.text)
        return report


class Listening(Case):
    """The same, with a server that listens; `self.connect()` makes clients of it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.address = os.path.join(folder.name, "s")
        self.server = subprocess.Popen([PROGRAM, "serve", "--listen", "unix:" + self.address],
                                       env={**os.environ, "CMOX_SHIM": SHIM}, stdout=subprocess.PIPE)
        self.addCleanup(self.stop_server)
        self.assertEqual(self.server.stdout.readline().decode(), f"unix:{self.address}\n")

    def stop_server(self):
        self.server.terminate()
        self.assertEqual(self.server.wait(DEADLINE), 0)
        self.server.stdout.close()

    def connect(self, address=None, **options):
        link = socket.socket(socket.AF_UNIX)
        link.connect(address or self.address)
        self.addCleanup(link.close)
        client = cmdmox.Client(link.makefile("rb"), link.makefile("wb"), **options)
        client.socket = link
        return client

    def disconnect(self, client):
        client.socket.shutdown(socket.SHUT_RDWR)
        client.thread.join(DEADLINE)


def exec_raw(path, argv, environment):
    """Runs a program with exactly these arguments and entries, which Python itself would refuse; its status."""
    libc = ctypes.CDLL(None)
    arguments = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    entries = (ctypes.c_char_p * (len(environment) + 1))(*environment, None)
    pid = os.fork()
    if pid == 0:
        libc.execve(path, arguments, entries)
        os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
