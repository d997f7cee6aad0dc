"""Contained sessions: nothing runs that is neither mocked nor allowed; and commands that look as if they were not installed."""

import os
import unittest

from support import cmdmox
from installed import Installed
from cmdmox_doubles import mock, returns, stub
from cmdmox.v1 import control_pb2


class Contained(Installed):
    tools = ("tool", "other", "third")

    def contained(self, *doubles, allow=(), **fields):
        session = self.session(replay=False, contained=True, **fields)
        session.allow(*allow)
        session.declare(*doubles)
        session.replay()
        return session

    def test_path_is_the_shims_alone(self):
        session = self.contained()
        self.assertEqual(session.env[b"PATH"], session.shims)

    def test_a_double_answers_and_everything_else_is_unexpected(self):
        session = self.contained(mock(b"tool", None, returns(b"mocked\n")))
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "tool; other x"])[:2], (125, b"mocked\n"))
        report = session.verify()
        self.assertEqual([finding.kind for finding in report.findings], [control_pb2.FINDING_KIND_UNEXPECTED_CALL])
        self.assertIn("unexpected call: other x (the session is contained, and the command has no double)", report.text)
        self.assertIn("or allow the real one: cmox_allow(mox, \"other\");", report.text)

    def test_every_installed_command_has_a_shim(self):
        session = self.contained()
        line = self.assert_refused(self.run_in(session, [os.path.join(session.shims, b"ls")]))
        self.assertIn("unexpected call: ls", line)
        shims = set(os.listdir(session.shims))
        for folder in filter(os.path.isdir, self.path.split(b":")):
            installed = {name for name in os.listdir(folder)
                         if os.path.isfile(path := os.path.join(folder, name)) and os.access(path, os.X_OK)}
            self.assertLessEqual(installed, shims)

    def test_what_is_not_installed_is_not_found(self):
        session = self.contained()
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "cmdmox-nothing"])[0], 127)
        self.assert_passed(session)

    def test_files_that_are_no_programs_have_no_shim(self):
        self.script("notes", "text", 0o644)
        os.mkdir(os.path.join(self.folder, "directory"))
        shims = os.listdir(self.contained().shims)
        self.assertNotIn(b"notes", shims)
        self.assertNotIn(b"directory", shims)

    def test_allowed_commands_run_for_real(self):
        session = self.contained(stub(b"tool", None, returns(b"mocked\n")), allow=[b"other", b"cat"])
        done = self.run_in(session, ["/bin/sh", "-c", "tool | cat; other a"])
        self.assertEqual(done, (0, b"mocked\nreal other a\n", b""))
        self.assert_passed(session)
        self.assertEqual(session.count(), 1)

    def test_the_first_program_on_path_is_the_one(self):
        second = os.path.dirname(self.script("second/tool", "#!/bin/sh\necho second\n"))
        self.script("second/fresh", "#!/bin/sh\necho fresh\n")
        session = self.contained(path=self.path.replace(b":", b":" + os.fsencode(second) + b":", 1),
                                 allow=[b"tool", b"fresh"])
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "tool; fresh"])[1], b"real tool\nfresh\n")

    def test_allowing_goes_on_until_verify(self):
        session = self.contained()
        self.assert_refused(self.run_in(session, ["/bin/sh", "-c", "other"]))
        session.allow(b"other")
        session.allow(b"other")
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "other"])[1], b"real other\n")
        session.verify()
        self.assert_reason("BAD_STATE", session.allow, b"third")

    def test_allowing_by_mistake(self):
        session = self.contained(stub(b"tool"))
        self.assertIn("has a double", self.assert_reason("BAD_STATE", session.allow, b"tool").message)
        self.assertIn("no program", self.assert_reason("NOT_FOUND", session.allow, b"cmdmox-nothing").message)
        self.assert_reason("BAD_COMMAND_NAME", session.allow, b"/bin/ls")
        session.allow(b"other")
        self.assertIn("allowed", self.assert_reason("BAD_STATE", session.declare, stub(b"other")).message)
        plain = self.session()
        self.assertIn("contained", self.assert_reason("BAD_STATE", plain.allow, b"tool").message)

    def test_what_a_session_around_it_mocks_cannot_be_allowed(self):
        outer = self.session(stub(b"tool", None, returns(b"outer\n")))
        inner = self.contained(path=outer.env[b"PATH"])
        told = self.assert_reason("BAD_STATE", inner.allow, b"tool").message
        self.assertIn("the shim of another session", told)
        inner.allow(b"other")
        self.assertEqual(self.run_in(inner, ["/bin/sh", "-c", "other"])[1], b"real other\n")

    def test_a_default_answers_what_has_no_double(self):
        session = self.contained()
        session.client.SetDefaultAction(session_id=session.id, action=returns(b"default\n")["actions"]["items"][0])
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "other"])[1], b"default\n")
        self.assert_passed(session)

    def test_shims_that_are_changed_are_noticed(self):
        def remove(session):
            os.unlink(os.path.join(session.shims, b"ls"))

        def redirect(session):
            remove(session)
            os.symlink("/bin/ls", os.path.join(session.shims, b"ls"))

        def redirect_allowed(session):
            os.unlink(os.path.join(session.shims, b"other"))
            os.symlink("/bin/ls", os.path.join(session.shims, b"other"))

        def bring_back(session):
            os.symlink("/bin/ls", os.path.join(session.shims, b"third"))

        for change in (remove, redirect, redirect_allowed, bring_back):
            with self.subTest(change.__name__):
                session = self.session(replay=False, contained=True)
                session.allow(b"other")
                session.absent(b"third")
                session.replay()
                change(session)
                report = session.verify()
                self.assertEqual([finding.kind for finding in report.findings], [control_pb2.FINDING_KIND_SHIMS_CHANGED])

    def test_a_late_child_finds_nothing_that_is_real(self):
        session = self.contained(stub(b"tool"))
        session.delete()
        status, _, err = self.run_in(session, ["/bin/sh", "-c", "ls; other; tool"])
        self.assertEqual((status, err.count(b"not found")), (125, 2), err)

    def test_relative_entries_and_missing_directories_of_path(self):
        session = self.contained(path=b":.:/nonexistent:relative:" + os.fsencode(self.folder), allow=[b"other"])
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "other"])[1], b"real other\n")
        self.assert_passed(session)


