package cmdmox

import (
	"fmt"
	"time"

	v1 "cmdmox/internal/v1"
)

// Double is one expectation of a session, made by Mock, Stub and Spy. Without further words it accepts every call of its command
// and answers with nothing and exit status 0. Each word refines it, counts at once, and gives the double back.
//
// A double has one list of arguments, one stdin, one working directory, one count and one lasting answer: saying it again replaces
// the whole of what was said before. Variables, turns of ReturnsOnce and places in sequences add up.
type Double struct {
	mox      *CmdMox
	id       uint64
	kind     string
	command  string
	location Location
}

// ID is what an Invocation and a Finding call it.
func (d *Double) ID() uint64 { return d.id }

// Command is the command that it stands for.
func (d *Double) Command() string { return d.command }

// Kind is "mock", "stub" or "spy".
func (d *Double) Kind() string { return d.kind }

// Location is where the test declared it.
func (d *Double) Location() Location { return d.location }

func (d *Double) String() string { return fmt.Sprintf("%s %s (%s)", d.kind, d.command, d.location) }

// say sends what one word of the test means, or ends the test. The report then leaves out that the unfinished double was never called.
func (d *Double) say(word string, patch *v1.Double, err error) *Double {
	d.mox.t.Helper()
	if err == nil {
		request := &v1.UpdateDoubleRequest{SessionId: d.mox.id, DoubleId: d.id, Patch: patch}
		err = d.mox.ask("UpdateDouble", request, &v1.UpdateDoubleResponse{})
	}
	if err != nil && d.kind == "mock" {
		request := &v1.UpdateDoubleRequest{SessionId: d.mox.id, DoubleId: d.id, Patch: &v1.Double{Count: &v1.Count{}}}
		_ = d.mox.ask("UpdateDouble", request, &v1.UpdateDoubleResponse{}) // the mistake is what counts
	}
	d.mox.must(word, err)
	return d
}

func (d *Double) table() *table {
	return &table{addPredicate: func(its *predicate) (uint64, error) { return d.mox.callbacks.add(its), nil }}
}

// patternOf is a double that says arguments only.
func patternOf(t *table, args []any) (*v1.Double, error) {
	argv := &v1.ArgvMatcher{}
	for i, arg := range args {
		item, err := t.item(arg)
		if err != nil {
			return nil, in(fmt.Sprintf("argument %d", i+1), err)
		}
		argv.Items = append(argv.Items, item)
	}
	return &v1.Double{Argv: argv, Matchers: t.nodes}, nil
}

func anyOfTexts(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}

// ---- What it accepts

// WithArgs has it accept exactly these arguments; without any: none.
func (d *Double) WithArgs(args ...string) *Double {
	d.mox.t.Helper()
	patch, err := patternOf(d.table(), anyOfTexts(args))
	return d.say("WithArgs", patch, err)
}

// WithMatchingArgs has it accept as many arguments as there are matchers, each accepted by its own; Rest, AnyOrder, ArgsContain
// and Flag speak of several.
func (d *Double) WithMatchingArgs(matchers ...any) *Double {
	d.mox.t.Helper()
	patch, err := patternOf(d.table(), matchers)
	return d.say("WithMatchingArgs", patch, err)
}

// one is a patch that says something of one value.
func (d *Double) one(expected any, make func(node uint32) *v1.Double) (*v1.Double, error) {
	t := d.table()
	index, err := t.add(expected, 0)
	patch := make(index)
	patch.Matchers = t.nodes
	return patch, err
}

// WithStdin has it accept calls whose whole stdin is this, or is accepted by the matcher. It reads the caller's stdin, to its end; a
// call whose stdin has no end within 5 s is unexpected.
func (d *Double) WithStdin(expected any) *Double {
	d.mox.t.Helper()
	patch, err := d.one(expected, func(node uint32) *v1.Double { return &v1.Double{StdinMatch: &v1.StdinMatcher{Node: node}} })
	return d.say("WithStdin", patch, err)
}

// WithCwd has it accept calls from this working directory.
func (d *Double) WithCwd(expected any) *Double {
	d.mox.t.Helper()
	patch, err := d.one(expected, func(node uint32) *v1.Double { return &v1.Double{CwdMatch: &v1.CwdMatcher{Node: node}} })
	return d.say("WithCwd", patch, err)
}

// WithMatchingEnv has it accept calls whose environment has this variable accepted by the matcher; with Unset(), calls that do not
// have it.
func (d *Double) WithMatchingEnv(name string, expected any) *Double {
	d.mox.t.Helper()
	err := variableName(name)
	item := &v1.EnvMatcherItem{Name: []byte(name)}
	patch := &v1.Double{EnvMatch: &v1.EnvMatcher{Append: true, Items: []*v1.EnvMatcherItem{item}}}
	if _, absent := expected.(unset); absent {
		item.Test = &v1.EnvMatcherItem_Absent{Absent: true}
	} else if err == nil {
		patch, err = d.one(expected, func(node uint32) *v1.Double {
			item.Test = &v1.EnvMatcherItem_Node{Node: node}
			return patch
		})
	}
	return d.say("WithMatchingEnv", patch, err)
}

