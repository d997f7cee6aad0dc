"""The real command, directly and through a shim: nobody can tell which. passthrough_cases.toml is the table."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import tomllib
import unittest

from support import DEADLINE, HERE, Case
from cmdmox.v1 import control_pb2
from cmdmox_doubles import capture_stdin, passes, spy
from leftovers import children

LEAST = 60  # invocations; programs that this system lacks are left out
BIG = b"".join(number.to_bytes(4, "little") * 64 for number in range(16_384))  # 4 MiB
FILES = {
    "numbers": b"".join(b"%d\n" % (number * 7919 % 5000) for number in range(5000)),
    "words": b"the quick brown fox\njumps over\nthe lazy dog\nthe lazy dog\n" * 3,
    "binary": bytes(range(256)) * 40,
    "big": BIG,
    "empty": b"",
    "tree/a": b"a\n",
    "tree/below/b": b"\0" * 5000,
}
FIXED = {"LC_ALL": "C", "TZ": "UTC", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
         **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in {"NAME": "A", "EMAIL": "a@example.com", "DATE": "1700000000 +0000"}.items()}}
# What the double says beside "pass through".
WAYS = {"captured": [passes()], "captured, stdin too": [passes(), capture_stdin()],
        "not captured": [passes(capture_stdout=False, capture_stderr=False)]}


def read_cases():
    with open(os.path.join(HERE, "passthrough_cases.toml"), "rb") as file:
        return tomllib.load(file)["case"]


class Run:
    """One invocation: streams are given as the case says, then `see()` tells everything that can be seen of it."""

    def __init__(self, case, folder, env):
        self.case, self.folder, self.env = case, folder, env
        self.threads, self.out, self.err, self.ready = [], bytearray(), bytearray(), threading.Event()
        self.ours, self.given = [], {}

    def _thread(self, target, *args):
        thread = threading.Thread(target=target, args=args)
        thread.start()
        self.threads.append(thread)

    def _pump(self, write, text):
        try:
            while text:
                text = text[os.write(write, text):]
        except OSError:
            pass  # nobody reads all of it
        os.close(write)

    def _collect(self, fd, into, most=None):
        while most is None or len(into) < most:
            data = os.read(fd, 65536 if most is None else most - len(into))
            if not data:
                break
            into += data
            if b"\n" in into:
                self.ready.set()
        os.close(fd)
        self.ready.set()

    def _open(self, name, flags):
        return os.open(os.path.join(self.folder, name), flags, 0o644)

    @staticmethod
    def text(case):
        text = case["stdin"]
        return FILES[text[1:]] if text.startswith("@") else text.encode()

    def _input(self):
        text, how = self.case.get("stdin"), self.case.get("input", "pipe")
        if text is None or how == "closed":
            return os.open(os.devnull, os.O_RDONLY)
        data = self.text(self.case)
        if how == "file":
            fd = os.memfd_create("stdin")
            os.pwrite(fd, data, 0)
            return fd
        if how == "socket":
            ours, theirs = (end.detach() for end in socket.socketpair())
        else:
            theirs, ours = os.pipe()
        self._thread(self._pump, ours, data)
        return theirs

    def _outputs(self):
        how = self.case.get("output", "pipes")
        if how == "files":
            return (self._open("stdout", os.O_WRONLY | os.O_CREAT), self._open("stderr", os.O_WRONLY | os.O_CREAT))
        if how == "append":
            fd = self._open("both", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            return fd, fd
        if how == "socket":
            ours, out = (end.detach() for end in socket.socketpair())
        else:
            ours, out = os.pipe()
        self._thread(self._collect, ours, self.out, self.case.get("take"))
        if how == "merged":
            return out, out
        ours, err = os.pipe()
        self._thread(self._collect, ours, self.err)
        return out, err

    def _left_of(self, fd):
        """What of stdin the command did not take."""
        if self.case.get("stdin") is None:
            return None
        if self.case.get("input") == "file":
            return os.lseek(fd, 0, os.SEEK_CUR)
        left = bytearray()
        while data := os.read(fd, 65536):
            left += data
        return bytes(left)

    def _tree(self):
        seen = {}
        for top, folders, files in os.walk(self.folder):
            folders[:] = [name for name in folders if name != ".git"]
            for name in [*folders, *files]:
                path = os.path.join(top, name)
                info = os.lstat(path)
                content = None
                if os.path.islink(path):
                    content = os.readlink(path)
                elif os.path.isfile(path):
                    with open(path, "rb") as file:
                        content = file.read()
                seen[os.path.relpath(path, self.folder)] = (oct(info.st_mode), content)
        return seen

    def _closing(self):
        closed = [str(number) for number, given in ((0, self.case.get("input")), (1, self.case.get("output")))
                  if given == "closed"]
        return ["/bin/sh", "-c", 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed), "sh"] if closed else []

    def see(self):
        stdin = self._input()
        out, err = self._outputs()
        child = subprocess.Popen([*self._closing(), *self.case["run"]], cwd=self.folder, env=self.env, stdin=stdin,
                                 stdout=out, stderr=err)
        for fd in {out, err}:
            os.close(fd)
        try:
            if "signal" in self.case:
                self.ready.wait(DEADLINE)
                child.send_signal(getattr(signal, "SIG" + self.case["signal"]))
            status = child.wait(DEADLINE)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait(DEADLINE)
        left = self._left_of(stdin)
        os.close(stdin)
        for thread in self.threads:
            thread.join(DEADLINE)
        return {"status": status, "stdout": bytes(self.out), "stderr": bytes(self.err), "left of stdin": left,
                **self._tree()}


class Differential(Case):
    limit = 280  # a hundred cases, four times
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: shutil.rmtree(self.original))
        self.folder = os.path.join(self.place, "run")
        self.original = os.path.join(self.place, "original")
        for name, content in FILES.items():
            path = os.path.join(self.original, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        self.plain = {**os.environ, **FIXED, "HOME": self.place}
        if shutil.which("git"):
            repo = os.path.join(self.original, "repo")
            self.git("init", "-q", "-b", "main", repo)
            for number in (1, 2):
                with open(os.path.join(repo, "file"), "a", encoding="ascii") as file:
                    file.write(f"line {number}\n" * 20)
                self.git("-C", repo, "add", "file")
                self.git("-C", repo, "commit", "-q", "-m", f"commit {number}")

    @staticmethod
    def copy(source, target):
        """No case changes the big one."""
        (os.link if source.endswith("/big") else shutil.copy2)(source, target)

    def git(self, *words):
        subprocess.run(["git", *words], env=self.plain, check=True, timeout=DEADLINE)

    def run_case(self, case, env):
        shutil.copytree(self.original, self.folder, symlinks=True, copy_function=self.copy)
        try:
            seen = Run(case, self.folder, env).see()
            for pid, *_ in children():  # what the command left in the background has ended with its streams
                if pid != self.server.pid:
                    os.waitpid(pid, 0)
            return seen
        finally:
            shutil.rmtree(self.folder)

    def through(self, case, facets):
        session = self.session(spy(case["run"][0].encode(), None, *facets), path=self.plain["PATH"].encode())
        seen = self.run_case(case, {**session.env, **FIXED, "HOME": self.place, **case.get("env", {})})
        report = session.verify()
        calls = session.invocations()
        session.delete()
        return seen, report, calls

    def compare(self, case, direct):
        for way, facets in WAYS.items():
            with self.subTest(run=case["run"], way=way, output=case.get("output")):
                seen, report, calls = self.through(case, facets)
                for what, expected in direct.items():
                    self.assertEqual(shorten(seen.get(what)), shorten(expected), what)
                self.assertEqual(sorted(seen), sorted(direct))
                self.assertTrue(report.passed, report.text)
                self.look_at(case, calls[0], direct, way)

    def look_at(self, case, call, direct, way):
        """What the journal says of the call."""
        self.assertEqual(call.state, control_pb2.CALL_STATE_COMPLETED)
        self.assertEqual(call.replaced, way == "not captured")
        if call.replaced:
            return
        status = -signal.Signals[call.signal].value if call.signal else call.exit_code
        self.assertEqual(status, direct["status"])
        self.assertEqual(call.merged, case.get("output") in ("merged", "append"))
        if case.get("output", "pipes") != "pipes" or "take" in case or call.lingering:
            return
        for name, stream in (("stdout", call.stdout_capture), ("stderr", call.stderr_capture)):
            self.assertEqual(stream.length, len(direct[name]), name)
            self.assertTrue(stream.truncated or stream.data == direct[name], name)
        if "stdin" in way and "stdin" in case and case.get("input", "pipe") == "pipe":
            took = len(Run.text(case)) - len(direct["left of stdin"])
            self.assertEqual(call.stdin_capture.length, took, "captured stdin")
            self.assertEqual(call.stdin_capture.data, Run.text(case)[:took][:len(call.stdin_capture.data)])

    def test_nobody_can_tell(self):
        ran = 0
        for case in read_cases():
            if not shutil.which(case["run"][0]):
                continue
            ran += 1
            self.compare(case, self.run_case(case, {**self.plain, **case.get("env", {})}))
        print(f"{ran} invocations, each directly and in {len(WAYS)} ways through a shim")
        self.assertGreaterEqual(ran, LEAST)


def shorten(value):
    """Of long content as much as a reader wants to see, and what tells the rest apart."""
    if isinstance(value, tuple):
        return tuple(shorten(item) for item in value)
    return (value[:200], len(value), hash(value)) if isinstance(value, bytes) and len(value) > 300 else value


if __name__ == "__main__":
    unittest.main()
