package tests

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cmdmox"
)

// When the other side does not play along: each ends in a clear failure, and nothing is left.

func TestAdverse_odd_servers(t *testing.T) {
	for _, each := range []struct{ odd, reason, text string }{
		{"refuses", "VERSION_MISMATCH", "New: this server speaks versions 2 to 3, you speak 1 to 1"},
		{"refuses and leaves", "VERSION_MISMATCH", "New: this server speaks versions 2 to 3, you speak 1 to 1"},
		{"version", "VERSION_MISMATCH", "the server speaks version 2 of the protocol, this package version 1: use those of one release"},
		{"garbage", "BAD_FRAME", "what the server says is no frame of cmdmox: "},
		{"silent", "DEADLINE_EXCEEDED", "the server did not answer within 300ms: it hangs, or is none of cmdmox"},
		{"ends", "LINK_CLOSED", "ended with status 3; what it had to say is on stderr, and a new session starts another one"},
		{"leaves", "BAD_FRAME", "the server closed the link: that was no frame"},
		{"shorter", "BAD_PAYLOAD", "the server's answer to CreateSession cannot be read"},
		{"half", "LINK_CLOSED", "closed its output"},
		{"deaf", "DEADLINE_EXCEEDED", "the server has said nothing of CreateSession for 3s: it is stopped, or the machine is overloaded"},
	} {
		t.Run(each.odd, func(t *testing.T) {
			t.Setenv("ODD", each.odd)
			patience := map[string]string{"silent": "0.3", "deaf": "3"}[each.odd]
			if patience == "" {
				patience = "none"
			}
			t.Setenv("CMOX_IPC_TIMEOUT", patience)
			o := inside(func(o *outcome) { cmdmox.New(o, cmdmox.Program(os.Args[0])) })
			equal(t, reasonOf(o.fatal), each.reason)
			contains(t, o.text(), each.text)
			cmdmox.Shutdown()
		})
	}
}

func TestAdverse_no_program(t *testing.T) {
	real := os.Getenv("CMDMOX_PROGRAM")
	t.Setenv("CMDMOX_PROGRAM", "")
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	o := inside(func(o *outcome) { cmdmox.New(o) })
	equal(t, reasonOf(o.fatal), "NO_SERVER")
	contains(t, o.text(), "there is no cmdmox program on PATH: install cmdmox, or set CMDMOX_PROGRAM, or say cmdmox.New(t, cmdmox.Program(")
	t.Setenv("PATH", filepath.Dir(real)+":"+path)
	mox := cmdmox.New(t) // found there
	mox.Stub("git")
	equal(t, run(t, mox, "git").status, 0)
}

func TestAdverse_programs_that_are_none(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cmdmox")
	for _, each := range []struct {
		mode os.FileMode
		text string
	}{{0, "is no file"}, {0o644, "is not executable"}, {0o755, "cannot be started: "}} {
		if each.mode != 0 {
			if err := os.WriteFile(file, []byte("\x7fELF nothing"), each.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, each.mode); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("CMDMOX_PROGRAM", file)
		for _, options := range [][]cmdmox.Option{nil, {cmdmox.Program(file)}} {
			o := inside(func(o *outcome) { cmdmox.New(o, options...) })
			equal(t, reasonOf(o.fatal), "NO_SERVER")
			contains(t, o.text(), each.text, file)
		}
	}
	o := inside(func(o *outcome) { cmdmox.New(o, cmdmox.Program("x"), cmdmox.Connect("unix:/x")) })
	contains(t, o.text(), "the one of Connect() has its own")
}

func TestAdverse_timeouts_that_are_none(t *testing.T) {
	for _, text := range []string{"soon", "0", "-1", "nan", "1e3", "86401"} {
		t.Setenv("CMOX_IPC_TIMEOUT", text)
		o := inside(func(o *outcome) { cmdmox.New(o) })
		equal(t, reasonOf(o.fatal), "BAD_TIMEOUT")
		contains(t, o.text(), `CMOX_IPC_TIMEOUT is "`+text+`": write seconds, such as 5 or 0.5, or none`)
	}
}

// serverOf is the one child of this process that serves.
func serverOf(t *testing.T) int {
	t.Helper()
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for _, word := range strings.Fields(string(text)) {
			command, _ := os.ReadFile("/proc/" + word + "/cmdline")
			if strings.Contains(string(command), "\x00serve\x00") {
				pid, _ := strconv.Atoi(word)
				return pid
			}
		}
	}
	t.Fatal("there is no server")
	return 0
}

func state(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

func TestAdverse_a_server_that_dies(t *testing.T) {
	cmdmox.Shutdown()
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("git")
		if err := syscall.Kill(serverOf(t), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		ended := run(t, mox, "git")
		equal(t, ended.status, 125)
		equal(t, strings.Count(ended.err, "\n"), 1)
	})
	if len(o.errs) != 1 {
		t.Fatalf("one failure was expected: %s", o.text())
	}
	equal(t, reasonOf(o.errs[0]), "LINK_CLOSED")
	if !regexp.MustCompile(`when the test ends: the cmdmox server \(.*, process \d+\) was killed by signal 9 \(killed\)`).MatchString(o.text()) {
		t.Error(o.text())
	}
	mox := cmdmox.New(t) // a new session has a new server
	mox.Mock("git")
	equal(t, run(t, mox, "git").status, 0)
}