// WithEnv gives the call this variable: a call in which it has another value is not accepted, and where it is missing it is set for what
// handles the call, and in the journal.
func (d *Double) WithEnv(name, value string) *Double {
	d.mox.t.Helper()
	change := &v1.EnvChange{Name: []byte(name), Change: &v1.EnvChange_Value{Value: []byte(value)}}
	return d.say("WithEnv", injection(change), variableName(name))
}

// WithoutEnv removes this variable for what handles the call, and in the journal.
func (d *Double) WithoutEnv(name string) *Double {
	d.mox.t.Helper()
	return d.say("WithoutEnv", injection(&v1.EnvChange{Name: []byte(name)}), variableName(name))
}

func injection(change *v1.EnvChange) *v1.Double {
	return &v1.Double{EnvInjection: &v1.EnvInjection{Append: true, Changes: []*v1.EnvChange{change}}}
}

// CaptureStdin reads the caller's stdin into the journal, and for handlers: at most 16 MiB, for 5 s. Without this and WithStdin stdin is
// left alone: it belongs to the caller.
func (d *Double) CaptureStdin() *Double {
	d.mox.t.Helper()
	return d.say("CaptureStdin", capture(0, 0), nil)
}

// CaptureStdinUpTo is CaptureStdin with bounds of its own; 0 is the bound that CaptureStdin has.
func (d *Double) CaptureStdinUpTo(maxBytes int, deadline time.Duration) *Double {
	d.mox.t.Helper()
	ms, err := milliseconds(deadline, "the deadline")
	if maxBytes < 0 {
		err = mistake("the number of bytes is %d, below 0", maxBytes)
	}
	return d.say("CaptureStdinUpTo", capture(maxBytes, ms), err)
}

func capture(maxBytes int, deadline uint32) *v1.Double {
	return &v1.Double{StdinPolicy: &v1.StdinPolicy{
		Mode: v1.StdinMode_STDIN_MODE_CAPTURE, MaxBytes: uint64(maxBytes), DeadlineMs: deadline,
	}}
}

// DrainStdin reads the caller's stdin to its end and drops it: who writes to the command gets no SIGPIPE.
func (d *Double) DrainStdin() *Double {
	d.mox.t.Helper()
	return d.say("DrainStdin", &v1.Double{StdinPolicy: &v1.StdinPolicy{Mode: v1.StdinMode_STDIN_MODE_DRAIN}}, nil)
}

// ---- What it answers

// act adds an action: for so many calls, or for ever (0).
func (d *Double) act(word string, turns int, forever bool, action *v1.DoubleAction, err error) *Double {
	d.mox.t.Helper()
	if err == nil && !forever && turns < 1 {
		err = mistake("the number of calls is %d: give 1 or more", turns)
	}
	if err != nil {
		return d.say(word, nil, err)
	}
	if !forever {
		action.Repeat = uint64(turns)
	}
	return d.say(word, &v1.Double{Actions: &v1.ActionList{Append: true, Items: []*v1.DoubleAction{action}}}, nil)
}

// Returns is what it answers from here on.
func (d *Double) Returns(response Response) *Double {
	d.mox.t.Helper()
	action, err := answerAction(response)
	return d.act("Returns", 0, true, action, err)
}

// ReturnsOnce is what it answers to the next call only. Said again, the turns follow each other; then comes what Returns said, or else
// the last turn again.
func (d *Double) ReturnsOnce(response Response) *Double {
	d.mox.t.Helper()
	action, err := answerAction(response)
	return d.act("ReturnsOnce", 1, false, action, err)
}

// ReturnsTimes is the same for the next calls, so many.
func (d *Double) ReturnsTimes(times int, response Response) *Double {
	d.mox.t.Helper()
	action, err := answerAction(response)
	return d.act("ReturnsTimes", times, false, action, err)
}

func (d *Double) handlerAction(handler Handler) (*v1.DoubleAction, error) {
	if handler == nil {
		return nil, mistake("the handler is nil: give a func(*cmdmox.Call) cmdmox.Response")
	}
	return &v1.DoubleAction{
		Kind: &v1.DoubleAction_Handler{Handler: d.mox.callbacks.add(handler)}, HandlerName: nameOf(handler),
	}, nil
}

// Runs has a function of the test's answer. It can ask for the stdin of the call where the double says CaptureStdin or WithStdin.
func (d *Double) Runs(handler Handler) *Double {
	d.mox.t.Helper()
	action, err := d.handlerAction(handler)
	return d.act("Runs", 0, true, action, err)
}

// RunsOnce has it answer the next call only.
func (d *Double) RunsOnce(handler Handler) *Double {
	d.mox.t.Helper()
	action, err := d.handlerAction(handler)
	return d.act("RunsOnce", 1, false, action, err)
}

