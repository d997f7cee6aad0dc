package cmdmox

import (
	"fmt"
	"os"
	"sync"

	"google.golang.org/protobuf/proto"

	v1 "cmdmox/internal/v1"
)

// CmdMox is a session: doubles for commands, the calls that there were, and what is to be said of them.
type CmdMox struct {
	t         TB
	server    *server
	ownServer bool
	id        []byte
	directory string // of the shims
	callbacks *callbacks
	location  Location
	label     string
	format    v1.ReportFormat

	env environment

	lock     sync.Mutex // of all below
	doubles  []*Double
	position uint32
	replayed bool
	verified bool
	closed   bool
	judged   int  // calls that the last verification has seen
	asked    bool // for the environment: Env, ShimDirectory
	prepares bool // commands that are looked up there: Command
}

// New makes a session for this test. It answers from then on, unless ReplayLater says otherwise, and when the test ends it is verified
// and ended: what is wrong fails the test, and where the test has failed by itself it is logged. A test that is skipped is not
// verified.
func New(t TB, opts ...Option) *CmdMox {
	t.Helper()
	said := options{label: t.Name()}
	for _, option := range opts {
		option(&said)
	}
	mox := &CmdMox{t: t, location: caller(), label: utf8Text(said.label)}
	mox.must("New", mox.begin(&said))
	t.Cleanup(mox.finish)
	if said.applyEnv {
		mox.must("ApplyEnv", mox.env.apply(mox))
	}
	if !said.replayLater {
		mox.must("New", mox.replay())
	}
	return mox
}

// begin has the server make the session.
func (m *CmdMox) begin(said *options) error {
	format, known := formats[Format(os.Getenv("CMOX_REPORT"))]
	if text := os.Getenv("CMOX_REPORT"); text != "" && !known {
		return mistake("CMOX_REPORT is %q: write text, json, junit or tap", text)
	}
	m.format = format
	if said.connectTo != "" && said.program != "" {
		return mistake("Program() is that of a server that is started here; the one of Connect() has its own")
	}
	deadline, err := milliseconds(said.callbackDeadline, "CallbackDeadline")
	if err != nil {
		return err
	}
	request := &v1.CreateSessionRequest{Label: m.label, Dialect: "go", Contained: said.contained, CallbackDeadlineMs: deadline}
	if most := said.maxJournalEntries; most != nil {
		if *most < 1 {
			return mistake("MaxJournalEntries is %d: give 1 or more", *most)
		}
		request.JournalBound = &v1.CreateSessionRequest_MaxJournalEntries{MaxJournalEntries: uint64(*most)}
	}
	if path, set := m.env.begin(said); set {
		request.PathPresence = &v1.CreateSessionRequest_Path{Path: []byte(path)}
	}
	wait, err := readPatience()
	if err != nil {
		return err
	}
	if said.connectTo != "" {
		m.ownServer = true
		m.server, err = connectedServer(said.connectTo, wait)
	} else {
		m.server, err = sharedServer(said.program, wait)
	}
	if err != nil {
		return err
	}
	return m.create(request)
}

func (m *CmdMox) create(request *v1.CreateSessionRequest) error {
	created := &v1.CreateSessionResponse{}
	if err := m.server.link.call("CreateSession", request, created); err != nil {
		if m.ownServer {
			m.server.end()
		}
		return err
	}
	m.id, m.directory = created.SessionId, string(created.ShimDirectory)
	m.env.created(m.directory, created.EnvBlock)
	m.callbacks = &callbacks{readStdin: m.readStdin}
	m.server.lock.Lock()
	defer m.server.lock.Unlock()
	m.server.callbacks[string(m.id)] = m.callbacks
	return nil
}

// must ends the test when something is wrong.
func (m *CmdMox) must(function string, err error) {
	if err != nil {
		m.t.Helper()
		m.t.Fatal(in(function, err))
	}
}

// ask makes a request, which names this session.
func (m *CmdMox) ask(method string, request, response proto.Message) error {
	m.lock.Lock()
	closed := m.closed
	m.lock.Unlock()
	if closed {
		return failure("BAD_STATE", "this session has ended: make a new one")
	}
	return m.server.link.call(method, request, response)
}

func (m *CmdMox) name() string {
	return fmt.Sprintf("the session %q (%s)", m.label, m.location)
}

// ---- Doubles

