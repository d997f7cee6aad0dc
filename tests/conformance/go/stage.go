package main

import (
	"errors"

	"cmdmox"
)

// runner is what a session is given for a test: what it says is kept.
type runner struct {
	cleanups []func()
	errs     []error
	over     bool
}

// fatal is what ends the call of the client that made a mistake.
type fatal struct{ err error }

func (r *runner) Helper()            {}
func (r *runner) Name() string       { return "conformance" }
func (r *runner) Cleanup(f func())   { r.cleanups = append(r.cleanups, f) }
func (r *runner) Setenv(_, _ string) { panic("no scenario applies an environment") }
func (r *runner) Failed() bool       { return r.over }
func (r *runner) Skipped() bool      { return false }
func (r *runner) Log(...any)         {}
func (r *runner) Error(args ...any)  { r.errs = append(r.errs, args[0].(error)) }
func (r *runner) Fatal(args ...any)  { panic(fatal{args[0].(error)}) }
func (r *runner) lastError() error   { defer func() { r.errs = nil }(); return first(r.errs) }
func first(errs []error) (found error) {
	if len(errs) > 0 {
		found = errs[0]
	}
	return found
}

// stage is a scenario at work.
type stage struct {
	test    *runner
	session *cmdmox.CmdMox
	address string
	doubles map[string]*cmdmox.Double
	running map[string]*process
	steps   map[string]func(said any, step object)
}

func newStage(address string) *stage {
	s := &stage{test: &runner{}, address: address, doubles: map[string]*cmdmox.Double{}, running: map[string]*process{}}
	s.steps = map[string]func(any, object){
		"session": s.stepSession, "mock": s.declare("mock"), "stub": s.declare("stub"), "spy": s.declare("spy"), "default": s.stepDefault,
		"refine": func(name any, step object) {
			that := step.list("that")
			s.refused(step, func() { s.refine(s.doubles[name.(string)], that) })
		},
		"in_order": func(names any, step object) {
			s.refused(step, func() { s.mox().InOrder(s.named(names.([]any))...) })
		},
		"in_sequence": func(name any, step object) {
			doubles := s.named(step.list("doubles"))
			s.refused(step, func() { s.mox().InSequence(name.(string), doubles...) })
		},
		"register": func(name any, step object) { s.refused(step, func() { s.mox().RegisterCommand(bytesOf(name)) }) },
		"allow":    func(name any, step object) { s.refused(step, func() { s.mox().Allow(bytesOf(name)) }) },
		"absent":   func(name any, step object) { s.refused(step, func() { s.mox().Absent(bytesOf(name)) }) },
		"replay":   func(_ any, step object) { s.refused(step, func() { s.mox().Replay() }) },
		"run":      s.stepRun, "shell": s.stepShell, "start": s.stepStart, "wait": s.stepWait, "kill": s.stepKill,
		"await": s.stepAwait, "release": s.stepRelease, "file": s.stepFile,
		"verify": s.stepVerify, "call_count": s.stepCallCount, "journal": s.stepJournal, "invocations": s.stepInvocations,
	}
	s.addAssertions()
	return s
}

// take does one step; what is wrong, or "".
func (s *stage) take(step object) (text string) {
	defer func() {
		switch raised := recover().(type) {
		case nil:
		case mismatch:
			text = string(raised)
		case fatal:
			text = raised.err.Error()
		default:
			panic(raised)
		}
	}()
	found := ""
	for name := range step {
		if s.steps[name] != nil {
			require(found == "", "no such step: %s", asJSON(step))
			found = name
		}
	}
	require(found != "", "no such step: %s", asJSON(step))
	said := take[any](step, found, nil)
	s.steps[found](said, step)
	step.empty()
	return ""
}

func (s *stage) begin(options ...cmdmox.Option) {
	options = append(options, cmdmox.ReplayLater())
	if s.address != "" {
		options = append(options, cmdmox.Connect(s.address))
	}
	s.session = cmdmox.New(s.test, options...)
}

func (s *stage) mox() *cmdmox.CmdMox {
	if s.session == nil {
		s.begin()
	}
	return s.session
}

func (s *stage) close() {
	for _, each := range s.running {
		each.kill()
	}
	close(ending)
	s.test.over = true
	for _, each := range s.test.cleanups {
		each()
	}
	cmdmox.Shutdown()
}

// refused does what the client is to refuse, where the step says `fails`.
func (s *stage) refused(step object, do func()) {
	fails := step["fails"]
	delete(step, "fails")
	err := caught(do)
	if fails == nil {
		require(err == nil, "refused: %v", err)
		return
	}
	of := objectOf(fails)
	var ours *cmdmox.Error
	require(errors.As(err, &ours), "is to fail with %v, and is fine", fails)
	require(ours.Reason == of.text("reason"), "is to fail with %v, and ended with %s: %v", fails, ours.Reason, err)
	if of.has("says") {
		expect("the mistake", of["says"], told(err.Error()))
	}
}

func caught(do func()) (err error) {
	defer func() {
		if raised := recover(); raised != nil {
			ended, is := raised.(fatal)
			if !is {
				panic(raised)
			}
			err = ended.err
		}
	}()
	do()
	return nil
}

func numberOf(value any) int {
	number, is := value.(float64)
	require(is, "the scenario is malformed: %v is no number", value)
	return int(number)
}
