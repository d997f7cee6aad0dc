"""The journal holds exactly what a command was given: arguments, environment, working directory, terminals."""

import os
import pty
import tempfile
import unittest

from raw import exec_raw
from support import Case
from cmdmox_doubles import mock, returns, stub

ODD = [b"", b"\n", b"a\nb", b"\xff\xfe\x80", b" ", b"\t", b"'\"\\$`*?", b"-", b"--", "\u00e9\u4e2d\U0001f600".encode(),
       b"\x01\x1b[31m\x7f", b"a=b", b"=", b"", b"\\x00\\0"]


class Exact(Case):
    def only_call(self, session):
        [call] = session.invocations()
        return call

    def path_of(self, session, command):
        return os.path.join(session.shims, command)

    def test_arguments(self):
        session = self.session(mock(b"cmd", ODD, returns(b"ok")))
        self.assertEqual(self.run_in(session, [b"cmd", *ODD]), (0, b"ok", b""))
        self.assertEqual(list(self.only_call(session).argv), [b"cmd", *ODD])

    def test_command_names(self):
        for name in (b"\xff", b"a b", b"-x", b"[", b"a\nb", b"x" * 255, "\u00e9".encode()):
            with self.subTest(name=name):
                session = self.session(stub(name, None, returns(b"ok")))
                self.assertEqual(self.run_in(session, [name]), (0, b"ok", b""))
                self.assertEqual(self.only_call(session).command, name)

    def test_argv0_is_kept_and_does_not_name_the_command(self):
        session = self.session(stub(b"cmd"))
        self.assertEqual(self.run_in(session, ["bash", "-c", "exec -a 'other name' cmd 1"])[0], 0)
        call = self.only_call(session)
        self.assertEqual((call.command, list(call.argv)), (b"cmd", [b"other name", b"1"]))

    def test_no_argv_at_all(self):
        session = self.session(stub(b"cmd"))
        self.assertEqual(exec_raw(self.path_of(session, b"cmd"), [], [b"A=1"]), 0)
        call = self.only_call(session)
        self.assertEqual(call.command, b"cmd")
        self.assertIn(list(call.argv), ([], [b""]))  # newer kernels put an empty argv[0] there

    def test_environment_entries_in_order_with_duplicates_and_without_equals_sign(self):
        session = self.session(stub(b"cmd"))
        entries = [b"A=1", b"A=2", b"no equals sign", b"", b"=", b"=x", b"NL=a\nb", b"BAD=\xff\xfe", b"EMPTY=",
                   b"A=1", b"B==="]
        self.assertEqual(exec_raw(self.path_of(session, b"cmd"), [b"cmd"], entries), 0)
        self.assertEqual(list(self.only_call(session).env_block), entries)

    def test_an_empty_environment(self):
        session = self.session(stub(b"cmd"))
        self.assertEqual(self.run_in(session, ["env", "-i", self.path_of(session, b"cmd")])[0], 0)
        self.assertEqual(list(self.only_call(session).env_block), [])

    def test_variables_of_cmdmox_are_left_out(self):
        session = self.session(stub(b"cmd"))
        self.run_in(session, ["cmd"], env={b"CMOX_IPC_TIMEOUT": b"9", b"CMOX": b"kept", b"XCMOX_A": b"kept"})
        names = {entry.split(b"=")[0] for entry in self.only_call(session).env_block}
        self.assertEqual({name for name in names if b"CMOX" in name}, {b"CMOX", b"XCMOX_A"})

    def test_the_longest_argument(self):
        longest = bytes(i % 255 + 1 for i in range(131_071))
        session = self.session(mock(b"cmd", [longest], returns(b"ok")))
        self.assertEqual(self.run_in(session, [b"cmd", longest]), (0, b"ok", b""))
        self.assertEqual(self.only_call(session).argv[1], longest)

    def test_two_mebibytes_of_arguments(self):
        # A stack of 8 MiB lets through a quarter of it, with a pointer for each argument.
        arguments = [b"%07d" % i * 128 for i in range(2 * 1024 - 80)]
        session = self.session(stub(b"cmd", arguments, returns(b"ok")))
        small = {**session.env}
        session.env = {name: small[name] for name in (b"PATH", b"CMOX_IPC_SOCKET")}
        self.assertEqual(self.run_in(session, [b"cmd", *arguments]), (0, b"ok", b""))
        self.assertEqual(list(self.only_call(session).argv), [b"cmd", *arguments])

    def test_forty_thousand_arguments(self):
        arguments = [b"%d" % i for i in range(40_000)]
        session = self.session(stub(b"cmd", None, returns(b"ok")))
        self.assertEqual(self.run_in(session, [b"cmd", *arguments]), (0, b"ok", b""))
        self.assertEqual(list(self.only_call(session).argv[1:]), arguments)

    def test_where_and_who(self):
        session = self.session(stub(b"cmd"))
        with tempfile.TemporaryDirectory() as top:
            place = os.path.join(os.path.realpath(os.fsencode(top)), b"a\n\xff b")
            os.mkdir(place)
            child = self.start_in(session, ["cmd"], cwd=place)
            self.assertEqual(self.finish(child)[0], 0)
        call = self.only_call(session)
        self.assertEqual((call.cwd, call.pid, call.ppid), (place, child.pid, os.getpid()))

    def test_terminals(self):
        session = self.session(stub(b"cmd"))
        master, slave = pty.openpty()
        self.run_in(session, ["cmd"])
        self.finish(self.start_in(session, ["cmd"], stdin=slave))
        self.run_in(session, ["sh", "-c", 'cmd 2>"$0"', os.ttyname(slave)])
        self.assertEqual([call.tty_mask for call in session.invocations()], [0, 1, 4])
        os.close(slave)
        os.close(master)

    def test_order_is_that_of_the_starts(self):
        session = self.session(stub(b"cmd"))
        for i in range(20):
            self.run_in(session, ["cmd", str(i)])
        calls = session.invocations(page_size=7)
        self.assertEqual([(call.invocation_id, call.argv[1]) for call in calls],
                         [(i + 1, b"%d" % i) for i in range(20)])
        starts = [call.start_ns for call in calls]
        self.assertEqual(starts, sorted(starts))
        self.assertTrue(all(call.start_ns < call.end_ns for call in calls))


if __name__ == "__main__":
    unittest.main()
