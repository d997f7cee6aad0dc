"""What a shim may and may not say while it passes a call through: what is refused fails the test, with the reason."""

import unittest

from support import until
from cmdmox.v1 import control_pb2, shim_pb2
from cmdmox_doubles import mock, passes, returns, spy, stub
from test_passthrough import LOST, PENDING, SHIM, STDERR, STDIN, STDOUT, Passing


class Peers(Passing):
    """What a shim may not say ends its link, or its request; the server goes on."""

    def test_pieces_that_were_not_asked_for(self):
        table = {
            "stdin": (passes(), STDIN, b"x"),
            "outputs": (passes(capture_stdout=False, capture_stderr=False, capture_stdin=True), STDOUT, b"x"),
            "too much": (passes(capture_max_bytes=3), STDERR, b"four"),
        }
        for name, (how, stream, data) in table.items():
            with self.subTest(name):
                session = self.session(spy(b"git", None, how))
                peer = self.call(session)
                peer.told()
                peer.piece(stream, data)
                peer.client.thread.join(peer.client.timeout)
                self.assertEqual(peer.client.go_away.reason, "BAD_PAYLOAD")
                self.assertEqual(self.only_call(session).state, LOST)

    def refused(self, peer, **report):
        reason = "BAD_STATE" if "call_id" in report else "BAD_PAYLOAD"
        self.assert_reason(reason, peer.report, **report)

    def test_whatever_is_refused_fails_the_test(self):
        def again(peer):
            peer.ask("Invoke", peer.invoke, shim_pb2.InvokeResponse)

        def late(peer):
            peer.report(exit_code=0)
            peer.piece(STDOUT, b"x")

        def replaced_twice(peer):
            peer.report(replaced=True)
            self.assert_reason("BAD_STATE", peer.report, replaced=True)

        def replaced_late(peer):
            peer.piece(STDOUT, b"x")
            self.refused(peer, replaced=True)

        def less(peer):
            peer.piece(STDOUT, b"four")
            self.refused(peer, exit_code=0, stdout_bytes=3)

        def request(number):
            return {"id": number, "request": {"method": f"{SHIM}/ReportPassthrough"}}

        piece = {"stream": STDOUT, "data": b"x"}
        few = {"capture_max_bytes": 3}
        alone = {"capture_stdout": False, "capture_stderr": False}
        table = (
            ({}, lambda peer: peer.piece(STDIN, b"x"), "a stream that was not to be captured"),
            (few, lambda peer: peer.piece(STDOUT, b"four"), "more bytes than were asked for"),
            ({}, lambda peer: self.refused(peer, exit_code=0, call_id=99), "does not wait for a real command"),
            ({}, lambda peer: self.refused(peer, exit_code=256), "exit code 256 is not within 0 to 255"),
            ({}, lambda peer: self.refused(peer), "needs to say how the command ended"),
            ({}, lambda peer: peer.client.send(**request(2)), "needs an odd id; this one has 2"),
            ({}, lambda peer: peer.client.send(**request(1)), "request 1 is the call of this link"),
            ({}, lambda peer: self.assert_reason("BAD_STATE", again, peer), "a shim makes one call on its link"),
            ({}, late, "a stream goes on after the end of the real command"),
            (alone, replaced_twice, "does not wait for a real command"),
            ({}, replaced_late, "cannot have captured anything of it"),
            ({"timeout_ms": 9, **alone}, lambda peer: self.refused(peer, replaced=True), "cannot time it"),
            ({}, lambda peer: self.refused(peer, replaced=True, exit_code=1), "cannot know its end"),
            ({}, lambda peer: peer.client.send(id=3, stream_data=piece), "a stream of request 3, and the call is request 1"),
            ({}, lambda peer: self.refused(peer, exit_code=0, failure="why"), "needs an exit code above 0"),
            ({}, lambda peer: self.refused(peer, exit_code=0, timed_out=True), "cannot have exit code 0"),
            ({}, less, "less was written by the real command than was captured"),
            ({}, lambda peer: peer.completed(call_id=99), "Completed is of another call"),
        )
        for how, act, words in table:
            with self.subTest(words):
                session = self.session(spy(b"git", None, passes(**how)))
                peer = self.call(session, b"git", b"log")
                peer.told()
                act(peer)
                peer.leave()
                until(lambda: self.only_call(session).state != PENDING)
                finding = self.one_finding(session)
                self.assertEqual((finding.kind, finding.advisory), (control_pb2.FINDING_KIND_NEVER_COMPLETED, False))
                self.assertRegex(finding.message, rf"^its shim was refused \(.*{words}.*\): git log$")

    def test_a_stream_without_a_real_command_fails_the_test(self):
        session = self.session(stub(b"git", None, returns()))
        peer = self.call(session)
        peer.piece(STDOUT, b"x")
        peer.client.thread.join(peer.client.timeout)
        self.assertIn("runs no real command", self.one_finding(session).message)

    def test_exactly_the_cap_is_fine(self):
        session = self.session(spy(b"git", None, passes(capture_max_bytes=4)))
        peer = self.call(session)
        peer.piece(STDOUT, b"fo")
        peer.piece(STDOUT, b"ur")
        peer.ends(exit_code=0, stdout_bytes=4)
        self.assertEqual(self.only_call(session).stdout_capture.data, b"four")

    def test_reports_that_make_no_sense(self):
        session = self.session(spy(b"git", None, passes()), stub(b"ls", None, returns()))
        peer = self.call(session)
        self.assert_reason("BAD_PAYLOAD", peer.report)
        self.assert_reason("BAD_PAYLOAD", peer.report, exit_code=256)
        self.assert_reason("BAD_PAYLOAD", peer.report, signal="TERM")
        self.assert_reason("BAD_STATE", peer.report, call_id=99, exit_code=0)
        other = self.call(session, b"ls")
        self.assert_reason("BAD_STATE", other.report, exit_code=0)
        self.assert_reason("BAD_STATE", other.report, call_id=peer.call_id, exit_code=0)
        peer.report(exit_code=7)
        self.assert_reason("BAD_STATE", peer.report, exit_code=8)
        peer.completed()
        self.assertEqual(session.invocations()[0].exit_code, 7)

    def test_who_asks_again_is_told_again(self):
        session = self.session(mock(b"git", None, passes()))
        lost = self.call(session)
        lost.piece(STDOUT, b"lost")
        until(lambda: self.only_call(session).stdout_capture.data)
        lost.leave()
        again = self.call(session, key=lost.key)
        again.told()
        self.assertEqual(again.call_id, lost.call_id)
        again.piece(STDOUT, b"new")
        again.ends(exit_code=0, stdout_bytes=3)
        self.assertEqual(self.only_call(session).stdout_capture.data, b"new")
        self.assert_passed(session)


if __name__ == "__main__":
    unittest.main()
