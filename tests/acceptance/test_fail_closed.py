"""It never fails open: whatever is broken, the real command does not run instead of the mocked one."""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from support import DEADLINE, SHIM, Case, cmdmox, until
from cmdmox_doubles import mock, returns, stub


class Real(Case):
    """PATH holds a real `git` that leaves a mark when it runs."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(dir="/tmp")  # beside self.place, which others may not write to
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o777)
        self.mark = os.path.join(self.folder, "mark")
        self.script("git", f"#!/bin/sh\n: > '{self.mark}'\n")
        self.path = os.fsencode(self.folder) + b":/usr/bin:/bin"

    def script(self, name, text, mode=0o755):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def assert_real_did_not_run(self):
        self.assertFalse(os.path.exists(self.mark), "the real command ran")

    def test_the_mark_works(self):
        session = self.session(stub(b"ls"), path=self.path)
        self.assertEqual(self.run_in(session, ["git"])[0], 0)
        self.assertTrue(os.path.exists(self.mark))

    def test_a_late_background_child(self):
        session = self.session(stub(b"git"), path=self.path)
        child = self.start_in(session, ["sh", "-c", "read go; git push; echo $? >&2; git push"], stdin=subprocess.PIPE)
        session.delete()
        child.stdin.write(b"go\n")
        child.stdin.close()
        status, child.stdin = child.wait(DEADLINE), None
        self.assert_real_did_not_run()
        lines = child.stderr.read().decode().splitlines()
        self.assertEqual((status, lines[1]), (125, "125"))
        self.assertIn("the session is over", lines[0])

    def test_a_child_that_outlives_the_server(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number.name):
                server = self.serve()
                client = server.__enter__()
                session = self.session(stub(b"git"), client=client, path=self.path)
                directory = os.path.dirname(session.shims)
                child = self.start_in(session, ["sh", "-c", "echo up; read go; git push"], stdin=subprocess.PIPE)
                self.assertEqual(child.stdout.readline(), b"up\n")
                server.process.send_signal(number)
                server.process.wait(DEADLINE)
                client.close()
                with self.serve() as other:
                    self.session(stub(b"git"), client=other)
                    self.assertTrue(os.path.exists(directory), "it is still on a PATH")
                    child.stdin.write(b"go\n")
                    child.stdin.close()
                    child.stdin = None
                    self.assert_refused(self.finish(child))
                    self.assert_real_did_not_run()
                with self.serve() as other:
                    self.session(stub(b"git"), client=other)
                    self.assertFalse(os.path.exists(directory), "nobody needs it any more")

    def test_a_call_held_at_a_gate_when_its_session_ends(self):
        session = self.session(stub(b"git", None, returns(gate="g")), path=self.path)
        child = self.start_in(session, ["git"])
        until(lambda: session.count() == 1, "the call")
        session.delete()
        self.assert_refused(self.finish(child))
        self.assert_real_did_not_run()

    def test_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        session = self.session(stub(b"git"), path=self.path)
        nobody = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
        self.assert_refused(self.run_in(session, ["git", "push"], **nobody))
        self.assert_real_did_not_run()
        self.assertEqual(session.count(), 0)

    def test_replay_refuses_a_damaged_directory(self):
        def vanish(session):
            shutil.rmtree(os.path.dirname(session.shims))

        def unlink(session):
            os.unlink(os.path.join(session.shims, b"git"))

        def replace(session):
            unlink(session)
            os.symlink(os.fsencode(self.folder) + b"/git", os.path.join(session.shims, b"git"))

        def forbid(session):
            os.chmod(os.path.join(os.path.dirname(session.shims), b"cmdmox-shim"), 0o644)

        for damage in (vanish, unlink, replace, forbid):
            with self.subTest(damage.__name__):
                with self.serve() as client:
                    session = self.session(stub(b"git"), replay=False, client=client, path=self.path)
                    damage(session)
                    self.assert_reason("IO", session.replay)
        self.assert_real_did_not_run()

    def test_a_launcher_that_does_not_run_is_refused(self):
        table = {
            "missing": ("SHIM_MISSING", os.path.join(self.folder, "nowhere")),
            "no execute permission": ("SHIM_BROKEN", self.script("mode", "#!/bin/sh\n", 0o644)),
            "not for this machine": ("SHIM_BROKEN", self.script("machine", "\x7fELF" + "\x01" * 60)),
            "exits at once": ("SHIM_BROKEN", self.script("exits", "#!/bin/sh\nexit 3\n")),
            "not ours": ("SHIM_BROKEN", self.script("silent", "#!/bin/sh\necho hello\n")),
            "another protocol": ("SHIM_VERSION", self.script("v", "#!/bin/sh\necho cmdmox-shim 9.9.9 protocol 7-9\n")),
        }
        for name, (reason, path) in table.items():
            with self.subTest(name), self.serve(CMOX_SHIM=path) as client:
                self.assert_reason(reason, cmdmox.Session, client)

    def test_a_place_that_does_not_serve_is_refused(self):
        shared = os.path.join(self.folder, "shared")
        os.mkdir(shared)
        os.chmod(shared, 0o777)
        deep = os.path.join(self.folder, "x" * 90)
        os.mkdir(deep)
        table = {"TEMP_DIRECTORY": b"/nonexistent/place", "UNSAFE_DIRECTORY": os.fsencode(shared),
                 "PATH_TOO_LONG": os.fsencode(deep)}
        for reason, place in table.items():
            with self.subTest(reason):
                self.assert_reason(reason, cmdmox.Session, self.client, temporary_directory=place)
        self.assertEqual(os.listdir(shared) + os.listdir(deep), [])

    def test_verify_tells_of_shims_that_were_removed_during_the_test(self):
        session = self.session(stub(b"git", None))
        os.unlink(os.path.join(session.shims, b"git"))
        report = session.verify()
        self.assertFalse(report.passed)
        self.assertIn("the shims were changed during the test", report.text)

    def test_a_call_that_is_too_large_to_be_matched_fails_verification(self):
        session = self.session(stub(b"git", None))
        status, _, errors = self.run_in(session, ["git", *["x"] * 110000])
        self.assertEqual(status, 125, errors)
        report = session.verify()
        self.assertFalse(report.passed)
        self.assertIn("1 call was refused before anything could be matched", report.text)

    def test_a_place_with_a_colon_is_refused(self):
        place = os.path.join(self.folder, "a:b")
        os.mkdir(place)
        error = self.assert_reason("UNSAFE_DIRECTORY", cmdmox.Session, self.client, temporary_directory=os.fsencode(place))
        self.assertIn("PATH is split", error.message)
        self.assertEqual(os.listdir(place), [])

    def test_a_bad_timeout_is_named(self):
        session = self.session(stub(b"git"), path=self.path)
        for value in (b"0", b"-1", b"nan", b"inf", b"1s", b"86401", b"1e3"):
            with self.subTest(value=value):
                line = self.assert_refused(self.run_in(session, ["git"], env={b"CMOX_IPC_TIMEOUT": value}))
                self.assertIn("CMOX_IPC_TIMEOUT", line)
        self.assertEqual(self.run_in(session, ["git"], env={b"CMOX_IPC_TIMEOUT": b"none"})[0], 0)
        self.assert_real_did_not_run()

    def test_the_endpoint_beside_the_launcher_wins(self):
        outer = self.session(stub(b"git", None, returns(b"outer")), path=self.path)
        inner = self.session(mock(b"git", None, returns(b"inner")), path=outer.env[b"PATH"])
        elsewhere = {b"CMOX_IPC_SOCKET": outer.env[b"CMOX_IPC_SOCKET"]}
        self.assertEqual(self.run_in(inner, ["git"], env=elsewhere)[1], b"inner")
        self.assertEqual((outer.count(), inner.count()), (0, 1))

    def test_a_lone_launcher_says_what_it_lacks(self):
        lone = os.path.join(self.folder, "alone")
        shutil.copy(SHIM, lone)
        session = self.session()
        environment = {name: b"" for name in session.env if name.startswith(b"CMOX")}
        self.assertIn("no endpoint", self.assert_refused(self.run_in(session, [lone], env=environment)))


if __name__ == "__main__":
    unittest.main()
