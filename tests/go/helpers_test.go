package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cmdmox"
)

const hang = 60 * time.Second

// TestMain: this program is also the odd server that a test starts (serve), and looks at the end for what was left.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		oddServer(os.Getenv("ODD"))
	}
	os.Exit(m.Run())
}

// outcome is a test that notes what a session says of it.
type outcome struct {
	lock     sync.Mutex
	cleanups []func()
	errs     []error
	fatal    error
	logs     []string
	skipped  bool
	env      map[string]string
}

func (o *outcome) Helper()          {}
func (o *outcome) Name() string     { return "TestInside" }
func (o *outcome) Cleanup(f func()) { o.cleanups = append(o.cleanups, f) }
func (o *outcome) Setenv(name, value string) {
	before, set := os.LookupEnv(name)
	o.Cleanup(func() {
		if set {
			_ = os.Setenv(name, before)
		} else {
			_ = os.Unsetenv(name)
		}
	})
	_ = os.Setenv(name, value)
}
func (o *outcome) Failed() bool {
	o.lock.Lock()
	defer o.lock.Unlock()
	return len(o.errs) > 0 || o.fatal != nil
}
func (o *outcome) Skipped() bool { return o.skipped }
func (o *outcome) Log(args ...any) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.logs = append(o.logs, fmt.Sprint(args...))
}
func (o *outcome) Error(args ...any) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.errs = append(o.errs, args[0].(error))
}
func (o *outcome) Fatal(args ...any) {
	o.lock.Lock()
	o.fatal = args[0].(error)
	o.lock.Unlock()
	runtime.Goexit()
}

// text is all that it says, for a look at parts of it.
func (o *outcome) text() string {
	var text strings.Builder
	for _, err := range o.errs {
		fmt.Fprintln(&text, err)
	}
	if o.fatal != nil {
		fmt.Fprintln(&text, o.fatal)
	}
	return text.String()
}

// inside runs a test to its end, with its cleanups; what became of it.
func inside(body func(o *outcome)) *outcome {
	o := &outcome{}
	alone := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	alone(func() { body(o) })
	for len(o.cleanups) > 0 {
		last := o.cleanups[len(o.cleanups)-1]
		o.cleanups = o.cleanups[:len(o.cleanups)-1]
		alone(last)
	}
	return o
}

func reasonOf(err error) string {
	var ours *cmdmox.Error
	if errors.As(err, &ours) {
		return ours.Reason
	}
	return ""
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %q:\n%s", part, text)
		}
	}
}

func equal[T comparable](t *testing.T, actual, expected T) {
	t.Helper()
	if actual != expected {
		t.Errorf("expected %v, actual %v", expected, actual)
	}
}

// done is how a command ended.
type done struct {
	status   int
	signal   syscall.Signal
	out, err string
}

func finished(t testing.TB, cmd *exec.Cmd) done {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	var exit *exec.ExitError
	if failed := cmd.Run(); failed != nil && !errors.As(failed, &exit) {
		t.Fatal(failed)
	}
	ended := done{status: cmd.ProcessState.ExitCode(), out: out.String(), err: err.String()}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		ended.signal = status.Signal()
	}
	return ended
}

// run is a command of the session.
func run(t testing.TB, mox *cmdmox.CmdMox, name string, args ...string) done {
	t.Helper()
	return finished(t, mox.Command(name, args...))
}

func fed(t testing.TB, mox *cmdmox.CmdMox, stdin, name string, args ...string) done {
	t.Helper()
	cmd := mox.Command(name, args...)
	reader, writer, err := os.Pipe() // not exec's: a command that leaves its stdin alone is no error
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(writer, stdin)
		_ = writer.Close()
	}()
	defer reader.Close()
	cmd.Stdin = reader
	return finished(t, cmd)
}

func until(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(hang); !happened(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// lineOf is the place of the line that has this mark in a comment.
func lineOf(t testing.TB, file, mark string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(line, "// "+mark) {
			return fmt.Sprintf("%s:%d", file, i+1)
		}
	}
	t.Fatalf("no line has the mark %s", mark)
	return ""
}
