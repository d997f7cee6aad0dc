package cmdmox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// environment is what a session says of the environment of the code under test, and what it has changed in this process's.
type environment struct {
	lock      sync.Mutex
	entries   []string // "NAME=value"
	directory string
	ownPath   string
	said      bool // PATH is that of SearchPath
	fixedPath bool // the session's directory was made for PATH as it was then
	applied   bool
	before    map[string]*string
}

// applied is who has this process's environment.
var applied struct {
	lock sync.Mutex
	by   *CmdMox
}

func (e *environment) begin(said *options) (path string, set bool) {
	e.fixedPath = said.contained
	if said.path != nil {
		e.said, e.ownPath = true, *said.path
		return e.ownPath, true
	}
	e.ownPath, set = os.LookupEnv("PATH")
	return e.ownPath, set
}

func (e *environment) created(directory string, entries [][]byte) {
	e.directory, e.entries = directory, textsOf(entries)
}

// fixed has absent commands: PATH is another one.
func (e *environment) fixed(entries [][]byte) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.entries, e.fixedPath = textsOf(entries), true
	if e.applied {
		for _, entry := range e.entries {
			name, value, _ := strings.Cut(entry, "=")
			_ = os.Setenv(name, value) // Setenv of the test restores them
		}
	}
}

// apply sets the variables in this process, by the test's own Setenv, which restores them and refuses in a parallel test.
func (e *environment) apply(m *CmdMox) error {
	applied.lock.Lock()
	other := applied.by
	if other == nil {
		applied.by = m
	}
	applied.lock.Unlock()
	if other != nil {
		return failure("ENVIRONMENT_BUSY", "%s is applied to this process's environment: Close() it first, or make this one without "+
			"ApplyEnv() and start the code under test with Env()", other.name())
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	e.applied, e.before = true, map[string]*string{}
	for _, entry := range e.entries {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := e.before[name]; twice {
			continue // of entries with one name the first counts
		}
		e.before[name] = nil
		if was, set := os.LookupEnv(name); set {
			e.before[name] = &was
		}
		if err := setenv(m.t, name, value); err != nil {
			e.applied, e.before = false, nil
			return err
		}
	}
	return nil
}

// setenv is the test's own, whose refusal in a parallel test is a panic.
func setenv(t TB, name, value string) (err error) {
	t.Helper()
	defer func() {
		raised := recover()
		text, said := raised.(string)
		switch {
		case said && strings.HasPrefix(text, "testing: "):
			err = failure("BAD_STATE", "this test, or one around it, is parallel, and the environment is that of the whole process: start "+
				"the code under test with Command() and leave ApplyEnv() out, or leave t.Parallel() out")
		case raised != nil:
			panic(raised)
		}
	}()
	t.Setenv(name, value)
	return nil
}

// restore gives each variable that was changed the value from before, so that another session can be applied.
func (e *environment) restore(m *CmdMox) {
	applied.lock.Lock()
	mine := applied.by == m
	if mine {
		applied.by = nil
	}
	applied.lock.Unlock()
	e.lock.Lock()
	defer e.lock.Unlock()
	if !mine || !e.applied {
		return
	}
	e.applied = false
	for name, was := range e.before {
		if was == nil {
			_ = os.Unsetenv(name)
		} else {
			_ = os.Setenv(name, *was)
		}
	}
}

// follow: PATH of the test may have changed since the session was made.
func (e *environment) follow() error {
	now, set := os.LookupEnv("PATH")
	if was, changed := e.before["PATH"]; e.applied && changed {
		if set = was != nil; set {
			now = *was
		}
	}
	if e.said || !set || now == e.ownPath || strings.HasPrefix(now, e.directory+":") {
		return nil
	}
	if e.fixedPath {
		return failure("BAD_STATE", "PATH has changed since this session was made: one that is contained or has absent commands is made "+
			"for PATH as it was then; change it before")
	}
	kept := []string{}
	for _, entry := range e.entries {
		if !strings.HasPrefix(entry, "PATH=") {
			kept = append(kept, entry)
		}
	}
	e.entries = append(kept, "PATH="+e.directory+":"+now)
	return nil
}

// behind is what stands behind the shims on PATH, where the server is to hear of it.
func (e *environment) behind() (string, bool) {
	path, _ := lookupEnv(e.entries, "PATH")
	rest, found := cutPrefix(path, e.directory+":")
	return rest, found && !e.fixedPath && !e.said
}

func cutPrefix(text, prefix string) (string, bool) { // strings.CutPrefix is of Go 1.20
	return strings.TrimPrefix(text, prefix), strings.HasPrefix(text, prefix)
}

// Env is the environment for code under test that takes one: this process's own as it is now, with the shims on PATH. It does not reach
// exec.Command("git") of this process, which looks git up on this process's PATH at once: use Command, or ApplyEnv.
func (m *CmdMox) Env() []string {
	m.t.Helper()
	m.note(&m.asked)
	env, err := m.env.whole()
	m.must("Env", err)
	return env
}

// note sets one of the session's flags.
func (m *CmdMox) note(flag *bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	*flag = true
}

func (e *environment) whole() ([]string, error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	if err := e.follow(); err != nil {
		return nil, err
	}
	env := []string{}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := lookupEnv(e.entries, name); !replaced {
			env = append(env, entry)
		}
	}
	return append(env, e.entries...), nil
}

// Command is exec.Command with the environment of the session, in which the program is looked up.
func (m *CmdMox) Command(name string, args ...string) *exec.Cmd {
	m.t.Helper()
	return m.prepared("Command", exec.Command(name, args...))
}

// CommandContext is exec.CommandContext with the environment of the session.
func (m *CmdMox) CommandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	m.t.Helper()
	return m.prepared("CommandContext", exec.CommandContext(ctx, name, args...))
}

func (m *CmdMox) prepared(word string, cmd *exec.Cmd) *exec.Cmd {
	m.t.Helper()
	m.note(&m.prepares)
	env, err := m.env.whole()
	m.must(word, err)
	cmd.Env = env
	name := cmd.Args[0]
	if !strings.Contains(name, string(filepath.Separator)) {
		path, _ := lookupEnv(cmd.Env, "PATH")
		cmd.Path, cmd.Err = lookPath(name, path)
	}
	return cmd
}

func lookPath(name, path string) (string, error) {
	for _, directory := range filepath.SplitList(path) {
		if directory == "" {
			directory = "."
		}
		file := filepath.Join(directory, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return name, &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// ShimDirectory is what goes first on PATH.
func (m *CmdMox) ShimDirectory() string {
	m.note(&m.asked)
	return m.directory
}

// SessionID is what the server calls the session: whoever may connect to it and knows these 16 bytes may use the session.
func (m *CmdMox) SessionID() []byte { return append([]byte(nil), m.id...) }
