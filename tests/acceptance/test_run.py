#!/usr/bin/env python3
"""cmdmox run and cmdmox trace: flags and files, where the report goes, what the status says, signals and time."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from xml.dom import minidom

import support
from leftovers import Watched
from support import DEADLINE, PROGRAM, SHIM, until


class Run(Watched):
    """Each test has a directory of its own, which is also where shims are made."""

    def setUp(self):
        self.home = os.path.realpath(tempfile.mkdtemp(dir=self.place))
        self.addCleanup(shutil.rmtree, self.home)
        self.env = {**os.environ, "CMOX_SHIM": SHIM, "CMOX_TMPDIR": self.place, "TERM": "dumb"}
        for name in ("CMOX_REPORT", "CMOX_IPC_SOCKET"):
            self.env.pop(name, None)

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def script(self, text):
        return self.file("script", "#!/bin/sh\n" + text, 0o755)

    def read(self, name):
        with open(os.path.join(self.home, name), encoding="utf-8") as file:
            return file.read()

    def cmdmox(self, *words, input=b""):
        done = subprocess.run([PROGRAM, *words], cwd=self.home, env=self.env, input=input, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def start(self, *words, **options):
        child = subprocess.Popen([PROGRAM, *words], cwd=self.home, env=self.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(support.Case._reap, child)
        return child


class Status(Run):
    def test_it_is_the_commands(self):
        for line, status in (("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)):
            self.assertEqual(self.cmdmox("run", "sh", "-c", line), (status, "", ""))

    def test_a_mock_that_is_not_called_makes_it_1(self):
        status, _, err = self.cmdmox("run", "--mock", "git push", "--", "sh", "-c", "exit 7")
        self.assertEqual(status, 1)
        self.assertIn("never called: mock git push, expected exactly 1 call", err)
        self.assertTrue(err.endswith("cmdmox run: the command ended with status 7\n"), err)

    def test_what_cannot_be_run(self):
        status, _, err = self.cmdmox("run", "--mock", "git", "--", "no-such-command")
        self.assertEqual((status, err), (127, "cmdmox run: no-such-command: No such file or directory\n"))
        self.file("plain", "")
        status, _, err = self.cmdmox("run", "./plain")
        self.assertEqual((status, err), (126, "cmdmox run: ./plain: Permission denied\n"))

    def test_a_script_without_a_first_line_runs_in_sh(self):
        self.file("bare", "exit 9\n", 0o755)
        self.assertEqual(self.cmdmox("run", "./bare")[0], 9)

    def test_time_that_is_up(self):
        status, _, err = self.cmdmox("run", "--timeout", "0.2", "--mock", "git", "--", "sleep", "100")
        self.assertEqual(status, 5)
        self.assertTrue(err.startswith("cmdmox run: the command took longer than 0.2 s, and was ended\n"), err)
        self.assertIn("never called: mock git", err)

    def test_time_that_is_up_for_all_that_it_started(self):
        """Also for what is in the background, in a session of its own, or does not heed TERM: nobody holds the pipe then."""
        for line in ("sleep 1000; :", "sleep 1000 & exit 0 & sleep 1000", "setsid sleep 1000 & sleep 1000; :",
                     "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep 1000"):
            status, _, err = self.cmdmox("run", "--timeout", "0.2", "--", "sh", "-c", line)
            self.assertEqual((status, err), (5, "cmdmox run: the command took longer than 0.2 s, and was ended\n"), line)

    def test_time_is_up_for_nobody_else(self):
        """A shell's background work is a child of what the shell becomes."""
        status, out, _ = self.cmdmox("run", "sh", "-c", 'sleep 1000 >&- 2>&- & echo $!; sleep 0.1; exec "$@"', "sh", PROGRAM,
                                     "run", "--timeout", "0.2", "sleep", "1000")
        self.assertEqual(status, 5)
        os.kill(int(out), signal.SIGKILL)
        os.waitpid(int(out), 0)
        self.leaves("files", "the shim directory stays while somebody is in it")

    def test_words_that_make_no_sense(self):
        for words, said in (((), "say which command is to run"),
                            (("--exit", "1", "true"), "--exit is about a double: put it behind --mock, --stub or --spy"),
                            (("--mock", "git 'push", "true"), "--mock git 'push: a single quote is open at its end"),
                            (("--mock", 'git "push', "true"), '--mock git "push: a double quote is open at its end'),
                            (("--mock", "git \\", "true"), "--mock git \\: a backslash is its last character"),
                            (("--mock", "  ", "true"), "say which command is meant"),
                            (("--mock", "a", "--exit", "256", "true"), "--exit 256: it must be a whole number from 0 to 255"),
                            (("--mock", "a", "--exit", "1", "--signal", "TERM", "true"), "--exit and --signal exclude each other"),
                            (("--mock", "a", "--times", "1", "--times", "2", "true"), "--times is given twice for one double"),
                            (("--mock", "a", "--at-least", "3", "--at-most", "2", "true"), "--at-least is more than --at-most"),
                            (("--mock", "a b", "--no-args", "true"), "--no-args, and yet there are arguments"),
                            (("--mock", "a", "--env", "NAME", "true"), "--env NAME: write NAME=VALUE"),
                            (("--mock", "a", "--signal", "x y", "true"), "--signal x y: write a name such as TERM"),
                            (("--timeout", "soon", "true"), "--timeout soon: write seconds")):
            status, out, err = self.cmdmox("run", *words)
            self.assertEqual((status, out), (2, ""), err)
            self.assertIn(said, err)

    def test_nothing_runs_when_a_double_is_refused(self):
        status, _, err = self.cmdmox("run", "--mock", "git", "--regex", "--arg", "(", "--", "touch", "made")
        self.assertEqual(status, 2)
        self.assertIn("the double of git: invalid regular expression", err)
        self.assertEqual(os.listdir(self.home), [])


