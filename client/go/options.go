package cmdmox

import "time"

// TB is what a session needs of *testing.T, *testing.B or *testing.F. One of your own serves other runners of tests: Fatal must not
// return, and gets an *Error; Error gets a *VerificationError, or an *Error.
type TB interface {
	Helper()
	Name() string
	Cleanup(func())
	Setenv(key, value string)
	Failed() bool
	Skipped() bool
	Log(args ...any)
	Error(args ...any)
	Fatal(args ...any)
}

type options struct {
	label              string
	contained          bool
	maxJournalEntries  *int
	callbackDeadline   time.Duration
	path               *string
	applyEnv           bool
	replayLater        bool
	program, connectTo string
}

// Option is an option of New.
type Option func(*options)

// ApplyEnv puts the shims on PATH in this process's environment, until the test ends: for code under test that starts commands by
// itself. Like testing.T.Setenv it cannot be used in parallel tests. One session at a time can be applied.
func ApplyEnv() Option { return func(o *options) { o.applyEnv = true } }

// Contained has the shims stand in the place of PATH, so that nothing runs that has no double and is not allowed.
func Contained() Option { return func(o *options) { o.contained = true } }

// ReplayLater has the session answer no calls before the test says Replay. Absent needs it.
func ReplayLater() Option { return func(o *options) { o.replayLater = true } }

// Label is the session's name in reports, in place of the test's.
func Label(label string) Option { return func(o *options) { o.label = label } }

// MaxJournalEntries is how many calls the journal keeps; else all.
func MaxJournalEntries(n int) Option { return func(o *options) { o.maxJournalEntries = &n } }

// CallbackDeadline is how long a handler or a predicate may take; else 30 s.
func CallbackDeadline(d time.Duration) Option { return func(o *options) { o.callbackDeadline = d } }

// SearchPath is PATH of the code under test, if it is not this process's.
func SearchPath(path string) Option { return func(o *options) { o.path = &path } }

// Program is the cmdmox program to start, in place of that of CMDMOX_PROGRAM, or cmdmox on PATH.
func Program(path string) Option { return func(o *options) { o.program = path } }

// Connect has a server that listens keep the session, in place of a child of this process: Connect("unix:/path/to/socket").
func Connect(address string) Option { return func(o *options) { o.connectTo = address } }
