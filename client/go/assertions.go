package cmdmox

import (
	"fmt"
	"strings"

	v1 "cmdmox/internal/v1"
)

// Assertions about the calls that a double took. One that fails fails the test, which goes on (TB.Error), and gives false.

const callsShown = 20

func noFunctions(*predicate) (uint64, error) {
	return 0, mistake("an assertion about calls takes no functions: look at Invocations(), and judge them yourself")
}

func (d *Double) assert(word string, assertion v1.CallAssertion, calls ...[]any) bool {
	d.mox.t.Helper()
	request := &v1.AssertCallsRequest{SessionId: d.mox.id, DoubleId: d.id, Assertion: assertion}
	for _, call := range calls {
		pattern, err := patternOf(&table{addPredicate: noFunctions}, call)
		d.mox.must(word, err)
		request.Patterns = append(request.Patterns, pattern)
	}
	answer := &v1.AssertCallsResponse{}
	d.mox.must(word, d.mox.ask("AssertCalls", request, answer))
	return answer.Passed || d.fail(word, answer.Text)
}

func (d *Double) fail(word, text string) bool {
	d.mox.t.Helper()
	text = strings.TrimRight(strings.TrimPrefix(text, "cmdmox: "), "\n") // the server's begins with it, and ends in a line feed
	d.mox.t.Error(&VerificationError{text: "cmdmox: " + word + ": " + text})
	return false
}

// AssertCalled: at least once.
func (d *Double) AssertCalled() bool {
	d.mox.t.Helper()
	return d.assert("AssertCalled", v1.CallAssertion_CALL_ASSERTION_CALLED)
}

// AssertNotCalled: not at all.
func (d *Double) AssertNotCalled() bool {
	d.mox.t.Helper()
	return d.assert("AssertNotCalled", v1.CallAssertion_CALL_ASSERTION_NOT_CALLED)
}

// AssertCallCount: exactly so often.
func (d *Double) AssertCallCount(n int) bool {
	d.mox.t.Helper()
	found, err := d.mox.countOf(d.id, "")
	d.mox.must("AssertCallCount", err)
	if found == n {
		return true
	}
	calls, err := d.mox.list(d.id, "", callsShown)
	d.mox.must("AssertCallCount", err)
	var text strings.Builder
	fmt.Fprintf(&text, "%v: expected %s, actual %d", d, times(n), found)
	for _, call := range calls {
		text.WriteString("\n  " + call.Line)
	}
	if found > len(calls) {
		fmt.Fprintf(&text, "\n  and %d more", found-len(calls))
	}
	return d.fail("AssertCallCount", text.String())
}

func times(n int) string {
	if n == 1 {
		return "1 call"
	}
	return fmt.Sprintf("%d calls", n)
}

// AssertCalledWith: the last call had these arguments; matchers may stand among them.
func (d *Double) AssertCalledWith(args ...any) bool {
	d.mox.t.Helper()
	return d.assert("AssertCalledWith", v1.CallAssertion_CALL_ASSERTION_CALLED_WITH, args)
}

// AssertAnyCall: one of the calls had these arguments.
func (d *Double) AssertAnyCall(args ...any) bool {
	d.mox.t.Helper()
	return d.assert("AssertAnyCall", v1.CallAssertion_CALL_ASSERTION_ANY_CALL, args)
}

// AssertHasCalls: these calls, each the list of its arguments, one after the other and nothing between.
func (d *Double) AssertHasCalls(calls ...[]any) bool {
	d.mox.t.Helper()
	return d.assert("AssertHasCalls", v1.CallAssertion_CALL_ASSERTION_HAS_CALLS, calls...)
}

// AssertHasCallsInAnyOrder: each of these calls, in any order.
func (d *Double) AssertHasCallsInAnyOrder(calls ...[]any) bool {
	d.mox.t.Helper()
	return d.assert("AssertHasCallsInAnyOrder", v1.CallAssertion_CALL_ASSERTION_HAS_CALLS_IN_ANY_ORDER, calls...)
}
