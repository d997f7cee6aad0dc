"""What the acceptance tests share: a server for each test, children with a deadline, waiting for what is to happen.

CMDMOX_BUILD names the build folder; without it the newest one under build/ is taken, so that each test file
can be run by hand with a Python that has protobuf:  /usr/bin/python3 tests/acceptance/test_path.py
"""

import glob
import os
import signal
import socket
import subprocess
import sys
import time

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
from leftovers import Watched  # noqa: E402  pylint: disable=wrong-import-position

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


class Case(Watched):
    """A server of its own for each test; `self.session()` makes sessions there.

    The shim directories are in a place of its own too: a server sweeps those of dead ones, here of nobody else's.
    """

    server_env = {}
    program = PROGRAM

    def own_place(self):
        self.environment = {**os.environ, "CMOX_SHIM": SHIM, "CMOX_TMPDIR": self.place, **self.server_env}

    def serve(self, **env):
        return cmdmox.serve([self.program, "serve", "--stdio"], {**self.environment, **env})

    def setUp(self):
        self.own_place()
        self.ending = 0
        self.serving = self.serve()
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
        self.assertEqual(self.server.wait(DEADLINE), self.ending)
        self.client.close()

    def end_server(self, number):
        """By a signal: it exits by 128 and the number, unless that kills it."""
        self.ending = -number if number == signal.SIGKILL else 128 + number
        self.server.send_signal(number)

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
        self.own_place()
        self.address = os.path.join(self.place, "s")
        self.server = subprocess.Popen([PROGRAM, "serve", "--listen", "unix:" + self.address],
                                       env=self.environment, stdout=subprocess.PIPE)
        self.addCleanup(self.stop_server)
        self.assertEqual(self.server.stdout.readline().decode(), f"unix:{self.address}\n")

    def stop_server(self):
        self.server.terminate()
        self.assertEqual(self.server.wait(DEADLINE), 0)
        self.server.stdout.close()

    def connect(self, address=None, **options):
        link = socket.socket(socket.AF_UNIX)
        link.connect(address or self.address)
        files = link.makefile("rb"), link.makefile("wb")
        self.addCleanup(self._hang_up, link, *files)
        client = cmdmox.Client(*files, **options)
        client.socket = link
        return client

    @staticmethod
    def _hang_up(link, reader, writer):
        try:
            link.shutdown(socket.SHUT_RDWR)  # the client's thread reads no longer, and lets go of its file
        except OSError:  # the server was first
            pass
        for file in (writer, reader, link):
            file.close()

    def disconnect(self, client):
        client.socket.shutdown(socket.SHUT_RDWR)
        client.thread.join(DEADLINE)
