"""Whoever starts a command, it reaches its shim, or the report says what is known of why it did not."""

import os
import shutil
import subprocess
import unittest

from installed import Installed
from cmdmox_doubles import mock, returns, stub

NOTHING_KNOWN = "no call of this command came at all"

# How code under test starts `tool a`; {shims} is the directory on PATH. The first word may be missing on this machine.
STARTS = [
    ["tool", "a"],
    ["sh", "-c", "tool a"],
    ["sh", "-c", "exec tool a"],
    ["sh", "-c", "t() { tool a; }; (t)"],
    ["sh", "-c", "echo $(tool a) | cat"],
    ["sh", "-c", "command tool a"],
    ["sh", "-c", "hash -r; tool a"],
    ["bash", "-c", "tool a"],
    ["bash", "--posix", "-c", "tool a"],
    ["dash", "-c", "tool a"],
    ["env", "-i", "PATH={path}", "sh", "-c", "tool a"],  # the endpoint is found beside the shim, without a variable
    ["env", "-i", "{shims}/tool", "a"],
    ["env", "-u", "CMOX_IPC_SOCKET", "tool", "a"],
    ["sh", "-c", "PATH=/nonexistent:$PATH; tool a"],
    ["sh", "-c", "PATH=$PATH:/nonexistent; export PATH; sh -c 'tool a'"],
    ["sh", "-c", "cd / && tool a"],
    ["sh", "-c", "echo a | xargs tool"],
    ["sh", "-c", "echo a | xargs -I@ sh -c 'tool @'"],
    ["find", "/dev/null", "-exec", "tool", "a", ";"],
    ["nohup", "tool", "a"],
    ["nice", "tool", "a"],
    ["timeout", "100", "tool", "a"],
    ["setsid", "-w", "tool", "a"],
    ["awk", "BEGIN { system(\"tool a\") }"],
    ["make", "-s", "-f", "{folder}/Makefile"],
    ["make", "-s", "-f", "{folder}/Makefile", "inner"],
    ["python3", "-c", "import subprocess; subprocess.run(['tool', 'a'], check=True)"],
    ["python3", "-c", "import subprocess; subprocess.run('tool a', shell=True, check=True)"],
    ["python3", "-c", "import os; os.execvp('tool', ['tool', 'a'])"],
    ["python3", "-c", "import os; os.posix_spawnp('tool', ['tool', 'a'], os.environ); os.wait()"],
    ["node", "-e", "require('child_process').execFileSync('tool', ['a'], {stdio: 'inherit'})"],
    ["node", "-e", "process.stdout.write(require('child_process').spawnSync('tool a', {shell: true}).stdout)"],
    ["perl", "-e", "system('tool', 'a')"],
    ["perl", "-e", "print `tool a`"],
]

# How it passes the shim of `tool` by, and what the session's other call tells of it. {other} is that call's shim.
PASSED_BY = [
    ("PATH={folder}:$PATH; export PATH; other; tool", "{folder}/tool before the shim:\n  PATH={folder}:{shims}:"),
    ("PATH={folder}/empty:{folder}:$PATH; export PATH; other; tool", "{folder}/tool before the shim:\n  PATH="),
    ("PATH={folder}; export PATH; {shims}/other; tool", "has a PATH without the shims:\n  PATH={folder}"),
    ("PATH={folder}; /usr/bin/env -i {shims}/other; tool", "the environment of other (call 1) has no PATH: it was cleared"),
    ("env -i PATH={folder} /bin/sh -c '{shims}/other; tool'", "has a PATH without the shims:\n  PATH={folder}"),
]

# How it passes the shim by without a trace in the session.
UNSEEN = [
    "{folder}/tool",
    "PATH={folder}; tool",
    "env -i {folder}/tool",
    "exec -a x {folder}/tool",
]


def known(command):
    return shutil.which(command[0]) or command[0] == "tool"