func TestAdverse_a_server_that_dies_while_a_handler_runs(t *testing.T) {
	cmdmox.Shutdown()
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("git").Runs(func(*cmdmox.Call) cmdmox.Response {
			_ = syscall.Kill(serverOf(t), syscall.SIGKILL)
			return cmdmox.Response{}
		})
		equal(t, run(t, mox, "git").status, 125)
	})
	equal(t, len(o.errs), 1)
}

func TestAdverse_a_server_that_is_stopped(t *testing.T) {
	cmdmox.Shutdown()
	t.Setenv("CMOX_IPC_TIMEOUT", "2") // a server of its own, with this patience
	pid := 0
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		pid = serverOf(t)
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
		until(t, "it is stopped", func() bool { return state(pid) == "T" })
		mox.Stub("git").WithArgs(strings.Repeat("x", 1<<20))
	})
	equal(t, reasonOf(o.fatal), "DEADLINE_EXCEEDED")
	contains(t, o.text(), "Stub: the server has said nothing of CreateDoubles for 2s")
	t.Cleanup(cmdmox.Shutdown)
	mox := cmdmox.New(t) // in place of that one
	equal(t, state(pid), "")
	mox.Stub("git")
	equal(t, run(t, mox, "git").status, 0)
}

func listening(t *testing.T) (string, *exec.Cmd) {
	t.Helper()
	place, err := os.MkdirTemp("", "cmx")
	if err != nil {
		t.Fatal(err)
	}
	address := "unix:" + place + "/s"
	server := exec.Command(os.Getenv("CMDMOX_PROGRAM"), "serve", "--listen", address)
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = out.Read(make([]byte, 256)) // its address: it listens
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
		_ = os.RemoveAll(place)
	})
	return address, server
}

func TestAdverse_a_server_that_listens(t *testing.T) {
	address, server := listening(t)
	one, two := cmdmox.New(t, cmdmox.Connect(address)), cmdmox.New(t, cmdmox.Connect(address))
	one.Mock("git").Runs(func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: "one"} })
	two.Mock("git").Runs(func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: "two"} })
	equal(t, run(t, one, "git").out, "one")
	equal(t, run(t, two, "git").out, "two")
	one.Close()
	two.Close()
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o, cmdmox.Connect(address))
		mox.Mock("git")
		_ = mox.Env()
		_ = server.Process.Kill()
		_, _ = server.Process.Wait()
	})
	contains(t, o.text(), "when the test ends: the server at "+address+" closed the link: it has ended, or was told to")
	o = inside(func(o *outcome) { cmdmox.New(o, cmdmox.Connect(address)) })
	contains(t, o.text(), "nobody listens there any more")
}

func TestAdverse_addresses_without_a_server(t *testing.T) {
	for _, each := range []struct{ address, reason, text string }{
		{"unix:/nowhere/s", "NO_SERVER", "no server at /nowhere/s: there is no such socket; start one with: cmdmox serve --listen ADDRESS"},
		{"/nowhere/s", "NO_SERVER", "no server at /nowhere/s"},
		{"tcp:localhost:1", "UNSUPPORTED_SCHEME", "unsupported address scheme: tcp:localhost:1; write unix:/path/to/socket"},
		{"unix:", "BAD_ADDRESS", `malformed address: "unix:"; write unix:/path/to/socket`},
		{"unix:/" + strings.Repeat("x", 107), "PATH_TOO_LONG", "at most 107 bytes are possible"},
	} {
		o := inside(func(o *outcome) { cmdmox.New(o, cmdmox.Connect(each.address)) })
		equal(t, reasonOf(o.fatal), each.reason)
		contains(t, o.text(), each.text)
	}
}

func TestAdverse_a_server_of_another_user(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	place, err := os.MkdirTemp("", "cmx")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(place)
	if err := os.Chmod(place, 0o777); err != nil {
		t.Fatal(err)
	}
	ready := make(chan net.Listener)
	go func() { // whose a socket is decides who listens: a thread that is another user, and ends so
		lockedAs(12345, func() {
			listener, _ := net.Listen("unix", place+"/s")
			ready <- listener
		})
	}()
	listener := <-ready
	if listener == nil {
		t.Skip("a thread cannot be another user here")
	}
	defer listener.Close()
	o := inside(func(o *outcome) { cmdmox.New(o, cmdmox.Connect("unix:"+place+"/s")) })
	equal(t, reasonOf(o.fatal), "PERMISSION_DENIED")
	contains(t, o.text(), "belongs to another user (uid 12345): its commands would run as you; start one of your own")
}

func TestAdverse_the_terminal_interrupts_the_test_and_not_its_server(t *testing.T) {
	if os.Getenv("INSIDE") != "" {
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		mox := cmdmox.New(t)
		mox.Mock("git").Times(2)
		equal(t, run(t, mox, "git").status, 0)
		if group, err := syscall.Getpgid(serverOf(t)); err != nil || group == syscall.Getpgrp() {
			t.Errorf("the server is in the group of the test: %v", err)
		}
		_, _ = os.Stdout.WriteString("ready\n")
		<-interrupted
		equal(t, run(t, mox, "git").status, 0)
		return
	}
	own := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	own.Env = append(os.Environ(), "INSIDE=1")
	own.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what a terminal interrupts is a group
	out, err := own.StdoutPipe()
	if err == nil {
		err = own.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	line, _ := said.ReadString('\n')
	equal(t, line, "ready\n")
	if err := syscall.Kill(-own.Process.Pid, syscall.SIGINT); err != nil {
		t.Error(err)
	}
	rest, _ := io.ReadAll(said)
	if err := own.Wait(); err != nil {
		t.Errorf("%v: %s", err, rest)
	}
}
