package cmdmox

import (
	"fmt"
	"strings"

	v1 "cmdmox/internal/v1"
)

// Phase is "record", "replay", "verified" or "closed".
func (m *CmdMox) Phase() string {
	m.lock.Lock()
	defer m.lock.Unlock()
	switch {
	case m.closed:
		return "closed"
	case m.verified:
		return "verified"
	case m.replayed:
		return "replay"
	}
	return "record"
}

func (m *CmdMox) notInCallback() error {
	if m.callbacks.here() {
		return failure("BAD_STATE", "a handler or a predicate may not call it: the call that it answers would wait for itself")
	}
	return nil
}

// Replay has calls answered from here on, where New said ReplayLater. Doubles may still be declared and refined, until Verify. Twice
// is fine.
func (m *CmdMox) Replay() {
	m.t.Helper()
	m.must("Replay", m.replay())
}

func (m *CmdMox) replay() error {
	if err := m.notInCallback(); err != nil {
		return err
	}
	if m.Phase() == "verified" {
		return failure("BAD_STATE", "this session was verified: make a new one")
	}
	request := &v1.ReplayRequest{SessionId: m.id}
	m.env.lock.Lock()
	err := m.env.follow()
	if path, said := m.env.behind(); said {
		request.PathPresence = &v1.ReplayRequest_Path{Path: []byte(path)}
	}
	m.env.lock.Unlock()
	if err == nil {
		err = m.ask("Replay", request, &v1.ReplayResponse{})
	}
	if err == nil {
		m.lock.Lock()
		m.replayed = true
		m.lock.Unlock()
	}
	return err
}

// Verify compares what was declared with what happened, now and not when the test ends; what is wrong fails the test, which goes on. It
// may be called again. Calls of the code under test are refused from here on, and fail the
// test when it ends, unless a further Verify has told them.
func (m *CmdMox) Verify() *Report {
	m.t.Helper()
	report, err := m.verify()
	m.must("Verify", err)
	if !report.Passed {
		m.t.Error(m.failed(report))
		m.tellCalls()
	}
	return report
}

func (m *CmdMox) verify() (*Report, error) {
	if err := m.notInCallback(); err != nil {
		return nil, err
	}
	if m.Phase() == "record" {
		return nil, failure("BAD_STATE", "this session was never replayed: call Replay() before the code under test runs")
	}
	report, err := m.report(m.format)
	if err != nil {
		return nil, err
	}
	calls, err := m.countOf(0, "")
	m.lock.Lock()
	defer m.lock.Unlock()
	m.verified, m.judged = true, calls
	return report, err
}

// Report is what Verify finds, in this format, and fails nothing. From here on nothing can be declared.
func (m *CmdMox) Report(format Format) *Report {
	m.t.Helper()
	number, known := formats[format]
	if !known {
		m.must("Report", mistake("the format is %q: give FormatText, FormatJSON, FormatJUnit or FormatTAP", string(format)))
	}
	report, err := m.report(number)
	m.must("Report", err)
	return report
}

func (m *CmdMox) report(format v1.ReportFormat) (*Report, error) {
	answer := &v1.VerifyResponse{}
	if err := m.ask("Verify", &v1.VerifyRequest{SessionId: m.id, Format: format}, answer); err != nil {
		return nil, err
	}
	return reportOf(answer), nil
}

// failed is a report for a test's log, with what a handler raised.
func (m *CmdMox) failed(report *Report) *VerificationError {
	text := strings.TrimRight(report.Text, "\n")
	if raised := m.callbacks.firstPanic(); raised != "" {
		text += "\n\nWhat a handler or a predicate raised:\n\n" + strings.TrimRight(raised, "\n")
	}
	if asked, idle := m.idle(); asked && idle {
		text += "\n\n" + lookedUp
	}
	return &VerificationError{Report: report, text: text}
}

// Close verifies the session, unless that was done, and ends it, before the test does. Twice is fine.
func (m *CmdMox) Close() {
	m.t.Helper()
	m.must("Close", m.notInCallback())
	m.finish()
}