// Mock declares a double that must be called, once unless Times says otherwise. Each call of this makes a new expectation.
func (m *CmdMox) Mock(command string) *Double {
	m.t.Helper()
	return m.double("Mock", "mock", v1.DoubleKind_DOUBLE_KIND_MOCK, command)
}

// Stub declares a double that may be called any number of times.
func (m *CmdMox) Stub(command string) *Double {
	m.t.Helper()
	return m.double("Stub", "stub", v1.DoubleKind_DOUBLE_KIND_STUB, command)
}

// Spy is the same, and you ask for its calls afterwards.
func (m *CmdMox) Spy(command string) *Double {
	m.t.Helper()
	return m.double("Spy", "spy", v1.DoubleKind_DOUBLE_KIND_SPY, command)
}

func (m *CmdMox) double(word, kind string, number v1.DoubleKind, command string) *Double {
	m.t.Helper()
	double := &Double{mox: m, kind: kind, command: command, location: caller()}
	request := &v1.CreateDoublesRequest{SessionId: m.id, Doubles: []*v1.Double{
		{Command: []byte(command), Kind: number, Location: double.location.message()},
	}}
	answer := &v1.CreateDoublesResponse{}
	m.must(word, m.ask("CreateDoubles", request, answer))
	double.id = answer.DoubleIds[0]
	m.lock.Lock()
	defer m.lock.Unlock()
	m.doubles = append(m.doubles, double)
	return double
}

// Doubles are all that were declared, in their order.
func (m *CmdMox) Doubles() []*Double {
	m.lock.Lock()
	defer m.lock.Unlock()
	return append([]*Double(nil), m.doubles...)
}

// Double is that of an Invocation or a Finding; nil: of no double.
func (m *CmdMox) Double(id uint64) *Double {
	for _, double := range m.Doubles() {
		if double.id == id {
			return double
		}
	}
	return nil
}

func (m *CmdMox) nextPosition() uint32 {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.position++
	return m.position - 1
}

// InOrder is for mocks, of whatever commands, that must be called one after the other. Said again, the order goes on where it ended.
func (m *CmdMox) InOrder(doubles ...*Double) {
	m.t.Helper()
	m.lineUp("InOrder", "", doubles)
}

// InSequence is the same in an order of this name, beside others.
func (m *CmdMox) InSequence(name string, doubles ...*Double) {
	m.t.Helper()
	m.lineUp("InSequence", name, doubles)
}

func (m *CmdMox) lineUp(word, sequence string, doubles []*Double) {
	m.t.Helper()
	for i, double := range doubles {
		if err := m.has(double); err != nil {
			m.must(word, in(fmt.Sprintf("number %d of the list", i+1), err))
		}
		double.say(word, double.place(sequence), nil)
	}
}

// ---- Commands without doubles

func bytesOf(texts []string) [][]byte {
	out := make([][]byte, len(texts))
	for i, text := range texts {
		out[i] = []byte(text)
	}
	return out
}

// RegisterCommand makes shims for commands that have no double: each call of them is unexpected.
func (m *CmdMox) RegisterCommand(commands ...string) {
	m.t.Helper()
	request := &v1.RegisterCommandsRequest{SessionId: m.id, Commands: bytesOf(commands)}
	m.must("RegisterCommand", m.ask("RegisterCommands", request, &v1.RegisterCommandsResponse{}))
}

// Allow is for a contained session: these run for real, the first of each name on PATH.
func (m *CmdMox) Allow(commands ...string) {
	m.t.Helper()
	request := &v1.AllowCommandsRequest{SessionId: m.id, Commands: bytesOf(commands)}
	m.must("Allow", m.ask("AllowCommands", request, &v1.AllowCommandsResponse{}))
}

// Absent has commands look as if they were not installed. Before Replay: New needs ReplayLater.
func (m *CmdMox) Absent(commands ...string) {
	m.t.Helper()
	answer := &v1.MakeAbsentResponse{}
	err := m.ask("MakeAbsent", &v1.MakeAbsentRequest{SessionId: m.id, Commands: bytesOf(commands)}, answer)
	if err != nil { // those before the one that failed are absent
		_ = m.ask("MakeAbsent", &v1.MakeAbsentRequest{SessionId: m.id}, answer)
	}
	if answer.EnvBlock != nil {
		m.env.fixed(answer.EnvBlock)
	}
	m.must("Absent", err)
}

