"""Predicates and handlers of a test client: what is asked when, and that whatever becomes of an answer, the call ends
and the test hears of it."""

import os
import subprocess
import threading
import unittest

from support import Case, Listening, cmdmox, until
from cmdmox.v1 import callback_pb2, control_pb2, frame_pb2, matcher_pb2, shim_pb2
from cmdmox_doubles import ANY, asks, mock, patch, returns, runs, stub, times

HANDLER_FAILED = control_pb2.FINDING_KIND_HANDLER_FAILED
SHORT_MS = 300  # a callback that is not to answer does not; never a bound on how fast something is


def odd(value):
    return int(value) % 2 == 1


class Predicates(Case):
    def setUp(self):
        super().setUp()
        self.asked = []

    def predicate(self, number, function):
        def ask(value):
            self.asked.append((number, value))
            return function(value)
        self.client.callbacks[number] = ask
        return asks(number, function.__name__)

    def test_a_predicate_decides(self):
        session = self.session(mock(b"git", [b"show", self.predicate(1, odd)], returns(b"odd\n")),
                               stub(b"git", [b"show", ANY], returns(b"any\n")))
        self.assertEqual(self.run_in(session, ["git", "show", "4"])[1], b"any\n")
        self.assertEqual(self.run_in(session, ["git", "show", "5"])[1], b"odd\n")
        self.assert_passed(session)
        self.assertEqual(self.asked, [(1, b"4"), (1, b"5")])

    def test_a_value_is_asked_once_in_a_call(self):
        odd_one = self.predicate(1, odd)
        session = self.session(*[mock(b"git", [odd_one, bytes([0x61 + i])]) for i in range(3)],
                               mock(b"git", [odd_one, odd_one, odd_one]))
        self.assertEqual(self.run_in(session, ["git", "3", "3", "3"])[0], 0)
        self.assertEqual(self.asked, [(1, b"3")])

    def test_it_is_not_asked_what_something_else_refuses(self):
        both = {"matchers": [matcher_pb2.MatcherNode(is_a=matcher_pb2.VALUE_TYPE_INT), self.predicate(1, odd),
                             matcher_pb2.MatcherNode(all_of={"indexes": [0, 1]})],
                "argv": {"items": [{"one": 2}]}}
        session = self.session(stub(b"ssh", None, **both), stub(b"ssh", None, returns(b"text\n")))
        self.assertEqual(self.run_in(session, ["ssh", "three"])[1], b"text\n")
        self.assertEqual(self.asked, [])

    def test_stdin_is_left_alone_when_a_predicate_refuses(self):
        session = self.session(mock(b"git", [self.predicate(1, odd)], times(0, 1), stdin=b"1\n"),
                               stub(b"git", [ANY]))
        loop = "while read -r line; do git 2 || exit 9; echo $line; done"
        self.assertEqual(self.run_in(session, ["sh", "-c", loop], input=b"1\n2\n3\n")[:2], (0, b"1\n2\n3\n"))
        self.assert_passed(session)

    def test_stdin_cwd_and_variables_can_be_asked(self):
        def is_input(value):
            return value == b"in\0put"

        def is_root(value):
            return value == b"/"

        table = [self.predicate(1, is_root), self.predicate(2, odd)]
        fields = {"matchers": table, "cwd_match": {"node": 1}, "env_match": {"items": [{"name": b"N", "node": 2}]}}
        session = self.session(mock(b"git", None, stdin=self.predicate(3, is_input), **fields))
        self.assertEqual(self.run_in(session, ["git"], input=b"in\0put", env={"N": "7"}, cwd="/")[0], 0)
        self.assert_passed(session)
        self.assertEqual(sorted(self.asked), [(1, b"/"), (2, b"7"), (3, b"in\0put")])

    def test_a_refusal_names_the_predicate_and_why(self):
        def small(_):
            return callback_pb2.MatchResponse(matched=False, description="above 3")

        session = self.session(mock(b"git", [b"x", self.predicate(1, small)]))
        line = self.assert_refused(self.run_in(session, ["git", "x", "4"]))
        self.assertIn("argument 2: expected accepted by small, actual \"4\" (small refused it: above 3)", line)
        self.assertIn("mock git x <accepted by small>", session.verify().text)

    def test_the_nearest_double_is_asked_for_the_report(self):
        session = self.session(mock(b"git", [b"push", self.predicate(1, odd)]))
        line = self.assert_refused(self.run_in(session, ["git", "pull", "5"]))
        self.assertIn("argument 1: expected \"push\", actual \"pull\"", line)
        self.assertEqual(self.asked, [(1, b"5")])
        text = session.verify().text
        self.assertIn("       argument 2: \"5\"\n", text)  # no '!': it is accepted

    def test_two_calls_cannot_both_take_the_last_slot(self):
        barrier = threading.Barrier(2)

        def slow(_):
            barrier.wait(30)
            return True

        session = self.session(mock(b"git", [self.predicate(1, slow)], returns(b"taken\n")))
        children = [self.start_in(session, ["git", "x"]) for _ in range(2)]
        ends = sorted(self.finish(child)[:2] for child in children)
        self.assertEqual(ends, [(0, b"taken\n"), (125, b"")])
        kinds = [finding.kind for finding in session.verify().findings if not finding.advisory]
        self.assertEqual(kinds, [control_pb2.FINDING_KIND_EXCESS_CALL])

    def test_what_was_refined_meanwhile_counts(self):
        asked, go_on = threading.Event(), threading.Event()

        def slow(_):
            asked.set()
            return go_on.wait(30)

        session = self.session()
        first, = session.declare(mock(b"git", [self.predicate(1, slow)], returns(b"old\n")))
        child = self.start_in(session, ["git", "x"])
        self.assertTrue(asked.wait(30))
        session.refine(first, patch(returns(b"new\n")))
        go_on.set()
        self.assertEqual(self.finish(child)[:2], (0, b"new\n"))
        self.assert_passed(session)

    def test_other_calls_go_on(self):
        go_on = threading.Event()

        def slow(_):
            return go_on.wait(30)

        session = self.session(mock(b"git", [self.predicate(1, slow)]), stub(b"ssh", None, returns(b"here\n")))
        child = self.start_in(session, ["git", "x"])
        self.assertEqual(self.run_in(session, ["ssh"])[1], b"here\n")
        go_on.set()
        self.assertEqual(self.finish(child)[0], 0)

    def test_a_predicate_cannot_be_asked_in_an_assertion(self):
        session = self.session()
        spy, = session.declare(stub(b"git"))
        error = self.assert_reason("INVALID_ARGUMENT", self.client.AssertCalls, session_id=session.id, double_id=spy,
                                   assertion=control_pb2.CALL_ASSERTION_ANY_CALL,
                                   patterns=[patch(args=[asks(1, "odd")])])
        self.assertIn("pattern 1: predicates are asked while a call waits", error.message)

    def test_too_many_questions_refuse_the_call(self):
        session = self.session(mock(b"git", None, matchers=[asks(1)], argv={"items": [{"rest": 0}]}))
        self.client.callbacks[1] = lambda value: True
        line = self.assert_refused(self.run_in(session, ["git", *map(str, range(1025))]))
        self.assertIn("predicates cannot all be asked", line)


