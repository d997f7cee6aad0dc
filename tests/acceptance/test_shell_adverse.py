"""Shell sessions when something goes wrong: a dead server, a wrong id, many at once, a shell that forgets."""

import os
import shlex
import signal
import socket
import subprocess
import unittest

from leftovers import children
from shells import SHELLS, Shell
from support import DEADLINE, cmdmox, until
from cmdmox.v1 import control_pb2  # noqa: E402  pylint: disable=wrong-import-order

START = 'eval "$(cmdmox session start)"\n'
END = '\neval "$(cmdmox session end)"\n'
VERBS = ("mock git", "stub git", "spy git", "default --exit 1", "allow cat", "register git", "release gate", "calls", "journal",
         "verify", "env >/dev/null", "assert called git", "session end >/dev/null")


class Gone(Shell):
    """Every verb says that there is no session, with status 4: it fails closed."""

    def test_none_was_begun(self):
        for verb in VERBS:
            with self.subTest(verb):
                status, _, err = self.sh(f"cmdmox {verb}; exit $?")
                self.assertEqual(status, 4)
                self.assertIn(b"this shell has no session (CMOX_SESSION is not set): begin one with", err)

    def test_it_was_ended(self):
        for verb in VERBS:
            with self.subTest(verb):
                status, _, err = self.sh(START + f"cmdmox session end >/dev/null; cmdmox {verb}; exit $?")
                self.assertEqual(status, 4)
                self.assertIn(b"the session of this shell is over", err)

    def test_a_wrong_id(self):
        for verb in VERBS:
            with self.subTest(verb):
                status, _, err = self.sh(START + 'CMOX_SESSION="${CMOX_SESSION%????}0000"\n' + f"cmdmox {verb}; exit $?")
                self.assertEqual(status, 2 if verb.startswith("allow") else 4)
                self.assertIn(b"there is no such session", err)

    def test_what_is_no_session(self):
        for value in ("x", "unix:/tmp/x", "unix:/tmp/x#12", "#" + "0" * 32, "unix:/x#" + "g" * 32):
            with self.subTest(value):
                status, _, err = self.sh(f"CMOX_SESSION='{value}'; export CMOX_SESSION; cmdmox calls; exit $?")
                self.assertIn(status, (2, 4))
                self.assertTrue(err.startswith(b"cmdmox calls: "), err)

    def test_its_process_was_killed(self):
        self.leaves("files", "a killed session leaves its directory to the next one")
        child = self.start(START + "cmdmox stub git; echo ready; read line\n"
                           "git; echo $?; cmdmox calls; echo $?" + END + 'echo $?; echo "$(command -v git)"; printf "%s\n" "$PATH"',
                           stdin=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        [keeper] = until(lambda: [pid for pid, _, line in children() if line == "cmdmox session start"], "it")
        os.kill(keeper, signal.SIGKILL)
        status, out, err = self.finish(child, b"\n")
        lines = out.split(b"\n")
        self.assertEqual(lines[:3], [b"125", b"4", b"4"], err)
        self.assertEqual(lines[4], self.environment["PATH"].encode())  # which it gets back all the same
        self.assertEqual(status, 0)


class Start(Shell):
    def test_a_shell_whose_session_cannot_start_exits(self):
        for shell in SHELLS:
            with self.subTest(shell[0]):
                status, out, err = self.sh("CMOX_SHIM=/nonexistent\n" + START + "echo not reached", shell=shell)
                self.assertEqual((status, out), (3, b""))
                self.assertIn(b"cmdmox session start: CMOX_SHIM (or the engine's option) says /nonexistent", err)

    def test_nor_does_one_with_wrong_words_go_on(self):
        status, out, err = self.sh('eval "$(cmdmox session start --lable x)"; echo not reached')
        self.assertEqual((status, out), (2, b""))
        self.assertIn(b"did you mean --label?", err)

    def test_a_shell_at_which_somebody_types_goes_on(self):
        done = subprocess.run(["bash", "--norc", "-i"], input=b'eval "$(cmdmox session start --lable x)"\necho "status $?"\n',
                              env=self.environment, capture_output=True, timeout=DEADLINE, check=False)
        self.assertIn(b"status 2\n", done.stdout)

    def test_it_holds_no_descriptor_of_the_shell(self):
        """`cat` and the substitution end while the session lives."""
        self.in_each_shell('( eval "$(cmdmox session start)"; cmdmox env >' + self.place + "/e ) 3>&1 | cat\n"
                           'out=$( . ' + self.place + '/e; cmdmox stub --out x git; git )\necho "$out"\n'
                           ". " + self.place + "/e; rm " + self.place + "/e" + END, (0, b"x\n", b""))

    def test_a_signal_of_the_terminal_does_not_reach_it(self):
        child = self.start("trap : INT\n" + START + "cmdmox stub --out answered git; echo ready; read line; git",
                           stdin=subprocess.PIPE, start_new_session=True)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        os.killpg(child.pid, signal.SIGINT)
        self.assertEqual(self.finish(child, b"\n")[:2], (0, b"answered\n"))

    def test_the_end_of_another_process(self):
        other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        child = self.start(f'eval "$(cmdmox session start --parent {other.pid})"; cmdmox calls; echo ready; read line\n'
                           "cmdmox calls; echo $?", stdin=subprocess.PIPE)
        self.assertEqual([child.stdout.readline() for _ in range(2)], [b"0\n", b"ready\n"])
        [keeper] = [pid for pid, _, line in children() if line.startswith("cmdmox session start")]
        other.kill()
        other.wait()
        other.stdin.close()
        os.waitpid(keeper, 0)
        self.assertEqual(self.finish(child, b"\n")[:2], (0, b"4\n"))

    def test_idleness_ends_it(self):
        self.assertEqual(self.sh('eval "$(cmdmox session start --idle-timeout 0.1)"\n'
                                 'socket=${CMOX_SESSION#unix:}; while test -S "${socket%#*}"; do :; done; cmdmox calls; echo $?')[:2],
                         (0, b"4\n"))

    def test_after_idleness_the_shell_meets_no_real_command(self):
        """The shell itself: nothing else was started with the shims on its PATH."""
        script = ('eval "$(cmdmox session start --idle-timeout 0.1)"\ncmdmox stub uname\n'
                  'socket=${CMOX_SESSION#unix:}; while test -S "${socket%#*}"; do :; done; uname 2>/dev/null; echo $?')
        self.in_each_shell(script, (0, b"125\n", b""))

    def test_after_a_signal_it_meets_none_either(self):
        script = (START + "cmdmox stub uname; echo ready; read -r go\n"
                  'socket=${CMOX_SESSION#unix:}; while test -S "${socket%#*}"; do :; done; uname 2>/dev/null; echo $?')
        for shell in SHELLS:
            with self.subTest(shell[0]):
                child = self.start(script, shell=shell, stdin=subprocess.PIPE)
                self.assertEqual(child.stdout.readline(), b"ready\n")
                [keeper] = until(lambda: [pid for pid, _, line in children() if line == "cmdmox session start"], "it")
                os.kill(keeper, signal.SIGTERM)
                self.assertEqual(self.finish(child, b"go\n")[:2], (0, b"125\n"))

    def test_without_standard_streams(self):
        for closed in ("<&-", "2>&-", "<&- 2>&-"):
            with self.subTest(closed):
                self.assertEqual(self.sh(f"exec {closed}\n" + START + "cmdmox stub --out ours uname\nuname" + END)[:2],
                                 (0, b"ours\n"))

    def test_a_trap_finds_the_program_without_a_path(self):
        for shell in SHELLS:
            with self.subTest(shell[0]):
                status, _, err = self.sh('eval "$(cmdmox session start --trap)"\ncmdmox mock git\nPATH=/nowhere', shell=shell)
                self.assertEqual(status, 1)
                self.assertIn(b"never called: mock git", err)

    def test_a_trap_judges_each_session_of_the_shell_and_none_of_its_parent(self):
        start = 'eval "$(cmdmox session start --trap)"\n'
        for shell in SHELLS:
            with self.subTest(shell[0]):
                status, _, err = self.sh(start + "cmdmox mock git\n" + start + "cmdmox stub ls", shell=shell)
                self.assertEqual(status, 1)
                self.assertIn(b"never called: mock git", err)
                inner = shlex.quote(start + "cmdmox stub ls; ls")
                self.assertEqual(self.sh(START + f"cmdmox stub uname\n{shlex.join(shell)} -c {inner}; uname; cmdmox calls uname" + END,
                                         shell=shell), (0, b"1\n", b""))

    def test_a_trap_ends_it_and_fails_the_shell(self):
        start = 'eval "$(cmdmox session start --trap)"\n'
        for shell in SHELLS:
            with self.subTest(shell[0]):
                status, out, err = self.sh(start + "cmdmox mock git\necho done", shell=shell)
                self.assertEqual((status, out), (1, b"done\n"))
                self.assertIn(b"never called: mock git", err)
                self.assertEqual(self.sh(start + "cmdmox stub git\nexit 3", shell=shell), (3, b"", b""))
                self.assertEqual(self.sh(start + "cmdmox stub git" + END, shell=shell), (0, b"", b""))

    def test_a_shell_that_never_verifies_is_told_nothing(self):
        self.in_each_shell(START + "cmdmox mock git", (0, b"", b""))


class Many(Shell):
    def test_twenty_at_once(self):
        status, out, err = self.sh("set -e\n" + START + """
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cmdmox mock --out $i git $i & done; wait
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do git $i & done; wait
            cmdmox calls git; cmdmox verify""" + END)
        self.assertEqual((status, err), (0, b""))
        self.assertEqual(sorted(map(int, out.split())), sorted([*range(1, 21), 20]))

    def test_two_clients_of_one_session(self):
        self.in_each_shell(START + 'sh -c "cmdmox stub --out theirs git"; git; sh -c "cmdmox calls git"' + END,
                           (0, b"theirs\n1\n", b""))


class Newer(Shell):
    """A client of a newer minor version: fields that this server does not know are ignored."""

    def test_unknown_fields(self):
        child = self.start(START + 'echo "$CMOX_SESSION"; read line; git; cmdmox verify', stdin=subprocess.PIPE)
        address, session_id = child.stdout.readline().decode().strip().split("#")
        link = socket.socket(socket.AF_UNIX)
        link.connect(address.removeprefix("unix:"))
        client = cmdmox.Client(link.makefile("rb"), link.makefile("wb"))
        request = control_pb2.CreateDoublesRequest(session_id=bytes.fromhex(session_id))
        request.doubles.add(command=b"git", kind=2)
        unknown = b"\xf8\xff\xff\x01\x07"  # field 4194303, the number 7
        answer = client.request("cmdmox.v1.ControlService/CreateDoubles", request.SerializeToString() + unknown)
        self.assertEqual(list(control_pb2.CreateDoublesResponse.FromString(answer).double_ids), [1])
        link.shutdown(socket.SHUT_RDWR)
        client.close()
        link.close()
        self.assertEqual(self.finish(child, b"\n")[0], 0)


if __name__ == "__main__":
    unittest.main()