class Reaches(Installed):
    def setUp(self):
        super().setUp()
        self.script("Makefile", "outer:\n\ttool a\ninner:\n\t$(MAKE) -s -f $(firstword $(MAKEFILE_LIST)) outer\n")

    def words(self, session, command):
        for name, value in (("{shims}", session.shims), ("{path}", session.env[b"PATH"]), ("{folder}", self.folder)):
            command = [word.replace(name, os.fsdecode(value)) for word in command]
        return command

    def test_each_way_to_start_a_command(self):
        for command in filter(known, STARTS):
            with self.subTest(command=command):
                session = self.session(mock(b"tool", [b"a"], returns(b"mocked\n")))
                status, out, err = self.run_in(session, self.words(session, command))
                self.assertEqual((status, out), (0, b"mocked\n"), err)
                self.assert_passed(session)

    def test_the_environment_of_another_call_tells_why(self):
        os.mkdir(os.path.join(self.folder, "empty"))
        for line, told in PASSED_BY:
            with self.subTest(line=line):
                session = self.session(mock(b"tool"), stub(b"other"))
                line, told = self.words(session, [line, told])
                self.assertEqual(self.run_in(session, ["/bin/sh", "-c", line])[1], b"real tool\n")
                [hint] = self.hints(session)
                self.assertIn("the shim of tool was never reached, probably because\n", hint)
                self.assertIn(told, hint)
                self.assertIn(f"under `cmdmox isolate {self.folder}/tool -- ...` (Linux) it is the shim", hint)

    def test_nothing_is_claimed_of_a_path_that_leads_to_the_shim(self):
        for prefix in ("", "/nonexistent:", "{folder}/empty:", "relative:", "{shims}/:", "{shims}//:{folder}:"):
            with self.subTest(prefix=prefix):
                session = self.session(mock(b"tool"), stub(b"other"))
                [line] = self.words(session, ["PATH=" + prefix + "$PATH; : {folder}; other"])
                self.assertEqual(self.run_in(session, ["sh", "-c", line])[0], 0)
                [hint] = self.hints(session)
                self.assertTrue(hint.startswith(NOTHING_KNOWN), hint)

    def test_a_path_without_the_shims_that_finds_nothing(self):
        session = self.session(mock(b"tool"), stub(b"other"))
        [line] = self.words(session, ["PATH=/nonexistent {shims}/other; PATH=/nonexistent; tool"])
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", line])[0], 127)
        self.assertIn("has a PATH without the shims:\n  PATH=/nonexistent", *self.hints(session))

    def test_a_builtin_is_named(self):
        session = self.session(mock(b"printf"))
        self.assertEqual(self.run_in(session, ["sh", "-c", "printf x"])[1], b"x")
        [hint] = self.hints(session)
        self.assertIn("printf is built into shells", hint)

    def test_a_name_that_nothing_has(self):
        for command, told in ((b"gti", ";\nnothing on PATH is called gti: is it spelt so?"),
                              (b"git push", ";\nif git is meant with arguments: a double is of one command, "
                               "and its arguments are said by themselves")):
            with self.subTest(command):
                session = self.session(mock(command, None))
                self.assertIn(told, session.verify().findings[0].hint)

    def test_it_is_said_once_of_a_command(self):
        session = self.session(mock(b"tool", [b"a"]), mock(b"tool", [b"b"]), mock(b"other"))
        self.assertEqual(len(self.hints(session)), 2)

    def test_without_a_watch_nothing_is_said_of_real_programs(self):
        session = self.session(mock(b"tool"))
        self.run_in(session, [os.path.join(self.folder, "tool")])
        [hint] = self.hints(session)
        self.assertTrue(hint.startswith(NOTHING_KNOWN), hint)
        self.assertNotIn("was opened while", hint)
        self.assertIn(f"cmdmox isolate {self.folder}/tool -- ...", hint)