class Handlers(Case):
    def test_a_handler_answers(self):
        def shout(asked):
            call = asked.invocation
            return shim_pb2.Reply(stdout_data=b" ".join(call.argv[1:]).upper(), stderr_data=b"\xff\0", exit_code=3)

        self.client.callbacks[1] = shout
        session = self.session(mock(b"git", None, runs(1, "shout")))
        self.assertEqual(self.run_in(session, ["git", "a", "b"]), (3, b"A B", b"\xff\0"))
        self.assert_passed(session)
        call, = session.invocations()
        self.assertEqual((call.exit_code, call.stdout_capture.data), (3, b"A B"))

    def test_it_gets_the_call_with_what_is_injected(self):
        seen = []
        self.client.callbacks[1] = lambda asked: seen.append(asked) or shim_pb2.Reply()
        changes = [{"name": b"LEVEL", "value": b"3"}, {"name": b"GONE"}]
        session = self.session(mock(b"git", None, runs(1), {"env_injection": {"changes": changes}},
                                    {"stdin_policy": {"mode": 2}}))
        self.assertEqual(self.run_in(session, ["git", "x"], input=b"in", env={"GONE": "1", "KEPT": "2"}, cwd="/")[0], 0)
        asked, = seen
        entries = set(asked.env_block)
        self.assertTrue({b"LEVEL=3", b"KEPT=2"} <= entries and b"GONE=1" not in entries, entries)
        call = asked.invocation
        self.assertEqual((asked.session_id, call.argv[1:], call.cwd, call.stdin_capture.data, call.invocation_id),
                         (session.id, [b"x"], b"/", b"in", 1))

    def test_a_large_answer_is_whole(self):
        data = os.urandom(300_000)
        self.client.callbacks[1] = lambda asked: shim_pb2.Reply(stdout_data=data)
        session = self.session(mock(b"git", None, runs(1)))
        self.assertEqual(self.run_in(session, ["git"])[1], data)

    def test_it_dies_by_a_signal(self):
        self.client.callbacks[1] = lambda asked: shim_pb2.Reply(signal="SIGTERM")
        session = self.session(mock(b"git", None, runs(1)))
        self.assertEqual(self.run_in(session, ["git"])[0], -15)
        self.assert_passed(session)

    def test_a_handler_may_run_mocked_commands(self):
        self.client.callbacks[2] = odd

        def nest(asked):
            depth = int(asked.invocation.argv[1])
            out = self.run_in(session, ["git", str(depth - 1)])[1] if depth else b"end\n"
            return shim_pb2.Reply(stdout_data=b"%d\n" % depth + out)

        self.client.callbacks[1] = nest
        session = self.session(stub(b"git", [asks(2)], runs(1)), stub(b"git", [ANY], runs(1)))
        self.assertEqual(self.run_in(session, ["git", "3"])[1], b"3\n2\n1\n0\nend\n")
        self.assert_passed(session)

    def test_turns_of_replies_and_handlers(self):
        self.client.callbacks[1] = lambda asked: shim_pb2.Reply(stdout_data=b"handled\n")
        actions = [returns(b"first\n")["actions"]["items"][0], runs(1)["actions"]["items"][0]]
        actions[0].repeat = 1
        session = self.session(stub(b"git", None, {"actions": {"items": actions}}))
        outs = [self.run_in(session, ["git"])[1] for _ in range(3)]
        self.assertEqual(outs, [b"first\n", b"handled\n", b"handled\n"])

    def test_a_handler_as_the_default_answer(self):
        self.client.callbacks[1] = lambda asked: shim_pb2.Reply(stdout_data=asked.invocation.argv[1])
        session = self.session(mock(b"git", [b"add"]))
        self.client.SetDefaultAction(session_id=session.id, action={"handler": 1, "handler_name": "rest"})
        self.assertEqual(self.run_in(session, ["git", "pull"])[:2], (0, b"pull"))
        self.assertEqual(self.run_in(session, ["git", "add"])[:2], (0, b""))
        self.assert_passed(session)

    def test_a_long_stdin_is_asked_whole(self):
        data = b"0123456789abcdef" * (2 << 16)  # 2 MiB: the engine keeps it on disk
        asked = []
        self.client.callbacks[1] = lambda value: asked.append(value) or True
        session = self.session(mock(b"git", None, stdin=asks(1)))
        self.assertEqual(self.run_in(session, ["git"], input=data)[0], 0)
        self.assert_passed(session)
        self.assertEqual(asked, [data])

    def test_its_answer_waits_at_a_gate(self):
        done = threading.Event()
        self.client.callbacks[1] = lambda asked: done.set() or shim_pb2.Reply(stdout_data=b"go\n")
        session = self.session(stub(b"git", None, runs(1, gate="g")))
        child = self.start_in(session, ["git"])
        self.assertTrue(done.wait(30))
        until(lambda: session.release("g"), "the call at the gate")
        self.assertEqual(self.finish(child)[:2], (0, b"go\n"))

    def test_a_gate_that_was_opened_first_holds_nothing(self):
        asked, go_on = threading.Event(), threading.Event()
        self.client.callbacks[1] = lambda _: asked.set() or (go_on.wait(30) and shim_pb2.Reply(stdout_data=b"go\n"))
        session = self.session(stub(b"git", None, runs(1, gate="g")))
        child = self.start_in(session, ["git"])
        self.assertTrue(asked.wait(30))
        self.assertEqual(session.release("g"), 0)
        go_on.set()
        self.assertEqual(self.finish(child)[:2], (0, b"go\n"))

    def test_a_shim_that_bears_little_silence_waits_for_it(self):
        go_on = threading.Event()
        self.client.callbacks[1] = lambda asked: go_on.wait(30) and shim_pb2.Reply(stdout_data=b"late\n")
        session = self.session(mock(b"git", None, runs(1)))
        child = self.start_in(session, ["git"], env={"CMOX_IPC_TIMEOUT": "0.2"})
        with self.assertRaises(subprocess.TimeoutExpired):
            child.wait(1)  # five times what it bears
        go_on.set()
        self.assertEqual(self.finish(child)[:2], (0, b"late\n"))

    def test_verify_says_that_a_handler_is_at_work(self):
        asked, go_on = threading.Event(), threading.Event()
        self.client.callbacks[1] = lambda _: asked.set() or (go_on.wait(30) and shim_pb2.Reply(stdout_data=b"late\n"))
        session = self.session(mock(b"git", None, runs(1, "build")))
        child = self.start_in(session, ["git", "x"])
        self.assertTrue(asked.wait(30))
        report = session.verify()
        self.assertFalse(report.passed)
        self.assertIn("still waiting: git x (its handler build has not answered)", report.text)
        go_on.set()
        self.assertEqual(self.finish(child)[:2], (0, b"late\n"))


