"""The journal as a client sees it: its bound, long streams, injected variables."""

import hashlib
import os
import subprocess
import unittest

from support import DEADLINE, Case, until  # before the messages: it finds them

from cmdmox.v1 import control_pb2, shim_pb2
from cmdmox_doubles import Matcher, capture_stdin, mock, returns, spy

MIB = 1 << 20
MEMORY_MAX, DISK_MAX = MIB, 64 * MIB  # of one stream: CMOX_STREAM_MEMORY_MAX, CMOX_SPILL_STREAM_MAX


def block(number):
    return bytes([number % 251]) * MIB


class Bound(Case):
    def test_a_journal_of_nothing_is_refused(self):
        error = self.assert_reason("INVALID_ARGUMENT", self.session, max_journal_entries=0)
        self.assertIn("at least 1 call", error.message)

    def test_pages_of_the_last_calls(self):
        session = self.session(spy(b"tool"), max_journal_entries=10)
        self.run_in(session, ["/bin/sh", "-c", "for i in $(seq 25); do tool $i; done"])
        first = self.client.ListInvocations(session_id=session.id, page_size=4)
        self.assertEqual(first.dropped, 15)
        self.run_in(session, ["/bin/sh", "-c", "for i in 26 27; do tool $i; done"])
        rest, token = [], first.next_page_token
        while token:
            page = self.client.ListInvocations(session_id=session.id, page_size=4, page_token=token)
            rest, token = rest + list(page.invocations), page.next_page_token
        self.assertEqual([call.argv[1] for call in first.invocations], [b"16", b"17", b"18", b"19"])
        self.assertEqual([call.invocation_id for call in rest], list(range(20, 28)))
        self.assertEqual(session.count(), 27)
        self.assertEqual(session.count(command=b"tool"), 27)
        self.assertTrue(session.verify().passed)

    def test_what_nobody_has_declared_or_handed_out_is_refused(self):
        session = self.session(spy(b"tool"))
        for method in (self.client.GetCallCount, self.client.ListInvocations):
            with self.subTest(method=method):
                self.assert_reason("NOT_FOUND", method, session_id=session.id, double_id=99)
        for token in (b"x", b"123456789"):
            error = self.assert_reason("INVALID_ARGUMENT", self.client.ListInvocations, session_id=session.id, page_token=token)
            self.assertIn("next_page_token of the page before", error.message)