@unittest.skipUnless(os.uname().sysname == "Linux", "inotify")
class Watched(Installed):
    server_env = {"CMOX_WATCH": "1"}

    def told_opened(self, session):
        [hint] = self.hints(session)
        self.assertIn(f"{self.folder}/tool was opened while the test ran", hint)
        self.assertIn(f"under `cmdmox isolate {self.folder}/", hint)

    def test_the_real_program_was_opened(self):
        for line in UNSEEN:
            with self.subTest(line=line):
                session = self.session(mock(b"tool"))
                done = self.run_in(session, ["bash", "-c", line.format(folder=self.folder)])
                self.assertEqual(done[1], b"real tool\n", done)
                self.told_opened(session)

    def test_a_shell_that_remembers(self):
        session = self.session()
        shell = self.start_in(session, ["sh"], stdin=subprocess.PIPE)
        shell.stdin.write(b"tool\n")
        shell.stdin.flush()
        self.assertEqual(shell.stdout.readline(), b"real tool\n")
        session.declare(mock(b"tool"))
        shell.stdin.write(b"tool\n")
        shell.stdin.close()
        self.assertEqual(shell.stdout.readline(), b"real tool\n")
        shell.wait()
        self.told_opened(session)

    def test_a_login_shell(self):
        self.script(".profile", f"PATH={self.folder}:/usr/bin:/bin\n")
        session = self.session(mock(b"tool"))
        done = self.run_in(session, ["bash", "-l", "-c", "tool"], env={b"HOME": os.fsencode(self.folder)})
        self.assertEqual(done[1], b"real tool\n", done)
        self.told_opened(session)

    def test_nobody_opened_it(self):
        session = self.session(mock(b"tool"))
        self.run_in(session, ["sh", "-c", "command -v tool; test -x " + self.folder + "/tool"])
        [hint] = self.hints(session)
        self.assertIn(f"{self.folder}/tool was not opened while the test ran", hint)

    def test_what_was_opened_before_replay_does_not_count(self):
        session = self.session(mock(b"tool"), replay=False)
        self.run_in(session, [os.path.join(self.folder, "tool")])
        session.replay()
        [hint] = self.hints(session)
        self.assertIn("was not opened while the test ran", hint)

    def test_a_command_that_is_not_installed(self):
        session = self.session(mock(b"cmdmox-nothing"))
        [hint] = self.hints(session)
        self.assertTrue(hint.startswith(NOTHING_KNOWN), hint)
        self.assertIn("CMOX_WATCH could not tell", hint)
        self.assertNotIn("CMOX_WATCH=1", hint)
        self.assertNotIn("isolate", hint)

    def test_a_program_that_is_replaced_while_the_test_runs(self):
        tool = os.path.join(self.folder, "tool")
        for change in (lambda: os.rename(self.script("new", "#!/bin/sh\necho new\n"), tool),
                       lambda: (os.remove(tool), self.script("tool", "#!/bin/sh\necho new\n")),
                       lambda: (os.rename(tool, tool + ".old"), self.script("tool", "#!/bin/sh\necho new\n"))):
            with self.subTest(change=change):
                session = self.session(mock(b"tool"))
                change()
                self.assertEqual(self.run_in(session, [tool])[1], b"new\n")
                [hint] = self.hints(session)
                self.assertIn("CMOX_WATCH could not tell whether a real one was opened", hint)

    @unittest.skipIf(os.geteuid() == 0, "root may watch what it cannot read")
    def test_a_program_that_cannot_be_watched(self):
        self.script("tool", "", 0o111)
        [hint] = self.hints(self.session(mock(b"tool")))
        self.assertIn("CMOX_WATCH could not tell whether a real one was opened", hint)

    def test_two_programs_of_that_name(self):
        self.script("second/tool", "#!/bin/sh\necho real tool\n")
        session = self.session(mock(b"tool"), path=self.path.replace(b":", b"/second:%b:" % os.fsencode(self.folder), 1))
        self.run_in(session, [os.path.join(self.folder, "tool")])
        self.told_opened(session)


if __name__ == "__main__":
    unittest.main()
