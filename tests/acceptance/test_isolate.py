"""`cmdmox isolate`: whoever calls a program by its absolute path meets the shim, and nobody else does."""

import os
import shutil
import signal
import subprocess
import sys
import unittest

from support import DEADLINE, PROGRAM, SHIM, until
from installed import Installed
from cmdmox_doubles import mock, passes, returns, stub

FOLDER = "CMDMOX_TEST_ISOLATED"  # tells class Inside where the programs are


class Isolated(Installed):
    tools = ("tool", "other")

    def setUp(self):
        super().setUp()
        self.tool, self.other = (os.path.join(self.folder, name) for name in self.tools)
        self.variables = {"CMOX_SHIM": SHIM, "CMOX_TMPDIR": self.place}
        status, _, err = self.outside(["true"])
        if b"does not let you make namespaces" in err:
            self.skipTest(err.decode())
        self.assertEqual(status, 0, err)

    def line(self, command, *programs):
        return [PROGRAM, "isolate", *(programs or (self.tool,)), "--", *command]

    def outside(self, command, *programs, **options):
        """Without a session."""
        done = subprocess.run(self.line(command, *programs), env={**os.environ, **self.variables}, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, **options)
        return done.returncode, done.stdout, done.stderr

    def inside(self, session, line, *programs):
        return self.run_in(session, self.line(["sh", "-c", line], *programs), env=self.variables)

    def test_an_absolute_path_meets_the_mock(self):
        session = self.session(mock(b"tool", [b"a", b"b c"], returns(b"mocked\n", b"", 5)))
        self.assertEqual(self.inside(session, f"{self.tool} a 'b c'"), (5, b"mocked\n", b""))
        self.assert_passed(session)
        [call] = session.invocations()
        self.assertEqual((call.command, call.argv[0]), (b"tool", os.fsencode(self.tool)))

    def test_an_unexpected_call_is_refused_there_too(self):
        session = self.session(stub(b"tool", [b"a"]))
        self.assertIn("unexpected call", self.assert_refused(self.inside(session, f"{self.tool} b")))
        self.assertFalse(session.verify().passed)

    def test_children_of_any_kind(self):
        session = self.session(stub(b"tool", None, returns(b"mocked\n")))
        done = self.inside(session, f"echo x | xargs {self.tool}; env {self.tool}; cd /; PATH=; {self.tool}")
        self.assertEqual(done[:2], (0, b"mocked\n" * 3), done)

    def test_a_path_that_was_reset(self):
        session = self.session(stub(b"tool", None, returns(b"mocked\n")))
        self.assertEqual(self.inside(session, f"PATH={self.folder}; tool")[:2], (0, b"mocked\n"))

    def test_several_programs(self):
        session = self.session(stub(b"tool", None, returns(b"one\n")), stub(b"other", None, returns(b"two\n")))
        done = self.inside(session, f"{self.tool}; {self.other}", self.tool, self.other)
        self.assertEqual(done[:2], (0, b"one\ntwo\n"))

    def test_what_is_not_named_is_real(self):
        session = self.session()
        self.assertEqual(self.inside(session, self.other)[:2], (0, b"real other\n"))

    def test_passing_through_finds_the_real_program(self):
        session = self.session(stub(b"tool", None, passes()))
        self.assertEqual(self.inside(session, f"{self.tool} a; tool b"), (0, b"real tool a\nreal tool b\n", b""))
        self.assert_passed(session)
        self.assertEqual(session.count(), 2)

    def test_the_first_of_a_name_is_passed_through_to(self):
        second = self.script("second/tool", "#!/bin/sh\necho second\n")
        session = self.session(stub(b"tool", None, passes()))
        done = self.inside(session, f"{self.tool}; {second}", self.tool, second)
        self.assertEqual(done[:2], (0, b"real tool\nreal tool\n"))

    def test_a_name_that_shells_cannot_hold(self):
        odd = self.script("g++-1.2", "#!/bin/sh\necho real odd\n")
        session = self.session(stub(b"g++-1.2", None, passes()))
        self.assertEqual(self.inside(session, f"sh -c {odd}", odd)[:2], (0, b"real odd\n"))

    def test_two_names_of_one_file(self):
        second = os.path.join(self.folder, "second")
        os.symlink("tool", second)
        session = self.session(stub(b"tool", None, passes()), stub(b"second", None, passes()))
        for programs in ((self.tool, second), (second, self.tool), (second,)):
            with self.subTest(programs=programs):
                done = self.inside(session, f"{self.tool} a; {second} b", *programs)
                self.assertEqual(done, (0, b"real tool a\nreal tool b\n", b""))

    def test_one_within_another(self):
        session = self.session(stub(b"tool", None, passes()), stub(b"other", None, passes()))
        for inner in ([self.tool], [self.other], [self.tool, self.other]):
            with self.subTest(inner=inner):
                words = self.line(["sh", "-c", f"{self.tool}; {self.other}"], *inner)
                done = self.run_in(session, self.line(words, self.tool, self.other), env=self.variables)
                self.assertEqual(done, (0, b"real tool\nreal other\n", b""))

    def test_one_within_another_by_a_name_that_only_the_inner_one_uses(self):
        """There the file is a shim, and no real one of that name is known."""
        alias = os.path.join(self.folder, "alias")
        os.symlink(self.tool, alias)
        session = self.session(stub(b"tool", None, passes()))
        status, out, err = self.run_in(session, self.line(self.line(["true"], alias), self.tool), env=self.variables)
        self.assertEqual((status, out), (3, b""))
        self.assertIn(f"{alias} is a shim already, of an isolation that does not have the real alias".encode(), err)

    def test_what_a_user_says_is_the_real_command_is(self):
        third = self.script("third", "#!/bin/sh\necho third\n")
        session = self.session(stub(b"tool", None, passes()))
        self.variables["CMOX_REAL_COMMAND_TOOL"] = third
        self.assertEqual(self.inside(session, self.tool)[:2], (0, b"third\n"))

    def test_a_command_that_the_session_does_not_name(self):
        session = self.session(stub(b"other"))
        self.assertIn("`cmdmox isolate` has made it a shim", self.assert_refused(self.inside(session, self.tool)))

    def test_a_shim_is_never_the_real_command(self):
        """Neither the engine, which is outside, nor the call knows the real one."""
        link = os.path.join(self.folder, "link/tool")
        os.makedirs(os.path.dirname(link))
        os.symlink(self.tool, link)
        for path in (self.folder, os.path.dirname(link)):
            with self.subTest(path=path):
                session = self.session(stub(b"tool", None, passes()), path=os.fsencode(path) + b":/usr/bin:/bin")
                told = self.assert_refused(self.inside(session, 'exec env -i PATH="$PATH" tool'))
                self.assertIn("the real command is this shim", told)
                self.assertFalse(session.verify().passed)

    def test_a_whole_suite(self):
        """The class Inside, in an isolation."""
        words = self.line([sys.executable, __file__, "-v", "Inside"], self.tool, self.other)
        done = subprocess.run(words, env={**os.environ, **self.variables, FOLDER: self.folder}, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("... ok", done.stderr)
        self.assertNotIn("skipped", done.stderr)

    def test_a_program_that_is_replaced_meanwhile(self):
        """As package managers do it: from outside, by a new file of that name."""
        child = subprocess.Popen(self.line(["sh", "-c", f"echo ready; read go; {self.tool}; exit 0"]),
                                 env={**os.environ, **self.variables}, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self._reap, child)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        os.rename(self.script("new", "#!/bin/sh\necho new\n"), self.tool)
        out, err = child.communicate(b"go\n", DEADLINE)
        self.assertEqual((out, child.returncode), (b"new\n", 125))
        self.assertIn(f"{self.tool} was replaced while the command ran".encode(), err)

    def test_without_a_session_nothing_runs(self):
        self.assertIn("no endpoint", self.assert_refused(self.outside([self.tool])))
        session = self.session(stub(b"tool"))
        self.assertIn("no endpoint", self.assert_refused(self.inside(session, f"env -i {self.tool}")))

    def test_outside_the_program_is_what_it_is(self):
        session = self.session(stub(b"tool", None, returns(b"mocked\n")))
        child = self.start_in(session, self.line(["sh", "-c", f"read go; {self.tool}"]), env=self.variables,
                              stdin=subprocess.PIPE)
        until(lambda: len(os.listdir(self.place)) > 1, "a directory of its own")
        self.assertEqual(subprocess.run([self.tool], check=True, capture_output=True).stdout, b"real tool\n")
        self.assertEqual(child.communicate(b"go\n", DEADLINE)[0], b"mocked\n")

    def test_the_status_is_that_of_the_command(self):
        for command, status in ((["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -USR1 $$"], 128 + signal.SIGUSR1),
                                (["cmdmox-nothing"], 127), (["/"], 126)):
            with self.subTest(command=command):
                self.assertEqual(self.outside(command)[0], status)

    def test_an_ignored_sigchld_takes_no_status_away_and_stays_ignored(self):
        ignore = lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # noqa: E731
        self.assertEqual(self.outside(["sh", "-c", "exit 7"], preexec_fn=ignore)[0], 7)
        line = self.outside(["grep", "SigIgn", "/proc/self/status"], preexec_fn=ignore)[1]
        self.assertTrue(int(line.split()[1], 16) >> (signal.SIGCHLD - 1) & 1)

    def test_the_user_is_the_same(self):
        words = ["sh", "-c", "id -u; id -g"]
        self.assertEqual(self.outside(words)[1], subprocess.run(words, check=True, capture_output=True).stdout)

    def test_signals_are_passed_on(self):
        line = self.line(["sh", "-c", "trap 'echo got; exit 3' TERM; echo ready; while :; do read x || sleep 0.01; done"])
        child = subprocess.Popen(line, env={**os.environ, **self.variables}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(self._reap, child)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        child.terminate()
        self.assertEqual((child.stdout.readline(), child.wait(DEADLINE)), (b"got\n", 3))

    def test_any_signal_that_is_sent_is_passed_on(self):
        script = ("import signal, sys\nmask = {int(sys.argv[1])}\nsignal.pthread_sigmask(signal.SIG_BLOCK, mask)\n"
                  "print('ready', flush=True)\nprint(signal.sigwait(mask))")
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPROF, signal.SIGVTALRM, signal.SIGIO, signal.SIGRTMIN + 3):
            with self.subTest(number=number):
                child = subprocess.Popen(self.line([sys.executable, "-c", script, str(int(number))]),
                                         env={**os.environ, **self.variables}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
                self.addCleanup(self._reap, child)
                self.assertEqual(child.stdout.readline(), b"ready\n")
                child.send_signal(number)
                self.assertEqual(child.wait(DEADLINE), 0)
                self.assertEqual(int(child.stdout.read().split(b".")[-1].strip() or 0), int(number))

    def test_it_stops_as_the_command_stops(self):
        child = subprocess.Popen(self.line(["sh", "-c", "kill -STOP $$; echo on"]), env={**os.environ, **self.variables},
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(self._reap, child)
        self.assertEqual(os.waitid(os.P_PID, child.pid, os.WSTOPPED).si_pid, child.pid)
        child.send_signal(signal.SIGCONT)
        self.assertEqual((child.stdout.read(), child.wait(DEADLINE)), (b"on\n", 0))

    def test_who_lives_on_keeps_the_real_programs(self):
        """What the command has left running."""
        late = f"sh -c 'read x <{self.folder}/go; exec $CMOX_ISOLATED/tool late >{self.folder}/out' >/dev/null 2>&1 & echo $!"
        for fifo in ("go", "out"):
            os.mkfifo(os.path.join(self.folder, fifo))
        status, process, _ = self.outside(["sh", "-c", late])
        self.assertEqual(status, 0)
        kept = [name for name in os.listdir(self.place) if os.path.exists(f"{self.place}/{name}/real")]
        self.assertEqual(len(kept), 1)
        self.assertEqual(self.outside(["true"])[0], 0)  # sweeps
        with open(os.path.join(self.folder, "go"), "w", encoding="utf-8") as go:
            go.write("go\n")
        with open(os.path.join(self.folder, "out"), encoding="utf-8") as out:
            self.assertEqual(out.read(), "real tool late\n")
        os.waitpid(int(process), 0)  # we are the reaper of orphans
        self.assertEqual(self.outside(["true"])[0], 0)
        self.assertFalse(os.path.exists(f"{self.place}/{kept[0]}"))

    def test_a_killed_one_takes_the_command_with_it_and_its_directory_is_swept(self):
        line = self.line(["sh", "-c", "echo $$; exec sleep 1000"])
        child = subprocess.Popen(line, env={**os.environ, **self.variables}, stdout=subprocess.PIPE)
        self.addCleanup(self._reap, child)
        command = int(child.stdout.readline())
        child.kill()
        child.wait(DEADLINE)
        os.waitpid(command, 0)  # we are the reaper of orphans
        self.assertNotEqual(os.listdir(self.place), [])
        self.assertEqual(self.outside(["true"])[0], 0)
        self.assertEqual([name for name in os.listdir(self.place) if os.path.exists(f"{self.place}/{name}/real")], [])

    def test_mistakes(self):
        plain = self.script("plain", "text", 0o644)
        self.script("beside/endpoint", "not ours\n", 0o644)
        self.script("above/endpoint", "not ours\n", 0o644)
        beside, above = (self.script(path, "#!/bin/sh\n") for path in ("beside/tool", "above/bin/tool"))
        table = [
            (["isolate", beside, "--", "true"], 3, "for that of its session"),
            (["isolate", above, "--", "true"], 3, "for that of its session"),
            (["isolate"], 2, "say which programs"),
            (["isolate", "--", "true"], 2, "say which programs"),
            (["isolate", self.tool], 2, "say which programs"),
            (["isolate", self.tool, "--"], 2, "say which command"),
            (["isolate", "tool", "--", "true"], 2, '"tool" is no absolute path'),
            (["isolate", self.folder + "/missing", "--", "true"], 3, "No such file"),
            (["isolate", plain, "--", "true"], 3, "it is no program"),
            (["isolate", self.folder, "--", "true"], 3, "it is no program"),
            (["isolate", "/bin/sh", "--", "true"], 3, "the same file as /bin/sh"),
        ]
        for words, status, told in table:
            with self.subTest(words=words):
                done = subprocess.run([PROGRAM, *words], env={**os.environ, **self.variables}, check=False,
                                      capture_output=True, timeout=DEADLINE)
                self.assertEqual(done.returncode, status, done)
                self.assertIn("cmdmox isolate: ", done.stderr.decode())
                self.assertIn(told, done.stderr.decode())

    def test_a_launcher_that_does_not_run(self):
        broken = self.script("broken", "#!/bin/sh\nexit 3\n")
        self.variables["CMOX_SHIM"] = broken
        status, out, err = self.outside(["echo", "it ran"])
        self.assertEqual((status, out), (3, b""), err)
        self.assertIn(broken.encode(), err)

    @unittest.skipUnless(shutil.which("setpriv") and shutil.which("unshare"), "util-linux")
    def test_where_namespaces_are_forbidden(self):
        limit = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all \"$@\""
        line = ["unshare", "-U", "--map-current-user", "--keep-caps", "sh", "-c", limit, "sh", *self.line(["echo", "it ran"])]
        done = subprocess.run(line, env={**os.environ, **self.variables}, check=False, capture_output=True, timeout=DEADLINE)
        self.assertEqual((done.returncode, done.stdout), (3, b""), done)
        self.assertIn(b"does not let you make namespaces", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "root becomes another user")
    def test_a_place_of_another_user_is_unsafe_there_too(self):
        """In a user namespace all users but one look the same."""
        mine, foreign = (os.path.join("/tmp", os.path.basename(self.folder) + name) for name in ("-mine", "-foreign"))
        for place, owner, mode in ((mine, 12345, 0o700), (foreign, 54321, 0o1777)):
            os.mkdir(place)
            self.addCleanup(shutil.rmtree, place)
            os.chown(place, owner, owner)
            os.chmod(place, mode)
        program, shim = (shutil.copy(path, self.folder) for path in (PROGRAM, SHIM))
        for place, status in ((mine, 0), (foreign, 3)):
            inner = ["env", f"CMOX_TMPDIR={place}", program, "isolate", self.other, "--", "true"]
            done = subprocess.run([program, "isolate", self.tool, "--", *inner],
                                  env={**os.environ, "CMOX_SHIM": shim, "CMOX_TMPDIR": mine}, check=False, user=12345,
                                  group=12345, extra_groups=[], capture_output=True, timeout=DEADLINE)
            if b"does not let you make namespaces" in done.stderr:
                self.skipTest(done.stderr.decode())
            self.assertEqual(done.returncode, status, done)
        self.assertIn(b"whose it is cannot be told", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "root becomes another user")
    def test_another_user(self):
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        os.chown(place, 65534, 65534)
        program, shim = (shutil.copy(path, self.folder) for path in (PROGRAM, SHIM))
        done = subprocess.run([program, "isolate", self.tool, "--", "sh", "-c", f"id -u; $CMOX_ISOLATED/tool; {self.tool}"],
                              env={**os.environ, "CMOX_SHIM": shim, "CMOX_TMPDIR": place}, check=False, user=65534,
                              group=65534, extra_groups=[], capture_output=True, timeout=DEADLINE)
        if b"does not let you make namespaces" in done.stderr:
            self.skipTest(done.stderr.decode())
        self.assertEqual((done.returncode, done.stdout), (125, b"65534\nreal tool\n"), done)
        self.assertEqual(os.listdir(place), [])


@unittest.skipUnless(FOLDER in os.environ, "runs in an isolation, from test_a_whole_suite")
class Inside(Installed):
    """The session and its engine are in the isolation, as those of a whole suite are."""

    server_env = {"CMOX_WATCH": "1"}

    def setUp(self):
        super().setUp()
        self.tool = os.path.join(os.environ[FOLDER], "tool")
        self.path = os.fsencode(os.environ[FOLDER]) + b":" + os.environb[b"PATH"]

    def test_a_mock(self):
        session = self.session(mock(b"tool", [b"a"], returns(b"mocked\n")))
        self.assertEqual(self.run_in(session, [self.tool, "a"]), (0, b"mocked\n", b""))
        self.assert_passed(session)

    def test_an_allowed_command_is_the_real_one(self):
        session = self.session(contained=True, replay=False)
        session.allow(b"tool", b"sh")
        session.replay()
        self.assertEqual(self.run_in(session, ["/bin/sh", "-c", "tool a"]), (0, b"real tool a\n", b""))
        self.assert_passed(session)

    def test_passing_through_with_no_environment(self):
        session = self.session(stub(b"tool", None, passes()))
        done = self.run_in(session, ["sh", "-c", 'tool a; env -i PATH="$PATH" tool b'])
        self.assertEqual(done, (0, b"real tool a\nreal tool b\n", b""))
        self.assert_passed(session)

    def test_an_isolated_program_is_not_watched(self):
        session = self.session(mock(b"tool"))
        self.run_in(session, ["cat", self.tool])
        self.assertEqual([hint for hint in self.hints(session) if "was opened while" in hint], [])


if __name__ == "__main__":
    unittest.main()
