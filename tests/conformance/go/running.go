package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cmdmox"
)

const (
	guard = 60 * time.Second // until something counts as hanging
	nap   = 5 * time.Millisecond
)

// process is one that the scenario runs.
type process struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
	ended    chan struct{}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// raw is what execRaw is to execute: bytes, so base64 in JSON.
type raw struct {
	Path string
	Argv [][]byte
	Env  [][]byte
}

func execRaw(said string) {
	var what raw
	check(json.Unmarshal([]byte(said), &what))
	check(syscall.Exec(what.Path, textsOf(what.Argv), textsOf(what.Env)))
}

func textsOf(values [][]byte) []string {
	texts := []string{}
	for _, value := range values {
		texts = append(texts, string(value))
	}
	return texts
}

func bytesOfTexts(texts []string) [][]byte {
	values := [][]byte{}
	for _, text := range texts {
		values = append(values, []byte(text))
	}
	return values
}

// start runs the words with what the step says of stdin, env, cwd, argv0 and env_entries.
func (s *stage) start(words []string, step object) *process {
	cmd := s.mox().Command(words[0], words[1:]...)
	changes := take(step, "env", map[string]any{})
	for name, value := range changes {
		cmd.Env = without(cmd.Env, name)
		if value != nil {
			cmd.Env = append(cmd.Env, name+"="+bytesOf(value))
		}
	}
	if step.has("argv0") || step.has("env_entries") {
		require(cmd.Err == nil, "%v", cmd.Err)
		what := raw{Path: cmd.Path, Argv: bytesOfTexts(words), Env: bytesOfTexts(cmd.Env)}
		if argv0, said := step["argv0"]; said && argv0 == nil {
			what.Argv = nil
		} else if said {
			what.Argv[0] = []byte(bytesOf(argv0))
		}
		if step.has("env_entries") {
			what.Env = bytesOfTexts(listOf(step["env_entries"].([]any)))
		}
		delete(step, "argv0")
		delete(step, "env_entries")
		cmd = exec.Command(self(), execWord, asJSON(what))
	}
	cmd.Dir = step.text("cwd")
	if step.has("stdin") {
		cmd.Stdin = strings.NewReader(step.bytes("stdin"))
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.err
	err := cmd.Start()
	require(err == nil, "%v", err)
	go func() {
		_ = cmd.Wait() // how is in ProcessState; a shim that does not read its stdin is none of this
		close(p.ended)
	}()
	return p
}

func without(env []string, name string) []string {
	kept := []string{}
	for _, entry := range env {
		if !strings.HasPrefix(entry, name+"=") {
			kept = append(kept, entry)
		}
	}
	return kept
}

func (p *process) wait() {
	select {
	case <-p.ended:
	case <-time.After(guard):
		p.kill()
		require(false, "%v hangs", p.cmd.Args)
	}
}

func (p *process) finish(expected any) {
	of := object{}
	if expected != nil {
		of = objectOf(expected)
	}
	p.wait()
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if name := of.text("signal"); name != "" {
		require(status.Signaled() && signals[name] == status.Signal(), "expected %s, actual %v; stderr:\n%s", name, p.cmd.ProcessState,
			shown(p.err.String()))
	} else {
		wanted := of.number("status")
		require(status.Exited() && status.ExitStatus() == wanted, "expected %d, actual %v; stderr:\n%s", wanted, p.cmd.ProcessState,
			shown(p.err.String()))
	}
	expect("stdout", take[any](of, "stdout", ""), p.out.String())
	expect("stderr", take[any](of, "stderr", ""), told(p.err.String()))
	delete(of, "status")
	of.empty()
}

var signals = map[string]syscall.Signal{
	"SIGHUP": syscall.SIGHUP, "SIGINT": syscall.SIGINT, "SIGKILL": syscall.SIGKILL, "SIGTERM": syscall.SIGTERM, "SIGUSR1": syscall.SIGUSR1,
	"SIGPIPE": syscall.SIGPIPE, "SIGSEGV": syscall.SIGSEGV, "SIGABRT": syscall.SIGABRT, "SIGQUIT": syscall.SIGQUIT,
}

func (s *stage) stepRun(argv any, step object) {
	s.runWords(listOf(argv.([]any)), step)
}

func (s *stage) stepShell(said any, step object) {
	s.runWords([]string{"/bin/sh", "-c", said.(string)}, step)
}

func (s *stage) runWords(words []string, step object) {
	if !step.has("at_once") {
		expected := take[any](step, "expect", nil)
		s.start(words, step).finish(expected)
		return
	}
	times := step.number("at_once")
	statuses := objectOf(take[any](step, "statuses", nil))
	processes := []*process{}
	for i := 0; i < times; i++ {
		processes = append(processes, s.start(words, object{}))
	}
	codes := map[string]int{}
	for _, each := range processes {
		each.wait()
		codes[strconv.Itoa(each.cmd.ProcessState.ExitCode())]++
	}
	for status, wanted := range statuses {
		require(codes[status] == numberOf(wanted), "status %s: expected %v times, actual %v", status, wanted, codes)
	}
}

func (s *stage) stepStart(argv any, step object) {
	name := step.text("as")
	s.running[name] = s.start(listOf(argv.([]any)), step)
}

func (s *stage) stepKill(name any, _ object) { _ = s.running[name.(string)].cmd.Process.Kill() }

func (s *stage) stepWait(name any, step object) {
	p := s.running[name.(string)]
	delete(s.running, name.(string))
	p.finish(take[any](step, "expect", nil))
}

func until(condition func() bool, format string, args ...any) {
	for end := time.Now().Add(guard); !condition(); time.Sleep(nap) {
		require(time.Now().Before(end), format, args...)
	}
}

func (s *stage) double(name any) *cmdmox.Double {
	double := s.doubles[name.(string)]
	require(double != nil, "the scenario is malformed: no double %v", name)
	return double
}

func (s *stage) stepAwait(name any, step object) {
	calls := step.number("calls")
	until(func() bool { return s.double(name).CallCount() >= calls }, "%v did not get %d calls", name, calls)
}

func (s *stage) stepRelease(gate any, step object) {
	calls, gone := step.number("calls"), 0
	until(func() bool { gone += s.mox().Release(gate.(string)); return gone >= calls }, "%d calls are to go on at %v", calls, gate)
	require(gone == calls, "%d calls are to go on at %v, and %d did", calls, gate, gone)
}

func (s *stage) stepFile(path any, step object) {
	content, err := os.ReadFile(path.(string))
	require(err == nil, "%v", err)
	expect(path.(string), take[any](step, "content", ""), string(content))
	if mode := step.text("mode"); mode != "" {
		wanted, _ := strconv.ParseUint(mode, 8, 32)
		info := must(os.Stat(path.(string)))
		require(info.Mode().Perm() == os.FileMode(wanted), "%v: expected mode %s, actual %o", path, mode, info.Mode().Perm())
	}
}