// RunsTimes has it answer the next calls, so many.
func (d *Double) RunsTimes(times int, handler Handler) *Double {
	d.mox.t.Helper()
	action, err := d.handlerAction(handler)
	return d.act("RunsTimes", times, false, action, err)
}

// Passthrough has the real command run; the journal has what it wrote, and with CaptureStdin what it read.
func (d *Double) Passthrough(how Passthrough) *Double {
	d.mox.t.Helper()
	action, err := passAction(how)
	return d.act("Passthrough", 0, true, action, err)
}

// PassthroughOnce has it run for the next call only.
func (d *Double) PassthroughOnce(how Passthrough) *Double {
	d.mox.t.Helper()
	action, err := passAction(how)
	return d.act("PassthroughOnce", 1, false, action, err)
}

// PassthroughTimes has it run for the next calls, so many.
func (d *Double) PassthroughTimes(times int, how Passthrough) *Double {
	d.mox.t.Helper()
	action, err := passAction(how)
	return d.act("PassthroughTimes", times, false, action, err)
}

// ---- How often, and in which order

func (d *Double) count(word string, least, most int, bounded bool) *Double {
	d.mox.t.Helper()
	var err error
	switch {
	case d.kind != "mock":
		err = mistake("a %s may be called any number of times; make it a mock to count its calls", d.kind)
	case least < 0 || most < 0:
		err = mistake("the number of calls is below 0")
	case bounded && most < least:
		err = mistake("the least number of calls, %d, is above the greatest, %d", least, most)
	}
	count := &v1.Count{Minimum: uint64(least)}
	if bounded {
		count.Upper = &v1.Count_Maximum{Maximum: uint64(most)}
	}
	return d.say(word, &v1.Double{Count: count}, err)
}

// Times says how often a mock must be called, exactly; once when nothing is said.
func (d *Double) Times(n int) *Double {
	d.mox.t.Helper()
	return d.count("Times", n, n, true)
}

// Never has every call of a mock be one too many.
func (d *Double) Never() *Double {
	d.mox.t.Helper()
	return d.count("Never", 0, 0, true)
}

// AtLeast says how often a mock must be called.
func (d *Double) AtLeast(n int) *Double {
	d.mox.t.Helper()
	return d.count("AtLeast", n, 0, false)
}

// AtMost says how often a mock may be called.
func (d *Double) AtMost(n int) *Double {
	d.mox.t.Helper()
	return d.count("AtMost", 0, n, true)
}

// Between says how often a mock must and may be called.
func (d *Double) Between(least, most int) *Double {
	d.mox.t.Helper()
	return d.count("Between", least, most, true)
}

// AnyTimes lets a mock be called any number of times, or not at all.
func (d *Double) AnyTimes() *Double {
	d.mox.t.Helper()
	return d.count("AnyTimes", 0, 0, false)
}

// place is the next one of a sequence. Places only grow, so that each order goes on where it ended.
func (d *Double) place(sequence string) *v1.Double {
	step := &v1.SequenceStep{Sequence: utf8Text(sequence), Position: d.mox.nextPosition()}
	return &v1.Double{Sequences: &v1.SequenceList{Append: true, Steps: []*v1.SequenceStep{step}}}
}

// InOrder is for a mock that must be called after those that said so before it.
func (d *Double) InOrder() *Double {
	d.mox.t.Helper()
	return d.say("InOrder", d.place(""), nil)
}

// InSequence is the same in an order of this name, beside others.
func (d *Double) InSequence(name string) *Double {
	d.mox.t.Helper()
	return d.say("InSequence", d.place(name), nil)
}

// AnyOrder takes a mock out of all sequences again.
func (d *Double) AnyOrder() *Double {
	d.mox.t.Helper()
	return d.say("AnyOrder", &v1.Double{Sequences: &v1.SequenceList{}}, nil)
}

// After is for a mock that may be called only when the other double has had its least number of calls.
func (d *Double) After(before *Double) *Double {
	d.mox.t.Helper()
	err := d.mox.has(before)
	if err != nil {
		return d.say("After", nil, err)
	}
	return d.say("After", &v1.Double{After: &v1.Predecessors{Append: true, DoubleIds: []uint64{before.id}}}, nil)
}

// has says what is wrong with a double that is to be one of this session.
func (m *CmdMox) has(double *Double) error {
	switch {
	case double == nil:
		return mistake("the other double is nil")
	case double.mox != m:
		return mistake("the doubles belong to two sessions")
	}
	return nil
}

// ---- What calls there were

// Invocations are the calls that it took, in order of start.
func (d *Double) Invocations() []*Invocation {
	d.mox.t.Helper()
	found, err := d.mox.list(d.id, "", 0)
	d.mox.must("Invocations", err)
	return found
}

// CallCount is how many calls it took.
func (d *Double) CallCount() int {
	d.mox.t.Helper()
	found, err := d.mox.countOf(d.id, "")
	d.mox.must("CallCount", err)
	return found
}
