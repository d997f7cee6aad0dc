package cmdmox

import (
	"fmt"
	"strings"
	"sync"
	"time"

	v1 "cmdmox/internal/v1"
)

// CallInfo is what is known when a call begins.
type CallInfo struct {
	ID        uint64 // from 1, in order of start
	Command   string
	Argv      []string // with the name that it was called by
	Cwd       string
	Pid, Ppid int
	Terminals []int // those of the descriptors 0, 1 and 2 that are terminals
	// Environ is the entries of the environment, in order, with duplicates and with those that have no '='.
	Environ []string
}

// Args are the arguments without the name that it was called by.
func (c *CallInfo) Args() []string {
	if len(c.Argv) == 0 {
		return nil
	}
	return c.Argv[1:]
}

// LookupEnv is a variable of the call; of entries with one name the first counts, as for getenv.
func (c *CallInfo) LookupEnv(name string) (value string, set bool) { return lookupEnv(c.Environ, name) }

func lookupEnv(entries []string, name string) (string, bool) {
	for _, entry := range entries {
		if its, value, ok := strings.Cut(entry, "="); ok && its == name {
			return value, true
		}
	}
	return "", false
}

func (c *CallInfo) String() string {
	return fmt.Sprintf("call %d: %s", c.ID, strings.Join(append([]string{c.Command}, c.Args()...), " "))
}

// Call is a call that waits for a handler.
type Call struct {
	CallInfo
	captured  bool
	readStdin func(callID, offset uint64) ([]byte, error)
	once      sync.Once
	stdin     string
	failed    error
}

// Stdin is what was read of stdin; fetched when it is first asked for. Where the double does not say CaptureStdin or
// WithStdin, it was not read, and the handler fails.
func (c *Call) Stdin() string {
	c.once.Do(func() {
		if !c.captured {
			c.failed = failure("BAD_STATE", "the stdin of this call of %s was not read: say CaptureStdin() or WithStdin() of the double "+
				"that runs this handler", c.Command)
			return
		}
		data, err := c.readStdin(c.ID, 0)
		c.stdin, c.failed = string(data), err
	})
	if c.failed != nil {
		panic(c.failed)
	}
	return c.stdin
}

// Fatalf ends the handler: the call and the test fail with this text.
func (c *Call) Fatalf(format string, args ...any) {
	panic(given{fmt.Sprintf(format, args...) + " (" + caller().String() + ")"})
}

// CapturedStream is stdin, stdout or stderr of a call, as far as it was kept.
type CapturedStream struct {
	Captured bool
	Text     string
	Length   uint64 // of the whole stream, bytes
	// Truncated: Text holds only the beginning.
	Truncated bool
	// Digest is SHA-256 of the whole stream where it was read and not kept whole.
	Digest []byte
	// End is how reading stdin ended: "eof", "limit", "deadline" or "error"; "": nobody read.
	End string
}

// EnvChange is what WithEnv says of a variable.
type EnvChange struct {
	Name, Value string
	Removed     bool
}

// Invocation is a call of the journal.
type Invocation struct {
	CallInfo
	// Injected is what WithEnv changes, in the order in which it was said.
	Injected []EnvChange
	// DoubleID is that of the double that took it (Double.ID); 0: none did.
	DoubleID              uint64
	Stdin, Stdout, Stderr CapturedStream
	// ExitCode is -1 where it died by a signal, or has not ended.
	ExitCode int
	Signal   string // "SIGTERM"
	// Start and End are on the server's monotonic clock; End 0: not ended.
	Start, End time.Duration
	// State is "pending", "answered", "completed", or "lost": its shim was gone before it was done.
	State string
	// Verdict is "accepted", "unexpected", "excess" or "out of order"; "": not decided yet.
	Verdict                      string
	StdoutWritten, StderrWritten uint64
	BrokenPipe                   bool
	// Program is what ran, of a call that was passed through.
	Program string
	// Merged: stdout and stderr were one open file, and all of it is in Stdout.
	Merged   bool
	TimedOut bool
	// Lingering: something that the command started still had its output open.
	Lingering bool
	// Replaced: nothing was captured; the shim became the command, and nobody saw its end.
	Replaced bool
	// PassthroughFailure is why the real command could not be run; "": it could.
	PassthroughFailure string
	// Line is for people: the call as a shell would write it, cut, with *** for what looks secret.
	Line string
}

// LookupEnv is a variable as the call had it, with what WithEnv changed.
func (i *Invocation) LookupEnv(name string) (value string, set bool) {
	for at := len(i.Injected) - 1; at >= 0; at-- {
		if change := i.Injected[at]; change.Name == name {
			return change.Value, !change.Removed
		}
	}
	return i.CallInfo.LookupEnv(name)
}