// DefaultReturns is what answers the calls that no double accepts, in place of 125 and a finding. The last word counts.
func (m *CmdMox) DefaultReturns(response Response) {
	m.t.Helper()
	action, err := answerAction(response)
	m.setDefault("DefaultReturns", action, err)
}

// DefaultPassthrough has the real command answer them: a spy on all that the test does not mention.
func (m *CmdMox) DefaultPassthrough(how Passthrough) {
	m.t.Helper()
	action, err := passAction(how)
	m.setDefault("DefaultPassthrough", action, err)
}

// DefaultFails has them refused again, as at first.
func (m *CmdMox) DefaultFails() {
	m.t.Helper()
	m.setDefault("DefaultFails", nil, nil)
}

func (m *CmdMox) setDefault(word string, action *v1.DoubleAction, err error) {
	m.t.Helper()
	m.must(word, err)
	request := &v1.SetDefaultActionRequest{SessionId: m.id, Action: action}
	m.must(word, m.ask("SetDefaultAction", request, &v1.SetDefaultActionResponse{}))
}

// ---- What calls there were

// Journal is all calls of the session, accepted or not, in order of start.
func (m *CmdMox) Journal() []*Invocation {
	m.t.Helper()
	found, err := m.list(0, "", 0)
	m.must("Journal", err)
	return found
}

// Invocations are those of this command.
func (m *CmdMox) Invocations(command string) []*Invocation {
	m.t.Helper()
	found, err := m.list(0, command, 0)
	m.must("Invocations", err)
	return found
}

// Dropped is how many calls there were before those of the journal: MaxJournalEntries did not keep them.
func (m *CmdMox) Dropped() int {
	m.t.Helper()
	answer := &v1.ListInvocationsResponse{}
	m.must("Dropped", m.ask("ListInvocations", &v1.ListInvocationsRequest{SessionId: m.id, PageSize: 1}, answer))
	return int(answer.Dropped)
}

// CallCount is how many calls there were of this command; "": of all.
func (m *CmdMox) CallCount(command string) int {
	m.t.Helper()
	found, err := m.countOf(0, command)
	m.must("CallCount", err)
	return found
}

// Release answers all calls that wait at this gate; how many.
func (m *CmdMox) Release(gate string) int {
	m.t.Helper()
	answer := &v1.ReleaseCallsResponse{}
	m.must("Release", m.ask("ReleaseCalls", &v1.ReleaseCallsRequest{SessionId: m.id, Gate: utf8Text(gate)}, answer))
	return int(answer.Released)
}

const page = 64 // calls asked for at once

// list gives so many calls at most; 0: all.
func (m *CmdMox) list(double uint64, command string, most int) ([]*Invocation, error) {
	var found []*Invocation
	request := &v1.ListInvocationsRequest{SessionId: m.id, DoubleId: double, Command: []byte(command), PageSize: page}
	for {
		answer := &v1.ListInvocationsResponse{}
		if err := m.ask("ListInvocations", request, answer); err != nil {
			return nil, err
		}
		for _, message := range answer.Invocations {
			call, err := invocationOf(message, m.readStdin)
			if err != nil {
				return nil, err
			}
			if found = append(found, call); len(found) == most {
				return found, nil
			}
		}
		if request.PageToken = answer.NextPageToken; len(request.PageToken) == 0 {
			return found, nil
		}
	}
}

func (m *CmdMox) countOf(double uint64, command string) (int, error) {
	answer := &v1.GetCallCountResponse{}
	err := m.ask("GetCallCount", &v1.GetCallCountRequest{SessionId: m.id, DoubleId: double, Command: []byte(command)}, answer)
	return int(answer.Count), err
}

// readStdin is stdin of a call from there on, as far as it was kept.
func (m *CmdMox) readStdin(call, offset uint64) ([]byte, error) {
	var data []byte
	for {
		answer := &v1.ReadCallStdinResponse{}
		err := m.ask("ReadCallStdin", &v1.ReadCallStdinRequest{SessionId: m.id, CallId: call, Offset: offset}, answer)
		if err != nil {
			return nil, err
		}
		data = append(data, answer.Data...)
		if offset += uint64(len(answer.Data)); len(answer.Data) == 0 || offset >= answer.Length {
			return data, nil
		}
	}
}