class Flags(Run):
    def assert_fine(self, flags, line, out="", input=b""):
        self.assertEqual(self.cmdmox("run", *flags, "--", "sh", "-c", line, input=input), (0, out, ""))

    def assert_wrong(self, flags, line):
        self.assertEqual(self.cmdmox("run", *flags, "--", "sh", "-c", line)[0], 1)

    def test_words_are_split_as_a_shell_does(self):
        double = r"""git 'a b' "c \"d\" \e" f\ g "" $HOME *"""
        self.assert_fine(("--mock", double), r"""git 'a b' 'c "d" \e' 'f g' '' '$HOME' '*'""")

    def test_the_command_alone_takes_any_arguments(self):
        self.assert_fine(("--mock", "git", "--times", "2"), "git; git push")
        self.assert_wrong(("--mock", "git", "--no-args"), "git push")
        self.assert_fine(("--mock", "git", "--no-args"), "git")
        self.assert_wrong(("--mock", "git push"), "git push origin")
        self.assert_fine(("--mock", "git push", "--args-any", "--times", "2"), "git push; git push origin")
        self.assert_wrong(("--mock", "git push", "--args-any"), "git pull")

    def test_more_arguments_and_patterns(self):
        self.assert_fine(("--mock", "git", "--arg", "-v", "--arg", ""), "git -v ''")
        self.assert_fine(("--mock", "git add *.c", "--glob"), "git add x.c")
        self.assert_wrong(("--mock", "git add *.c", "--glob"), "git add x.h")
        self.assert_fine(("--mock", "git ^v[0-9]", "--regex", "--args-any"), "git v1.2 more")
        self.assert_wrong(("--mock", "git ^v[0-9]$", "--regex"), "git v10")

    def test_what_it_answers(self):
        self.assert_fine(("--stub", "git", "--out", "one"), "git; git", "one\none\n")
        self.assert_fine(("--stub", "git", "--out", "one\n", "--err", ""), "git", "one\n")
        self.file("bytes", "no newline")
        self.assert_fine(("--stub", "git", "--out-file", "bytes"), "git", "no newline")
        self.assert_fine(("--stub", "git", "--exit", "3", "--err", "sorry"), "git 2>&1; echo $?", "sorry\n3\n")
        self.assert_fine(("--stub", "git", "--signal", "TERM"), "(git; exit $?) 2>/dev/null; echo $?", "143\n")
        self.assert_fine(("--stub", "git", "--delay", "1", "--out", "late"), "git", "late\n")

    def test_turns_of_one_command(self):
        self.assert_fine(("--mock", "curl", "--exit", "7", "--mock", "curl", "--out", "done"), "curl || curl", "done\n")

    def test_stdin(self):
        self.assert_fine(("--mock", "mail", "--stdin", "hello"), "echo hello | mail")
        self.assert_wrong(("--mock", "mail", "--stdin", "hello"), "echo other | mail")
        self.assert_fine(("--stub", "mail", "--capture-stdin"), "mail; cat", "", b"text")
        self.assert_fine(("--stub", "mail"), "mail; cat", "text", b"text")

    def test_the_context(self):
        self.assert_fine(("--mock", "git", "--env", "A=b", "--env", "C=", "--cwd", "/"), "cd /; A=b C= git")
        self.assert_wrong(("--mock", "git", "--env", "A=b"), "A=c git")
        self.assert_wrong(("--mock", "git", "--cwd", "/"), "cd /tmp; git")

    def test_counts(self):
        for flag, wrong, fine in ((("--times", "2"), 1, 2), (("--never",), 1, 0), (("--at-least", "2"), 1, 3),
                                  (("--at-most", "1"), 2, 0), (("--any-times",), None, 5)):
            self.assert_fine(("--mock", "git", *flag), "git;" * fine + "true")
            if wrong is not None:
                self.assert_wrong(("--mock", "git", *flag), "git;" * wrong + "true")

    def test_order(self):
        flags = ("--mock", "a", "--in-order", "--mock", "free", "--mock", "b", "--in-order")
        self.assert_fine(flags, "free; a; b")
        self.assert_wrong(flags, "b; a; free")

    def test_the_real_command(self):
        self.assert_fine(("--spy", "printf x", "--passthrough"), "env printf x", "x")
        self.assert_fine(("--register", "uname", "--default-passthrough"), "uname >/dev/null")

    def test_a_program_in_its_place(self):
        with open(os.path.join(self.home, "stand-in"), "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\necho "$0 $1 $COLOUR"; exec cat\n')
            os.chmod(file.name, 0o755)
        for more in ((), ("--uncaptured",)):
            self.assert_fine(("--mock", "git push", "--program", "stand-in", *more), "cd /; echo in | COLOUR=red git push",
                             f"{self.home}/stand-in push red\nin\n")
        self.assert_fine(("--spy", "printf x", "--passthrough", "--uncaptured"), "env printf x", "x")

    def test_stdin_of_a_file_and_stdin_that_is_drained(self):
        with open(os.path.join(self.home, "expected"), "wb") as file:
            file.write(b"no\0newline")
        flags = ("--mock", "tool", "--stdin-file", "expected", "--out", "fine")
        self.assert_fine(flags, "printf 'no\\0newline' | tool", "fine\n")
        self.assert_wrong(flags, "printf 'no\\0newline\\n' | tool")
        # More than a pipe holds: whoever does not read it ends the writer.
        self.assert_fine(("--mock", "tool", "--drain-stdin"), "exec 3>&1; { head -c 200000 /dev/zero && echo written >&3; } | tool", "written\n")

    def test_what_a_program_goes_with(self):
        for flags, says in ((("--uncaptured",), "--uncaptured goes with --passthrough or --program"),
                            (("--program", ""), "say which file is to run"),
                            (("--program", "a", "--passthrough"), "--program and --passthrough exclude each other"),
                            (("--out", "a", "--program", "a"), "--out and --program exclude each other")):
            status, _, err = self.cmdmox("run", "--mock", "git", *flags, "--", "true")
            self.assertEqual(status, 2)
            self.assertIn(says, err)

    def test_containment(self):
        self.assert_wrong(("--contained",), "cat /dev/null")
        self.assert_fine(("--contained", "--allow", "cat"), "cat /dev/null")
        self.assert_wrong(("--register", "cat"), "cat /dev/null")
        self.assert_fine(("--absent", "cat"), "cat /dev/null 2>/dev/null; echo $?", "127\n")

    def test_the_command_itself_may_be_a_double(self):
        self.assertEqual(self.cmdmox("run", "--mock", "git", "--out", "mocked", "--", "git"), (0, "mocked\n", ""))

    def test_options_of_the_command_are_its_own(self):
        self.assertEqual(self.cmdmox("run", "printf", "%s", "--mock"), (0, "--mock", ""))


class Files(Run):
    def test_flags_and_file_are_the_same(self):
        flags = ("--mock", "git push", "--regex", "--args-any", "--exit", "2", "--err", "é", "--in-order", "--stub", "cat",
                 "--stdin", "x", "--contained", "--allow", "sed", "--absent", "jq", "--register", "rm",
                 "--default-passthrough", "--max-journal-entries", "5", "--label", "demo")
        status, printed, _ = self.cmdmox("run", *flags, "--print")
        self.assertEqual(status, 0)
        document = json.loads(printed)
        self.assertEqual(document["doubles"][0]["argv"], [{"regex": "push"}, {"rest": {"any": True}}])
        self.assertEqual(document["session"], {"label": "demo", "contained": True, "max_journal_entries": 5})
        self.file("doubles.json", printed)
        self.assertEqual(self.cmdmox("run", "-f", "doubles.json", "--print"), (0, printed, ""))

    def test_bytes_that_are_no_utf8(self):
        done = subprocess.run([PROGRAM, b"run", b"--mock", b"git \xff", b"--print"], env=self.env, stdout=subprocess.PIPE,
                              timeout=DEADLINE, check=True)
        self.assertEqual(json.loads(done.stdout)["doubles"][0]["argv"], [{"base64": "/w=="}])

    def test_reports_name_the_line_of_the_file(self):
        self.file("d.json", '{"doubles": [\n  {"kind": "stub", "command": "x"},\n\n  {"kind": "mock", "command": "git"}]}')
        status, _, err = self.cmdmox("run", "-f", "d.json", "true")
        self.assertEqual(status, 1)
        self.assertIn("never called: mock git (d.json:4)", err)

    def test_what_is_wrong_in_it(self):
        for text, said in (('{"doubles": [{"kind": "mokc"}]}', 'd.json:1:23: doubles[0].kind: there is no such value; did you mean "mock"?'),
                           ("{", "d.json:1:1: no valid JSON"),
                           ('{"doubles": [\n{"kind": "mock", "command": "a/b"}]}', "d.json:2: doubles[0]: "),
                           ('{"doubles": [{"kind": "mock", "command": "a", "after": [1]}]}', "d.json:1: doubles[0]: after: ")):
            self.file("d.json", text)
            status, out, err = self.cmdmox("run", "-f", "d.json", "touch", "made")
            self.assertEqual((status, out), (3, ""), err)
            self.assertIn("cmdmox run: " + said, err)
        status, _, err = self.cmdmox("run", "-f", "none.json", "touch", "made")
        self.assertEqual((status, err), (3, "cmdmox run: none.json: No such file or directory\n"))
        self.assertEqual(os.listdir(self.home), ["d.json"])

    def test_what_else_of_it_is_refused(self):
        for text, said in (('{"register": ["fine",\n"a/b"]}', "2: register[1]: "), ('{\n"allow": ["a/b"]}', "2: allow[0]: "),
                           ('{"absent": [\n\n"a/b"]}', "3: absent[0]: "),
                           ('{\n"default_action": {"reply": {"signal": "NOPE"}}}', "2: default_action: "),
                           ('{\n\n"session": {"max_journal_entries": 0}}', "3: session: max_journal_entries: ")):
            self.file("d.json", text)
            status, out, err = self.cmdmox("run", "-f", "d.json", "--register", "x", "touch", "made")
            self.assertEqual((status, out), (3, ""), err)
            self.assertIn("cmdmox run: d.json:" + said, err)
        self.assertEqual(self.cmdmox("run", "--register", "a/b", "touch", "made")[0], 2)
        self.assertEqual(os.listdir(self.home), ["d.json"])

    def test_flags_continue_the_sequence_of_the_file(self):
        _, printed, _ = self.cmdmox("run", "--mock", "a", "--in-order", "--mock", "b", "--in-order", "--print")
        self.file("d.json", printed)
        words = ("run", "-f", "d.json", "--mock", "c", "--in-order", "--mock", "d", "--in-order")
        self.assertEqual(self.cmdmox(*words, "--", "sh", "-c", "a; b; c; d"), (0, "", ""))
        self.assertEqual(self.cmdmox(*words, "--", "sh", "-c", "c; a; b; d")[0], 1)
        doubles = json.loads(self.cmdmox(*words, "--print")[1])["doubles"]
        self.assertEqual([double["sequences"][0]["position"] for double in doubles], [1, 2, 3, 4])

    def test_a_double_after_another(self):
        self.file("d.json", '{"doubles": [{"kind": "mock", "command": "a"}, {"kind": "mock", "command": "b", "after": [1]}]}')
        self.assertEqual(self.cmdmox("run", "-f", "d.json", "sh", "-c", "a; b")[0], 0)
        self.assertEqual(self.cmdmox("run", "-f", "d.json", "sh", "-c", "b; a")[0], 1)

    def test_a_file_on_stdin_leaves_none_for_the_command(self):
        document = b'{"doubles": [{"kind": "stub", "command": "git", "actions": [{"reply": {"stdout_data": "ok\\n"}}]}]}'
        self.assertEqual(self.cmdmox("run", "-f", "-", "sh", "-c", "git; cat", input=document), (0, "ok\n", ""))


class Reports(Run):
    def test_they_are_written_in_any_case(self):
        for line, passed in (("git push", True), ("git pull", False)):
            words = ("--json", "r.json", "--junit", "r.xml", "--tap", "r.tap")
            status, _, _ = self.cmdmox("run", *words, "--mock", "git push", "--", "sh", "-c", line)
            self.assertEqual(status, 0 if passed else 1)
            report = json.loads(self.read("r.json"))
            self.assertEqual((report["test"], report["passed"]), ("sh", passed))
            suite = minidom.parseString(self.read("r.xml")).getElementsByTagName("testsuite")[0]
            self.assertEqual(suite.getAttribute("failures"), "0" if passed else "1")
            self.assertIn("ok 1 - sh" if passed else "not ok 1 - sh", self.read("r.tap"))

    def test_on_stderr_in_place_of_the_text(self):
        status, _, err = self.cmdmox("run", "--json", "-", "--label", "demo", "--mock", "git", "--", "true")
        report = json.loads(err)
        self.assertEqual((status, report["test"], report["passed"]), (1, "demo", False))

    def test_quiet(self):
        self.assertEqual(self.cmdmox("run", "-q", "--mock", "git", "--", "sh", "-c", "exit 3"), (1, "", ""))

    def test_a_report_that_cannot_be_written(self):
        status, _, err = self.cmdmox("run", "--json", "/no/such/place", "true")
        self.assertEqual((status, err), (3, "cmdmox run: /no/such/place: No such file or directory\n"))

    def test_nothing_runs_when_a_report_cannot_be_written(self):
        for words in (("run", "--json"), ("run", "--junit"), ("run", "--tap"), ("trace", "-o")):
            for place, why in (("/no/such/place", "No such file or directory"), (self.home, "Is a directory")):
                status, _, err = self.cmdmox(*words, place, "touch", "made")
                self.assertEqual((status, err), (3, f"cmdmox {words[0]}: {place}: {why}\n"))
        self.assertEqual(os.listdir(self.home), [])

    def test_a_report_whose_file_is_replaced_meanwhile(self):
        status, _, _ = self.cmdmox("run", "--json", "r.json", "sh", "-c", "rm r.json")
        self.assertEqual((status, json.loads(self.read("r.json"))["passed"]), (0, True))
        status, _, err = self.cmdmox("run", "--json", "r.json", "sh", "-c", "rm r.json; mkdir r.json")
        self.assertEqual((status, err), (3, "cmdmox run: r.json: Is a directory\n"))

    def test_a_format_that_there_is_not(self):
        self.env["CMOX_REPORT"] = "jsn"
        status, _, err = self.cmdmox("run", "touch", "made")
        self.assertEqual((status, err), (3, 'cmdmox run: CMOX_REPORT is "jsn": write text, json, junit or tap\n'))
        self.assertEqual(os.listdir(self.home), [])


class Signals(Run):
    def test_those_that_are_sent_reach_the_command(self):
        self.script("trap 'echo caught; exit 4' USR1\ntouch ready\nwhile :; do sleep 0.01; done\n")
        child = self.start("run", "./script")
        until(lambda: os.path.exists(os.path.join(self.home, "ready")), "the trap")
        child.send_signal(signal.SIGUSR1)
        out, err = child.communicate(timeout=DEADLINE)
        self.assertEqual((child.returncode, out, err), (4, b"caught\n", b""))

    def test_the_command_dies_with_us(self):
        self.script("echo $$\nexec sleep 1000\n")
        child = self.start("run", "./script")
        pid = int(child.stdout.readline())
        child.kill()
        child.wait(DEADLINE)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -signal.SIGKILL)
        self.leaves("files", "the shim directory of a killed process is swept by the next one")

    def test_they_end_us_once_the_command_has_ended(self):
        """The report stays in a pipe that nobody reads."""
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        try:
            while os.write(theirs, b"x" * 4096):
                pass
        except BlockingIOError:
            os.set_blocking(theirs, True)
        child = subprocess.Popen([PROGRAM, "run", "--mock", "git", "--", "true"], cwd=self.home, env=self.env, stderr=theirs)
        self.addCleanup(support.Case._reap, child)
        self.addCleanup(os.close, ours)
        os.close(theirs)

        def has_ended():  # a signal may come while the command still runs, and is that one's
            child.send_signal(signal.SIGTERM)
            return child.poll() is not None
        until(has_ended, "the end")
        self.leaves("files", "what a signal ends removes no shim directory")

    def test_it_stops_and_goes_on_with_the_command(self):
        self.script("kill -STOP $$\nexit 6\n")
        child = self.start("run", "./script", start_new_session=True)
        support.wait_stopped(child.pid)
        child.send_signal(signal.SIGCONT)
        self.assertEqual(child.wait(DEADLINE), 6)

    def test_the_command_has_the_terminal(self):
        ours, theirs = pty.openpty()
        self.script("[ -t 0 ] && [ -t 1 ] && exit 5\n")
        child = subprocess.run([PROGRAM, "run", "./script"], cwd=self.home, env=self.env, stdin=theirs, stdout=theirs,
                               stderr=theirs, timeout=DEADLINE, check=False)
        os.close(ours)
        os.close(theirs)
        self.assertEqual(child.returncode, 5)

    def test_what_goes_on_behind_it_meets_a_shim(self):
        """The command is over, and what it has left behind calls the double: that never opens."""
        self.script("(until [ -e go ]; do sleep 0.01; done; git; echo $? >status) >/dev/null 2>&1 &\n")
        self.assertEqual(self.cmdmox("run", "--stub", "git", "./script")[0], 0)
        self.file("go", "")
        until(lambda: os.path.exists(os.path.join(self.home, "status")) and self.read("status"), "the late call")
        self.assertIn(self.read("status"), ("125\n", "127\n"))
        os.wait()  # it has become our child
        self.leaves("files", "the shim directory stays while somebody is in it")