class Failures(Case):
    """Each way in which an answer can fail, for a predicate and for a handler."""

    def fails(self, why, *, deadline_ms=0, kinds=("handler", "predicate"), env=None):
        for kind in kinds:
            with self.subTest(kind):
                double = mock(b"git", [asks(1, "odd")], runs(2, "build")) if kind == "handler" else \
                    mock(b"git", [asks(3, "odd")])
                session = self.session(double, stub(b"git"), callback_deadline_ms=deadline_ms)
                line = self.assert_refused(self.run_in(session, ["git", "5"], env=env))
                name = "handler build" if kind == "handler" else "predicate odd"
                self.assertIn(f"the {name} failed: {why}", line)
                report = session.verify()
                found = [finding for finding in report.findings if finding.kind == HANDLER_FAILED]
                self.assertEqual(len(found), 1, report.text)
                self.assertFalse(report.passed)
                self.assertIn(f"the {name} failed: {why}", found[0].message)
                self.assertTrue(found[0].message.endswith(": git 5"), found[0].message)
                session.delete()

    def answers(self, answer):
        """Predicate 1 accepts; whatever else is asked gets this response."""
        self.client.callbacks[1] = odd
        serve = self.client._serve

        def respond(request_id, request):
            if request.method.endswith("Match") and \
                    callback_pb2.MatchRequest.FromString(request.payload).callback == 1:
                serve(request_id, request)
            elif answer is not None:
                self.client.send(id=request_id, response=answer)
        self.client._serve = respond

    def test_an_error(self):
        self.answers(frame_pb2.Response(error={"code": 2, "reason": "X", "message": "no\nsuch file"}))
        self.fails("no\\nsuch file")

    def test_an_error_without_words(self):
        self.answers(frame_pb2.Response(error={"code": 2}))
        self.fails("it does not say why")

    def test_a_failure(self):
        both = callback_pb2.MatchResponse(matched=True, failure="out of paper")
        self.answers(frame_pb2.Response(payload=both.SerializeToString()))
        self.fails("out of paper", kinds=["predicate"])
        self.answers(frame_pb2.Response(payload=callback_pb2.HandleResponse(failure="jam").SerializeToString()))
        self.fails("jam", kinds=["handler"])

    def test_a_secret_in_its_words_is_masked(self):
        token = "ghp_" + "a1B2" * 9
        self.answers(frame_pb2.Response(error={"message": f"cannot reach https://me:{token}@example.com/"}))
        session = self.session(mock(b"git", None, runs(2, "build")))
        self.assertNotIn(token, self.assert_refused(self.run_in(session, ["git"])))
        self.assertNotIn(token, session.verify().text)

    def test_nothing(self):
        self.answers(frame_pb2.Response())
        self.fails("its answer is empty")

    def test_no_outcome(self):
        self.answers(frame_pb2.Response(payload=b""))
        self.fails("its answer has neither a reply nor a failure", kinds=["handler"])

    def test_garbage(self):
        self.answers(frame_pb2.Response(payload=b"\xff" * 40))
        self.fails("its answer cannot be read")

    def test_an_impossible_reply(self):
        reply = callback_pb2.HandleResponse(reply=shim_pb2.Reply(exit_code=256))
        self.answers(frame_pb2.Response(payload=reply.SerializeToString()))
        self.fails("exit code 256 is not within 0 to 255", kinds=["handler"])

    def test_no_answer_in_time(self):
        self.answers(None)
        self.fails(f"it has not answered within {SHORT_MS} ms", deadline_ms=SHORT_MS)

    def test_no_answer_in_time_for_a_shim_that_would_wait_for_ever(self):
        self.answers(None)
        self.fails("it has not answered", deadline_ms=SHORT_MS, env={"CMOX_IPC_TIMEOUT": "none"})

    def test_an_answer_that_comes_too_late_changes_nothing(self):
        late = []
        self.client._serve = lambda request_id, request: late.append(request_id)
        session = self.session(mock(b"git", [asks(3)]), callback_deadline_ms=SHORT_MS)
        self.assert_refused(self.run_in(session, ["git", "5"]))
        yes = callback_pb2.MatchResponse(matched=True).SerializeToString()
        for request_id in [*late, 2, 4, 1000, 3, 0]:  # and those that nobody asked
            self.client.send(id=request_id, response=frame_pb2.Response(payload=yes))
        self.assertEqual(self.client.Ping(payload=b"x").payload, b"x")
        kinds = {finding.kind for finding in session.verify().findings if not finding.advisory}
        self.assertEqual(kinds, {HANDLER_FAILED, control_pb2.FINDING_KIND_UNFULFILLED})

    def test_the_same_answer_twice_counts_once(self):
        yes = callback_pb2.MatchResponse(matched=True).SerializeToString()

        def twice(request_id, _):
            for _ in range(2):
                self.client.send(id=request_id, response=frame_pb2.Response(payload=yes))
        self.client._serve = twice
        session = self.session(mock(b"git", [asks(3)], times(2)))
        for _ in range(2):
            self.assertEqual(self.run_in(session, ["git", "5"])[0], 0)
        self.assert_passed(session)

    def test_a_failed_predicate_fails_whatever_another_would_say(self):
        self.client.callbacks[1] = odd
        self.client.callbacks[2] = lambda value: 1 / 0
        either = {"matchers": [asks(2, "bad"), asks(1, "odd"), matcher_pb2.MatcherNode(any_of={"indexes": [0, 1]})],
                  "argv": {"items": [{"one": 2}]}}
        session = self.session(mock(b"git", None, **either))
        self.assertIn("predicate bad failed: ZeroDivisionError", self.assert_refused(self.run_in(session, ["git", "5"])))

    def test_a_shim_that_is_killed_takes_its_call_along(self):
        asked, go_on = threading.Event(), threading.Event()
        self.client.callbacks[1] = lambda _: asked.set() or go_on.wait(30)
        session = self.session(mock(b"git", [asks(1, "slow")]))
        child = self.start_in(session, ["git", "5"])
        self.assertTrue(asked.wait(30))
        child.kill()
        child.wait(30)
        until(lambda: session.invocations()[0].state == control_pb2.CALL_STATE_LOST)
        go_on.set()
        report = session.verify()
        self.assertIn("ended before it was answered: git 5", report.text)
        self.assertIn("never called", report.text)