func textsOf(values [][]byte) []string {
	out := make([]string, len(values))
	for i, value := range values {
		out[i] = string(value)
	}
	return out
}

func infoOf(message *v1.Invocation, environ [][]byte) CallInfo {
	info := CallInfo{
		ID: message.GetInvocationId(), Command: string(message.GetCommand()), Argv: textsOf(message.GetArgv()), Cwd: string(message.GetCwd()),
		Pid: int(message.GetPid()), Ppid: int(message.GetPpid()), Environ: textsOf(environ),
	}
	for fd := 0; fd < 3; fd++ {
		if message.GetTtyMask()>>fd&1 == 1 {
			info.Terminals = append(info.Terminals, fd)
		}
	}
	return info
}

func newCall(asked *v1.HandleRequest, readStdin func(callID, offset uint64) ([]byte, error)) *Call {
	return &Call{
		CallInfo: infoOf(asked.Invocation, asked.EnvBlock), captured: asked.Invocation.GetStdinCapture() != nil, readStdin: readStdin,
	}
}

var states = map[v1.CallState]string{
	v1.CallState_CALL_STATE_PENDING: "pending", v1.CallState_CALL_STATE_ANSWERED: "answered",
	v1.CallState_CALL_STATE_COMPLETED: "completed", v1.CallState_CALL_STATE_LOST: "lost",
}

var verdicts = map[v1.CallVerdict]string{
	v1.CallVerdict_CALL_VERDICT_ACCEPTED: "accepted", v1.CallVerdict_CALL_VERDICT_UNEXPECTED: "unexpected",
	v1.CallVerdict_CALL_VERDICT_EXCESS: "excess", v1.CallVerdict_CALL_VERDICT_OUT_OF_ORDER: "out of order",
}

var ends = map[v1.StdinEnd]string{
	v1.StdinEnd_STDIN_END_EOF: "eof", v1.StdinEnd_STDIN_END_LIMIT: "limit", v1.StdinEnd_STDIN_END_DEADLINE: "deadline",
	v1.StdinEnd_STDIN_END_ERROR: "error",
}

// streamOf: rest gives what stands behind an offset, for which a page of the journal has no room.
func streamOf(message *v1.CapturedStream, rest func(offset uint64) ([]byte, error)) (CapturedStream, error) {
	data, length, end := message.GetData(), message.GetLength(), message.GetStdinEnd()
	if len(message.GetDigest()) > 0 && end != v1.StdinEnd_STDIN_END_UNSPECIFIED && length > uint64(len(data)) {
		more, err := rest(uint64(len(data)))
		if err != nil {
			return CapturedStream{}, err
		}
		data = append(data, more...)
	}
	whole := uint64(len(data)) == length && (end == v1.StdinEnd_STDIN_END_UNSPECIFIED || end == v1.StdinEnd_STDIN_END_EOF)
	stream := CapturedStream{
		Captured: message != nil, Text: string(data), Length: length, Truncated: message.GetTruncated() && !whole, End: ends[end],
	}
	if !whole {
		stream.Digest = message.GetDigest()
	}
	return stream, nil
}

func invocationOf(message *v1.Invocation, readStdin func(callID, offset uint64) ([]byte, error)) (*Invocation, error) {
	stdin, err := streamOf(message.StdinCapture, func(offset uint64) ([]byte, error) { return readStdin(message.InvocationId, offset) })
	if err != nil {
		return nil, err
	}
	stdout, _ := streamOf(message.StdoutCapture, nil) // of stdin alone more can be asked for
	stderr, _ := streamOf(message.StderrCapture, nil)
	call := &Invocation{
		CallInfo: infoOf(message, message.EnvBlock), DoubleID: message.DoubleId, Stdin: stdin, Stdout: stdout, Stderr: stderr,
		ExitCode: -1, Signal: message.GetSignal(), Start: time.Duration(message.StartNs), End: time.Duration(message.EndNs),
		State: states[message.State], Verdict: verdicts[message.Verdict], StdoutWritten: message.StdoutWritten,
		StderrWritten: message.StderrWritten, BrokenPipe: message.BrokenPipe, Program: string(message.Program), Merged: message.Merged,
		TimedOut: message.TimedOut, Lingering: message.Lingering, Replaced: message.Replaced,
		PassthroughFailure: message.PassthroughFailure, Line: message.Line,
	}
	if end, exited := message.End.(*v1.Invocation_ExitCode); exited {
		call.ExitCode = int(end.ExitCode)
	}
	if call.State == "" {
		call.State = "unknown"
	}
	for _, change := range message.Injected {
		value, kept := change.Change.(*v1.EnvChange_Value)
		entry := EnvChange{Name: string(change.Name), Removed: !kept}
		if kept {
			entry.Value = string(value.Value)
		}
		call.Injected = append(call.Injected, entry)
	}
	return call, nil
}