class Trace(Run):
    ROW = re.compile(r" *(\d+) +[\d.]+ +[\d.]+ +(\S+)  (.*)")

    def rows(self, err):
        return [found.groups() for found in map(self.ROW.fullmatch, err.split("\n")) if found]

    def test_calls_in_their_order(self):
        self.script('env true\nexpr 1 \'>\' 2\nsh -c "kill -TERM \\$\\$"\nenv printf "%s" "a b"\nexit 3\n')
        status, out, err = self.cmdmox("trace", "./script")
        self.assertEqual((status, out), (3, "0\na b"))
        self.assertEqual([row[1:] for row in self.rows(err)],
                         [("0", "env true"), ("0", "true"), ("1", "expr 1 '>' 2"), ("SIGTERM", "sh -c 'kill -TERM $$'"),
                          ("0", "env printf %s 'a b'"), ("0", "printf %s 'a b'")])

    def test_only_some_into_a_file(self):
        status, out, err = self.cmdmox("trace", "-o", "calls", "--only", "expr", "--only", "cat", "sh", "-c",
                                       "expr 1 >/dev/null; env true; cat", input=b"text")
        self.assertEqual((status, out, err), (0, "text", ""))
        self.assertEqual([row[2] for row in self.rows(self.read("calls"))], ["expr 1", "cat"])

    def test_json_without_secrets(self):
        secret = "s3cr" + "etvalue"
        status, _, err = self.cmdmox("trace", "--json", "sh", "-c", f"env TOKEN={secret} true --token={secret}")
        self.assertEqual(status, 0)
        self.assertNotIn(secret, err)
        calls = json.loads(err)["invocations"]
        self.assertEqual([call["command"] for call in calls], ["env", "true"])
        self.assertEqual(calls[1]["argv"], ["true", "--token=***"])
        self.assertEqual(calls[1]["exit_code"], 0)
        self.assertLessEqual(calls[0]["start_ns"], calls[1]["start_ns"])
        self.assertNotIn("env_block", calls[0])

    def test_what_the_script_leaves_in_the_background(self):
        self.script("(until [ -e go ]; do sleep 0.01; done; expr 1 + 1; cat) <end >out 2>&1 &\n")
        self.file("end", "")
        child = self.start("trace", "--only", "expr", "./script")
        line = child.stderr.readline().decode()
        self.assertRegex(line, r"^cmdmox trace: waiting for \d+ process(es)? that the command has left running; Ctrl-C ends ")
        self.file("go", "")
        _, err = child.communicate(timeout=DEADLINE)
        self.assertEqual([row[1:] for row in self.rows(err.decode())], [("0", "expr 1 + 1")])
        self.assertEqual((child.returncode, self.read("out")), (0, "2\n"))

    def test_a_signal_ends_what_the_script_leaves(self):
        self.script("sleep 1000 &\n")
        child = self.start("trace", "./script")
        self.assertIn("waiting for", child.stderr.readline().decode())
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=DEADLINE)
        self.assertEqual([row[1:] for row in self.rows(err.decode())], [("SIGTERM", "sleep 1000")])

    def test_daemons_are_not_waited_for(self):
        self.script("setsid sh -c '/bin/sleep 1000 & echo $! >pid' >/dev/null 2>&1 </dev/null\n")
        self.assertEqual(self.cmdmox("trace", "./script")[0], 0)
        os.kill(int(self.read("pid")), signal.SIGKILL)
        os.waitpid(int(self.read("pid")), 0)
        self.leaves("files", "the shim directory stays while somebody is in it")

    def test_nothing_is_called(self):
        self.assertEqual(self.cmdmox("trace", "sh", "-c", "exit 2"), (2, "", "no command was called by its name\n"))

    def test_streams_are_those_of_the_script(self):
        """A real command has the script's own descriptors, and a terminal where that has one."""
        ours, theirs = pty.openpty()
        child = subprocess.run([PROGRAM, "trace", "-o", "calls", "sh", "-c", "env test -t 1"], cwd=self.home, env=self.env,
                               stdin=theirs, stdout=theirs, stderr=theirs, timeout=DEADLINE, check=False)
        os.close(ours)
        os.close(theirs)
        self.assertEqual(child.returncode, 0)
        self.assertEqual([row[1] for row in self.rows(self.read("calls"))], ["0", "0"])

    def test_what_cannot_be_run(self):
        status, _, err = self.cmdmox("trace", "no-such-command")
        self.assertEqual((status, err), (127, "cmdmox trace: no-such-command: No such file or directory\n"))

    def test_large_journals_come_in_pages(self):
        self.script('i=0; while [ $i -lt 40 ]; do i=$((i+1)); env true "$(printf "%060000d" 0)"; done\n')
        status, _, err = self.cmdmox("trace", "--json", "--only", "true", "./script")
        self.assertEqual(status, 0)
        self.assertEqual(len(json.loads(err)["invocations"]), 40)


if __name__ == "__main__":
    unittest.main()
