package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"cmdmox"
)

func (s *stage) stepVerify(result any, step object) {
	if result == "refused" {
		s.refused(step, func() { s.mox().Verify() })
		return
	}
	report := s.mox().Verify()
	err := s.test.lastError()
	var verification *cmdmox.VerificationError
	passed := "passes"
	if errors.As(err, &verification) {
		passed = "fails"
		require(verification.Report == report && strings.Contains(err.Error(), strings.TrimRight(report.Text, "\n")),
			"the error is not the report: %v", err)
	} else {
		require(err == nil, "verification ends with %v", err)
	}
	require(passed == result, "verification %v was expected, and it %s: %s", result, passed, report.Text)
	require(report.Passed == (passed == "passes"), "the report does not say whether it passed")
	if wanted := step.list("findings"); wanted != nil {
		kinds := []any{}
		for _, finding := range report.Findings {
			kinds = append(kinds, finding.Kind)
		}
		require(reflect.DeepEqual(kinds, wanted), "findings: expected %v, actual %v", wanted, kinds)
	}
	if text := take[any](step, "text", nil); text != nil || passed == "passes" {
		if text == nil {
			text = ""
		}
		expect("the report", text, told(report.Text))
	}
}

// asserted is an assertion, which is to fail where the step says so.
func (s *stage) asserted(step object, do func() bool) {
	fails := take[any](step, "fails", nil)
	passed := do()
	err := s.test.lastError()
	require(passed == (err == nil), "the assertion gives %v, and says %v", passed, err)
	if fails == nil {
		require(passed, "the assertion fails: %v", err)
		return
	}
	require(!passed, "the assertion passes")
	expect("the assertion", fails, told(err.Error()+"\n")) // the log of a test ends its lines itself
}

func callsOf(step object) [][]any {
	found := [][]any{}
	for _, call := range step.list("calls") {
		found = append(found, all(call))
	}
	return found
}

func (s *stage) addAssertions() {
	plain := func(assert func(*cmdmox.Double) bool) func(any, object) {
		return func(name any, step object) { s.asserted(step, func() bool { return assert(s.double(name)) }) }
	}
	withArgs := func(assert func(d *cmdmox.Double, args ...any) bool) func(any, object) {
		return func(name any, step object) {
			args := all(take[any](step, "args", nil))
			s.asserted(step, func() bool { return assert(s.double(name), args...) })
		}
	}
	withCalls := func(assert func(d *cmdmox.Double, calls ...[]any) bool) func(any, object) {
		return func(name any, step object) {
			calls := callsOf(step)
			s.asserted(step, func() bool { return assert(s.double(name), calls...) })
		}
	}
	s.steps["assert_called"] = plain((*cmdmox.Double).AssertCalled)
	s.steps["assert_not_called"] = plain((*cmdmox.Double).AssertNotCalled)
	s.steps["assert_called_with"] = withArgs((*cmdmox.Double).AssertCalledWith)
	s.steps["assert_any_call"] = withArgs((*cmdmox.Double).AssertAnyCall)
	s.steps["assert_has_calls"] = withCalls((*cmdmox.Double).AssertHasCalls)
	s.steps["assert_has_calls_in_any_order"] = withCalls((*cmdmox.Double).AssertHasCallsInAnyOrder)
}

func (s *stage) stepCallCount(name any, step object) {
	wanted, actual := step.number("is"), s.double(name).CallCount()
	require(wanted == actual, "%v: expected %d calls, actual %d", name, wanted, actual)
}

func (s *stage) stepJournal(wanted any, step object) {
	compare(wanted.([]any), s.mox().Journal())
	if step.has("dropped") {
		dropped := step.number("dropped")
		require(s.mox().Dropped() == dropped, "dropped: expected %d, actual %d", dropped, s.mox().Dropped())
	}
}

func (s *stage) stepInvocations(name any, step object) {
	compare(step.list("calls"), s.double(name).Invocations())
}

func compare(wanted []any, actual []*cmdmox.Invocation) {
	require(len(wanted) == len(actual), "expected %d calls, actual %v", len(wanted), actual)
	for i, entry := range wanted {
		for field, value := range objectOf(entry) {
			compareField(field, value, actual[i])
		}
	}
}

func compareField(field string, value any, call *cmdmox.Invocation) {
	what := fmt.Sprintf("call %d, %s", call.ID, field)
	texts := map[string]string{
		"command": call.Command, "stdin": call.Stdin.Text, "stdout": call.Stdout.Text, "stderr": told(call.Stderr.Text), "cwd": call.Cwd,
		"passthrough_failure": call.PassthroughFailure,
	}
	others := map[string]any{
		"argc": len(call.Argv), "exit_code": call.ExitCode, "signal": call.Signal, "verdict": strings.ReplaceAll(call.Verdict, " ", "_"),
		"state": call.State, "timed_out": call.TimedOut, "stdin_truncated": call.Stdin.Truncated, "stdout_length": int(call.Stdout.Length),
	}
	lists := map[string][]string{"args": call.Args(), "env_entries": call.Environ}
	if actual, is := texts[field]; is {
		expect(what, value, actual)
	} else if actual, is := others[field]; is {
		if number, isNumber := value.(float64); isNumber {
			value = int(number)
		}
		require(value == actual, "%s: expected %v, actual %v", what, value, actual)
	} else if actual, is := lists[field]; is {
		expected := listOf(value.([]any))
		require(strings.Join(expected, "\x00") == strings.Join(actual, "\x00") && len(expected) == len(actual), "%s: expected %.200q, actual %.200q",
			what, expected, actual)
	} else {
		require(field == "env", "a call has no %s", field)
		for name, its := range value.(map[string]any) {
			found, set := call.LookupEnv(name)
			require(set == (its != nil) && (its == nil || bytesOf(its) == found), "variable %s: expected %v, actual %q", name, its, found)
		}
	}
}
