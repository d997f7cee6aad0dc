package tests

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cmdmox"
)

// What is left: goroutines, descriptors, processes, directories. Each test of this file runs again, alone, in a process of its own.

// again runs this test in a process of its own, where INSIDE is set; its directory of sessions is looked at by the caller.
func again(t *testing.T, place string) *exec.Cmd {
	own := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	own.Env = append(os.Environ(), "INSIDE=1", "CMOX_TMPDIR="+place)
	return own
}

func sessions(t *testing.T) string {
	t.Helper()
	place, err := os.MkdirTemp("", "cmx") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(place) })
	return place
}

func entries(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

func open(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, each := range entries("/proc/self/fd/*") {
		if to, err := os.Readlink(each); err == nil && !strings.Contains(to, "anon_inode") { // the runtime's own poller
			found[each] = to
		}
	}
	return found
}

func TestLeaks_nothing_is_left_by_sessions_and_Shutdown(t *testing.T) {
	if os.Getenv("INSIDE") == "" {
		place := sessions(t)
		ended := finished(t, again(t, place))
		equal(t, ended.status, 0)
		equal(t, ended.out+ended.err, "PASS\n")
		equal(t, strings.Join(entries(place+"/*"), " "), "")
		return
	}
	use := func(t *testing.T) {
		mox := cmdmox.New(t)
		mox.Stub("git").WithMatchingArgs(cmdmox.Rest(func(string) bool { return true })).
			Runs(func(call *cmdmox.Call) cmdmox.Response { return cmdmox.Response{} })
		for i := 0; i < 3; i++ {
			equal(t, run(t, mox, "git", "a").status, 0)
		}
	}
	t.Run("", use) // what the runtime keeps for good
	goroutines, files := runtime.NumGoroutine(), open(t)
	for i := 0; i < 20; i++ {
		t.Run("", use)
	}
	until(t, "handlers end", func() bool { return runtime.NumGoroutine() <= goroutines })
	equal(t, len(open(t)), len(files))
	pid := serverOf(t)
	cmdmox.Shutdown()
	equal(t, state(pid), "")
	equal(t, len(open(t)), len(files)-2)
	until(t, "the link's goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines-2 })
}

func TestLeaks_the_server_ends_with_the_process(t *testing.T) {
	if os.Getenv("INSIDE") != "" {
		mox := cmdmox.New(t)
		mox.Stub("git")
		equal(t, run(t, mox, "git").status, 0)
		_, _ = os.Stdout.WriteString("server " + strconv.Itoa(serverOf(t)) + "\n")
		if os.Getenv("INSIDE") == "wait" {
			select {}
		}
		os.Exit(0) // no cleanup, no Shutdown
	}
	for _, killed := range []bool{false, true} {
		place := sessions(t)
		own := again(t, place)
		if killed {
			own.Env = append(own.Env, "INSIDE=wait")
		}
		out, err := own.StdoutPipe()
		if err == nil {
			err = own.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "server ")))
		if err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if killed {
			_ = own.Process.Signal(syscall.SIGKILL)
		}
		_ = own.Wait()
		until(t, "the server ends", func() bool { return state(pid) == "" || state(pid) == "Z" })
		until(t, "its directories go", func() bool { return len(entries(place+"/*")) == 0 })
	}
}