// finish is what Close does, and the end of the test.
func (m *CmdMox) finish() {
	m.t.Helper()
	switch phase := m.Phase(); {
	case phase == "closed":
		return
	case phase == "replay":
		m.judge()
	case phase == "verified" && !m.t.Skipped():
		m.judgeLate()
		if !m.t.Failed() {
			m.wonder()
		}
	case phase == "record" && len(m.Doubles()) > 0 && !m.t.Failed() && !m.t.Skipped():
		m.t.Error(failure("BAD_STATE", "%s was never replayed: call Replay() before the code under test runs, or its calls meet shims "+
			"that refuse", m.name()))
	}
	m.env.restore(m)
	if !m.server.link.silent.Load() { // else the next session ends that server
		_ = m.ask("DeleteSession", &v1.DeleteSessionRequest{SessionId: m.id}, &v1.DeleteSessionResponse{}) // one that is gone has none
	}
	m.lock.Lock()
	m.closed = true
	m.lock.Unlock()
	m.server.lock.Lock()
	delete(m.server.callbacks, string(m.id))
	m.server.lock.Unlock()
	if m.ownServer {
		m.server.end()
	}
}

// say fails the test. One that has failed by itself keeps its own reason, and one that was skipped has none.
func (m *CmdMox) say(err error) {
	m.t.Helper()
	if m.t.Failed() || m.t.Skipped() {
		m.t.Log(err)
	} else {
		m.t.Error(err)
	}
}

// judge verifies at the end of the test.
func (m *CmdMox) judge() {
	m.t.Helper()
	report, err := m.verify()
	failed := m.t.Failed()
	switch {
	case err != nil:
		m.say(in("when the test ends", err))
		return
	case !report.Passed:
		m.say(m.failed(report))
	default:
		m.wonder()
	}
	if (failed || !report.Passed) && !m.t.Skipped() {
		m.tellCalls()
	}
}

// judgeLate fails the test for calls after its Verify(): they got status 125, and no report has them.
func (m *CmdMox) judgeLate() {
	m.t.Helper()
	count, err := m.countOf(0, "")
	m.lock.Lock()
	late := count - m.judged
	m.lock.Unlock()
	if err != nil || late <= 0 {
		return
	}
	text := fmt.Sprintf("%s was verified, and then commands were called; they got status 125. Call Verify() when the code under test "+
		"has ended, or leave it to the end of the test:", m.name())
	calls, _ := m.list(0, "", 0) // the count alone is reason enough
	if dropped := len(calls) - late; dropped > 0 {
		calls = calls[dropped:]
	}
	for i, call := range calls {
		if i == callsShown {
			break
		}
		text += "\n  " + call.Line
	}
	if more := late - callsShown; more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	m.say(&Error{Reason: "BAD_STATE", Message: text})
}

func (m *CmdMox) tellCalls() {
	m.t.Helper()
	if account := m.account(); account != "" {
		m.t.Log(account)
	}
}

// wonder has a look at a session that passed: it may be that nothing can have reached the shims.
func (m *CmdMox) wonder() {
	m.t.Helper()
	switch asked, idle := m.idle(); {
	case idle && asked:
		m.t.Log(fmt.Sprintf("cmdmox: %s has doubles, and no call has come; %s", m.name(), lookedUp))
	case idle:
		m.say(failure("BAD_STATE", "%s has doubles, and nobody asked for its environment: the commands were the real ones. Start the "+
			"code under test with Command() or Env(), or say New(t, cmdmox.ApplyEnv())", m.name()))
	}
}

// exec.Command may have run the real commands, whatever its Env.
const lookedUp = `only Env() or ShimDirectory() was asked for: exec.Command looks up on this process's PATH: use mox.Command or ApplyEnv`

// idle: there are doubles, no call has come, and neither Command() nor ApplyEnv() says how one could; asked: Env() may.
func (m *CmdMox) idle() (asked, idle bool) {
	m.env.lock.Lock()
	applied := m.env.applied
	m.env.lock.Unlock()
	calls, err := m.countOf(0, "")
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.asked, !applied && !m.prepares && len(m.doubles) > 0 && err == nil && calls == 0
}

// account is the first calls, one a line.
func (m *CmdMox) account() string {
	calls, err := m.list(0, "", callsShown)
	count, failed := m.countOf(0, "")
	if err != nil || failed != nil || len(calls) == 0 {
		return ""
	}
	var text strings.Builder
	text.WriteString("cmdmox: the calls:")
	for _, call := range calls {
		how := call.State
		if call.Signal != "" {
			how = call.Signal
		} else if call.ExitCode >= 0 {
			how = fmt.Sprintf("status %d", call.ExitCode)
		}
		by := call.Verdict
		if double := m.Double(call.DoubleID); double != nil && by == "accepted" {
			by = fmt.Sprintf("%s (%s)", double.kind, double.location)
		}
		fmt.Fprintf(&text, "\n%d. %s: %s", call.ID, call.Line, how)
		if by != "" {
			text.WriteString(", " + by)
		}
	}
	if count > len(calls) {
		fmt.Fprintf(&text, "\nand %d more", count-len(calls))
	}
	return text.String()
}