class Streams(Case):
    def capture(self, blocks, **policy):
        """The journal's word on a stdin of so many blocks, and their digest."""
        session = self.session(spy(b"tool", None, capture_stdin(max_bytes=1 << 40, deadline_ms=10 * 60_000, **policy)))
        digest = hashlib.sha256()
        child = self.start_in(session, ["tool"], stdin=subprocess.PIPE)
        for number in range(blocks):
            child.stdin.write(block(number))
            digest.update(block(number))
        child.stdin.close()
        child.stdin = None
        self.assertEqual(child.wait(DEADLINE * 10), 0)
        [call] = session.invocations()
        return session, call.stdin_capture, digest.digest()

    def test_what_is_cut_is_told_by_length_and_digest(self):
        _, stream, _ = self.capture(1)
        self.assertEqual((stream.data, stream.truncated, stream.digest), (block(0), False, b""))
        _, stream, digest = self.capture(20)
        self.assertEqual((stream.length, stream.truncated, stream.digest), (20 * MIB, True, digest))
        self.assertEqual(stream.stdin_end, shim_pb2.STDIN_END_EOF)
        whole = b"".join(block(number) for number in range(20))
        self.assertGreater(len(stream.data), 14 * MIB)
        self.assertEqual(stream.data, whole[: len(stream.data)])

    def test_memory_and_disk_stay_flat(self):
        def held():
            with open(f"/proc/{self.server.pid}/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

        def on_disk():
            folder = f"/proc/{self.server.pid}/fd"
            files = [os.stat(f"{folder}/{name}") for name in os.listdir(folder)
                     if "spill" in os.readlink(f"{folder}/{name}")]
            return sum(file.st_blocks * 512 for file in files)

        before = held()
        blocks = 1024 if os.environ.get("CMDMOX_LONG") else 200
        session, stream, digest = self.capture(blocks)
        self.assertEqual((stream.length, stream.digest), (blocks * MIB, digest))
        if not os.environ.get("CMDMOX_SANITIZE"):  # which keeps what was freed
            self.assertLess(held() - before, 24 * 1024)  # KiB; the journal's answer had 16 MiB
        self.assertLessEqual(on_disk(), DISK_MAX + MIB)
        self.assertGreater(on_disk(), DISK_MAX // 2)
        session.delete()
        self.assertEqual(on_disk(), 0)

    def test_a_long_stdin_is_matched_whole(self):
        whole = b"".join(block(number) for number in range(3))
        session = self.session(mock(b"tool", stdin=whole), mock(b"tool", stdin=Matcher(ends_with=b"end")))
        self.assertEqual(self.run_in(session, ["tool"], input=whole)[0], 0)
        self.assertEqual(self.run_in(session, ["tool"], input=whole + b"the end")[0], 0)
        status, _, err = self.run_in(session, ["tool"], input=whole[:-1])
        self.assertEqual(status, 125)
        self.assertIn(b"stdin", err)

    def test_a_stdin_that_cannot_be_kept_is_never_taken_for_equal(self):
        session = self.session(mock(b"tool", None, {"stdin_policy": {"max_bytes": 1 << 40}},
                                    stdin=Matcher(starts_with=b"")))
        status, _, err = self.run_in(session, ["tool"], input=bytes(DISK_MAX + 1), env={"CMOX_IPC_TIMEOUT": "60"})
        self.assertEqual(status, 125)
        self.assertIn(b"too long to be kept and compared", err)


class ReadStdin(Case):
    def read(self, session, call_id, **fields):
        return self.client.ReadCallStdin(session_id=session.id, call_id=call_id, **fields)

    def test_a_long_one_comes_in_pieces(self):
        session = self.session(spy(b"tool", None, capture_stdin(max_bytes=1 << 40)))
        whole = b"".join(block(number) for number in range(20))
        self.run_in(session, ["tool"], input=whole)
        read = b""
        while piece := self.read(session, 1, offset=len(read)).data:
            read += piece
        self.assertEqual(read, whole)
        answer = self.read(session, 1, offset=5 * MIB - 1, max_bytes=2)
        self.assertEqual((answer.data, answer.length), (block(4)[:1] + block(5)[:1], 20 * MIB))
        self.assertEqual(answer.stdin_end, shim_pb2.STDIN_END_EOF)
        self.assertEqual(self.read(session, 1, offset=1 << 63).data, b"")

    def test_a_held_call_can_be_read(self):
        session = self.session(spy(b"tool", None, capture_stdin(), returns(gate="later")))
        child = self.start_in(session, ["tool"], stdin=subprocess.PIPE)
        child.stdin.write(b"hello")
        child.stdin.close()
        child.stdin = None
        until(lambda: session.count() and session.invocations()[0].stdin_capture.stdin_end)
        self.assertEqual(self.read(session, 1).data, b"hello")
        session.release("later")
        self.assertEqual(child.wait(DEADLINE), 0)

    def test_what_was_not_read_is_told(self):
        session = self.session(spy(b"tool"), spy(b"dropped", None, {"stdin_policy": {"mode": "STDIN_MODE_DRAIN"}}))
        self.run_in(session, ["tool"], input=b"x")
        self.run_in(session, ["dropped"], input=b"x")
        for call_id in 1, 2:
            error = self.assert_reason("BAD_STATE", self.read, session, call_id)
            self.assertIn("unless the double captures or matches it", error.message)
        self.assert_reason("NOT_FOUND", self.read, session, 3)


class Injected(Case):
    def test_it_stands_beside_and_counts_for_assertions(self):
        changes = [{"name": b"NEW", "value": b"1"}, {"name": b"HOME"}]
        session = self.session(spy(b"tool", None, {"env_injection": {"changes": changes}}))
        self.run_in(session, ["tool"], env={"HOME": "/h"})
        [call] = session.invocations()
        self.assertIn(b"HOME=/h", call.env_block)
        self.assertEqual([(change.name, change.WhichOneof("change"), change.value) for change in call.injected],
                         [(b"NEW", "value", b"1"), (b"HOME", None, b"")])
        for name, test, passed in ((b"NEW", {"node": 0}, True), (b"HOME", {"absent": True}, True),
                                   (b"HOME", {"node": 1}, False)):
            pattern = spy(b"", matchers=[Matcher(equals=b"1"), Matcher(any=True)],
                          env_match={"items": [{"name": name, **test}]})
            pattern.kind = 0
            answer = self.client.AssertCalls(session_id=session.id, double_id=call.double_id, patterns=[pattern],
                                             assertion=control_pb2.CALL_ASSERTION_ANY_CALL)
            self.assertEqual(answer.passed, passed, answer.text)


if __name__ == "__main__":
    unittest.main()
