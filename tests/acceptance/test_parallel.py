"""Calls in parallel, sessions in parallel, clients in parallel: nobody meets anybody else."""

import subprocess
import threading
import unittest

from support import DEADLINE, PROGRAM, Case, Listening, cmdmox, until
from cmdmox_client import LinkClosed
from cmdmox_doubles import ANY, capture_stdin, mock, returns, stub, times


class Calls(Case):
    def test_sixty_four_at_once(self):
        many = 64
        doubles = [mock(b"cmd", [b"%d" % i], returns(b"out %d" % i, b"err %d" % i, i, gate="all")) for i in range(many)]
        session = self.session(*doubles)
        children = [self.start_in(session, ["cmd", str(i)]) for i in range(many)]
        until(lambda: session.count() == many, "all calls")
        self.assertTrue(all(child.poll() is None for child in children))
        self.assertEqual(session.release("all"), many)
        for i, child in enumerate(children):
            self.assertEqual(self.finish(child), (i, b"out %d" % i, b"err %d" % i))
        self.assert_passed(session)
        calls = session.invocations()
        self.assertEqual([call.invocation_id for call in calls], list(range(1, many + 1)))
        self.assertEqual({call.pid: call.exit_code for call in calls},
                         {child.pid: child.returncode for child in children})

    def test_the_last_place_is_given_once(self):
        session = self.session(mock(b"cmd", None, times(10, 10)))
        children = [self.start_in(session, ["cmd"]) for _ in range(30)]
        statuses = sorted(self.finish(child)[0] for child in children)
        self.assertEqual(statuses, [0] * 10 + [125] * 20)
        (excess,) = session.verify().findings
        self.assertEqual(excess.calls, 20)
        self.assertEqual(len(set(excess.invocation_ids)), 20)

    def test_streams_of_parallel_calls_do_not_mix(self):
        session = self.session(*(stub(b"cmd", [b"%d" % i], returns(b"%d" % i * 300_000), capture_stdin())
                                 for i in range(8)))
        children = [self.start_in(session, ["sh", "-c", f"yes {i} | head -c 300000 | cmd {i}"]) for i in range(8)]
        for i, child in enumerate(children):
            self.assertEqual(self.finish(child), (0, b"%d" % i * 300_000, b""))
        for call in session.invocations():
            self.assertEqual(call.stdin_capture.data, call.argv[1] + (b"\n" + call.argv[1]) * 149_999 + b"\n")

    def test_requests_of_many_threads(self):
        wrong = []

        def ping(number):
            for i in range(50):
                text = b"%d %d" % (number, i)
                if self.client.Ping(payload=text).payload != text:
                    wrong.append(text)

        threads = [threading.Thread(target=ping, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class Sessions(Case):
    def test_two_sessions_with_the_same_command(self):
        sessions = [self.session(mock(b"cmd", [ANY], returns(name), times(16, 16))) for name in (b"one", b"two")]
        children = [(session, self.start_in(session, ["cmd", str(i)])) for i in range(16) for session in sessions]
        for session, child in children:
            self.assertEqual(self.finish(child), (0, b"one" if session is sessions[0] else b"two", b""))
        for session in sessions:
            self.assert_passed(session)
            pids = {child.pid for owner, child in children if owner is session}
            self.assertEqual({call.pid for call in session.invocations()}, pids)

    def test_one_ends_and_the_other_goes_on(self):
        first, second = (self.session(mock(b"cmd", None, returns(b"ok", gate="g"))) for _ in range(2))
        children = [self.start_in(session, ["cmd"]) for session in (first, second)]
        until(lambda: first.count() == second.count() == 1, "both calls")
        first.delete()
        self.assert_refused(self.finish(children[0]))
        self.assertEqual(second.release("g"), 1)
        self.assertEqual(self.finish(children[1]), (0, b"ok", b""))
        self.assert_passed(second)

    def test_a_hundred_sessions_of_one_server(self):
        for i in range(100):
            session = self.session(mock(b"cmd", None, returns(b"%d" % i)))
            if i % 10 == 0:
                self.assertEqual(self.run_in(session, ["cmd"])[1], b"%d" % i)
            session.delete()


class Clients(Listening):
    def test_two_clients_at_once(self):
        sessions = [self.session(mock(b"cmd", None, returns(name)), client=self.connect()) for name in (b"one", b"two")]
        for session, name in zip(sessions, (b"one", b"two")):
            self.assertEqual(self.run_in(session, ["cmd"]), (0, name, b""))
            self.assert_passed(session)
            self.assertEqual(len(session.invocations()), 1)

    def test_a_client_that_goes_takes_its_own_sessions_only(self):
        leaving, staying = self.connect(), self.connect()
        lost = [self.session(stub(b"cmd"), client=leaving) for _ in range(2)]
        kept = self.session(mock(b"cmd", None, returns(b"ok", gate="g")), client=staying)
        child = self.start_in(kept, ["cmd"])
        until(lambda: kept.count() == 1, "the call")
        self.disconnect(leaving)

        def is_gone(session):
            try:
                staying.GetCallCount(session_id=session.id)
            except cmdmox.Error as error:
                return error.reason == "NOT_FOUND"
            return False

        for session in lost:
            until(lambda: is_gone(session), "the end of the session")
            self.assert_refused(self.run_in(session, ["cmd"]))
        self.assertRaises(LinkClosed, leaving.Ping)
        kept.release("g")
        self.assertEqual(self.finish(child), (0, b"ok", b""))
        self.assert_passed(kept)

    def test_an_address_is_taken_once(self):
        for address, reason in ((f"unix:{self.address}", self.address), ("tcp:127.0.0.1:1", "unix:PATH only"),
                                ("unix:", "address"), ("unix:/tmp/" + "x" * 120, "long")):
            done = subprocess.run([PROGRAM, "serve", "--listen", address], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stdout, b"")
            self.assertIn(reason, done.stderr.decode())
        self.connect().Ping()


if __name__ == "__main__":
    unittest.main()