class Links(Listening):
    """Which link is asked."""

    def declare(self, client):
        session = self.session(stub(b"git", None, runs(1, "build")), client=client)
        return session

    def test_another_link_can_serve(self):
        first, second = self.connect(), self.connect()
        second.callbacks[1] = lambda asked: shim_pb2.Reply(stdout_data=b"second\n")
        session = self.declare(first)
        second.ServeCallbacks(session_id=session.id)
        self.assertEqual(self.run_in(session, ["git"])[1], b"second\n")

    def test_when_it_closes_its_calls_fail_and_so_do_later_ones(self):
        first, second = self.connect(), self.connect()
        asked = threading.Event()
        second._serve = lambda *_: asked.set()
        session = self.declare(first)
        second.ServeCallbacks(session_id=session.id)
        child = self.start_in(session, ["git", "1"])
        self.assertTrue(asked.wait(30))
        self.disconnect(second)
        self.assertIn("has closed the link on which it was asked", self.assert_refused(self.finish(child)))
        self.assertIn("client that answers it has gone", self.assert_refused(self.run_in(session, ["git", "2"])))
        found = [finding.kind for finding in session.verify().findings if not finding.advisory]
        self.assertEqual(found, [HANDLER_FAILED] * 2)

    def call_without_answer(self, client):
        asked = threading.Event()
        client._serve = lambda *_: asked.set()
        session = self.declare(client)
        child = self.start_in(session, ["git", "1"])
        self.assertTrue(asked.wait(30))
        return session, child

    def test_the_end_of_the_session_frees_what_waits(self):
        client = self.connect()
        session, child = self.call_without_answer(client)
        session.delete()
        self.assertIn("ended its session", self.assert_refused(self.finish(child)))
        self.assertEqual(client.Ping().payload, b"")

    def test_the_end_of_the_client_does_too(self):
        client = self.connect()
        _, child = self.call_without_answer(client)
        self.disconnect(client)
        self.assert_refused(self.finish(child))

    def test_a_session_that_is_not_there_cannot_be_served(self):
        self.assert_reason("NOT_FOUND", self.connect().ServeCallbacks, session_id=b"x" * 16)


if __name__ == "__main__":
    unittest.main()