class Absent(Installed):
    tools = ("tool", "other")

    def absent(self, *commands, contained=False, doubles=(), replay=True, **fields):
        session = self.session(*doubles, replay=False, contained=contained, **fields)
        session.absent(*commands)
        if replay:
            session.replay()
        return session

    def test_it_is_not_found_and_its_neighbours_are(self):
        for contained in (False, True):
            with self.subTest(contained=contained):
                session = self.absent(b"tool", contained=contained)
                for line in ("tool", "command -v tool", "env tool" if not contained else "tool"):
                    self.assertIn(self.run_in(session, ["/bin/sh", "-c", line])[0], (1, 127), line)
                if not contained:
                    self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "other; echo a | cat"])[1], b"real other\na\n")
                self.assert_passed(session)

    def test_only_the_directories_that_hold_it_are_mirrored(self):
        session = self.absent(b"tool")
        before, after = self.path.split(b":"), session.env[b"PATH"].split(b":")
        self.assertEqual(after[0], session.shims)
        self.assertEqual([new == old for old, new in zip(before, after[1:])], [False] + [True] * (len(before) - 1))

    def test_a_command_in_many_directories(self):
        session = self.absent(b"sh")
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "command -v sh"])[0], 127)
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "other"])[1], b"real other\n")

    def test_several_commands_one_after_the_other(self):
        self.script("second/other", "#!/bin/sh\necho second\n")
        self.script("second/third", "#!/bin/sh\necho third\n")
        session = self.absent(b"tool", replay=False, path=self.path + b":" + os.fsencode(self.folder) + b"/second")
        for commands in ([b"other"], [b"other", b"tool"]):
            session.absent(*commands)
        session.replay()
        for name, status in (("tool", 127), ("other", 127), ("third", 0)):
            self.assertEqual(self.run_in(session, ["/bin/sh", "-c", name])[0], status, name)
        self.assert_passed(session)

    def test_doubles_answer_beside_it(self):
        session = self.absent(b"tool", doubles=[mock(b"other", None, returns(b"mocked\n"))])
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "tool || other"])[1], b"mocked\n")
        self.assert_passed(session)

    def test_what_is_not_installed_is_absent_anyway(self):
        session = self.absent(b"cmdmox-nothing")
        self.assertEqual(session.env[b"PATH"], session.shims + b":" + self.path)
        self.assert_reason("BAD_STATE", session.declare, stub(b"cmdmox-nothing"))

    def test_mistakes(self):
        session = self.session(stub(b"tool"), replay=False)
        self.assertIn("has a double", self.assert_reason("BAD_STATE", session.absent, b"tool").message)
        self.assert_reason("BAD_COMMAND_NAME", session.absent, b"a/b")
        session.absent(b"other")
        self.assertIn("absent", self.assert_reason("BAD_STATE", session.declare, stub(b"other")).message)
        session.replay()
        self.assertIn("before replay", self.assert_reason("BAD_STATE", session.absent, b"ls").message)
        for entry in (b"", b".", b"relative/bin"):
            with self.subTest(entry=entry):
                session = self.session(replay=False, path=entry + b":" + self.path)
                self.assertIn("relative", self.assert_reason("BAD_STATE", session.absent, b"tool").message)

    def test_a_directory_that_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        os.chmod(self.folder, 0o311)
        self.addCleanup(os.chmod, self.folder, 0o755)
        session = self.session(replay=False)
        with self.assertRaises(cmdmox.Error) as caught:
            session.absent(b"tool")
        self.assertIn(self.folder, caught.exception.message)

    def test_a_mirror_that_is_changed_is_noticed(self):
        def bring_back(mirror):
            os.symlink("/bin/ls", os.path.join(mirror, b"tool"))

        def move_away(mirror):
            os.rename(mirror, mirror + b"1")

        def open_to_all(mirror):
            os.chmod(mirror, 0o777)

        for change in (bring_back, move_away, open_to_all):
            with self.subTest(change.__name__):
                session = self.absent(b"tool")
                change(session.env[b"PATH"].split(b":")[1])
                report = session.verify()
                self.assertEqual([finding.kind for finding in report.findings], [control_pb2.FINDING_KIND_SHIMS_CHANGED])

    def test_a_late_child_finds_the_others_still(self):
        session = self.absent(b"tool")
        session.delete()
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "other; tool"])[:2], (127, b"real other\n"))


if __name__ == "__main__":
    unittest.main()
