package tests

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cmdmox"
)

func TestHandler_answers(t *testing.T) {
	for i, each := range []struct {
		response cmdmox.Response
		expected done
	}{
		{cmdmox.Response{}, done{}},
		{cmdmox.Response{Stdout: "\xff", Stderr: "e", ExitCode: 3}, done{status: 3, out: "\xff", err: "e"}},
		{cmdmox.Response{Signal: "SIGTERM"}, done{status: -1, signal: syscall.SIGTERM}},
		{cmdmox.Response{Stdout: "b", Chunks: []cmdmox.Chunk{{Data: "a"}, {Data: "e", ToStderr: true}}, Delay: 1}, done{out: "ab", err: "e"}},
		{cmdmox.Response{Stdout: strings.Repeat("x", 2_000_000)}, done{out: strings.Repeat("x", 2_000_000)}},
	} {
		mox := cmdmox.New(t)
		response := each.response
		mox.Mock("cmd").Runs(func(*cmdmox.Call) cmdmox.Response { return response })
		if actual := run(t, mox, "cmd"); actual != each.expected {
			t.Errorf("%d: expected %.200v, actual %.200v", i, each.expected, actual)
		}
	}
}

func TestHandler_knows_its_call(t *testing.T) {
	mox := cmdmox.New(t)
	place := t.TempDir()
	var seen *cmdmox.Call
	mox.Mock("cmd").CaptureStdin().WithoutEnv("GONE").WithEnv("LEVEL", "2").Runs(func(call *cmdmox.Call) cmdmox.Response {
		seen = call
		return cmdmox.Response{Stdout: strings.ToUpper(call.Stdin()), Files: []cmdmox.File{{Path: "made", Content: call.Args()[0], Mode: 0o750}}}
	})
	cmd := mox.Command("cmd", "a", "b")
	cmd.Dir, cmd.Stdin = place, strings.NewReader("text")
	equal(t, finished(t, cmd).out, "TEXT")
	equal(t, mox.CallCount("cmd"), 1) // from here on what the handler wrote can be read
	equal(t, seen.String(), "call 1: cmd a b")
	equal(t, seen.Cwd, place)
	level, set := seen.LookupEnv("LEVEL")
	equal(t, level, "2")
	equal(t, set, true)
	content, err := os.ReadFile(filepath.Join(place, "made"))
	if err != nil || string(content) != "a" {
		t.Errorf("%v %q", err, content)
	}
	level, _ = mox.Journal()[0].LookupEnv("LEVEL")
	equal(t, level, "2")
	_, set = mox.Journal()[0].LookupEnv("GONE")
	equal(t, set, false)
}

// onFailing has a method as its handler.
type onFailing struct{}

func (onFailing) answer(call *cmdmox.Call) cmdmox.Response {
	panic(fmt.Errorf("no %s", call.Args()[0]))
}

type shy struct{}

func (shy) String() string { panic("it does not say") }

func TestHandler_that_fails_fails_the_call_and_the_test(t *testing.T) {
	var nothing map[string]int
	for _, each := range []struct {
		name    string
		handler cmdmox.Handler
		text    string
	}{
		{"Fatalf", func(call *cmdmox.Call) cmdmox.Response {
			call.Fatalf("no %s", call.Args()[0])
			return cmdmox.Response{}
		}, "no disk (handlers_test.go:"},
		{"panic", onFailing{}.answer, "panic: no disk (handlers_test.go:"},
		{"method", onFailing{}.answer, "onFailing.answer"},
		{"runtime", func(*cmdmox.Call) cmdmox.Response { nothing["a"] = 1; return cmdmox.Response{} }, "panic: assignment to entry in nil map (handlers_test.go:"},
		{"string", func(*cmdmox.Call) cmdmox.Response { panic(shy{}) }, "handlers_test.go:"},
		{"nul", func(*cmdmox.Call) cmdmox.Response { panic("a\x00b\xff") }, "panic: a?b"},
		{"stdin", func(call *cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: call.Stdin()} },
			"the stdin of this call of cmd was not read: say CaptureStdin() or WithStdin() of the double that runs this handler (handlers_test.go:"},
		{"code", func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{ExitCode: 256} }, "function at handlers_test.go:"},
		{"code text", func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{ExitCode: -1} }, "ExitCode is -1, not 0 to 255"},
		{"gate", func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{Gate: "g"} }, `its answer has a Gate, "g"`},
		{"signal", func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{Signal: "TERM"} }, `"TERM" is not the name of a signal`},
		{"large", func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: strings.Repeat("x", 17<<20)} }, "bytes, and the server takes at most"},
	} {
		t.Run(each.name, func(t *testing.T) {
			o := inside(func(o *outcome) {
				mox := cmdmox.New(o)
				mox.Mock("cmd").Runs(each.handler)
				equal(t, run(t, mox, "cmd", "disk").status, 125)
			})
			if len(o.errs) != 1 {
				t.Fatalf("one failure was expected: %s", o.text())
			}
			contains(t, o.text(), each.text)
			equal(t, strings.Count(o.text(), "failed: function at"), 0) // the handler is named once
			var failed *cmdmox.VerificationError
			if !errors.As(o.errs[0], &failed) || failed.Report.Findings[0].Kind != "HANDLER_FAILED" {
				t.Errorf("HANDLER_FAILED was expected: %v", o.errs[0])
			}
		})
	}
}

func TestHandler_panic_is_told_with_its_stack(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("cmd").Runs(onFailing{}.answer)
		run(t, mox, "cmd", "disk")
	})
	contains(t, o.text(), "What a handler or a predicate raised:\n\npanic: no disk\n", "handlers_test.go:")
}

func TestHandler_that_ends_its_goroutine(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("cmd").Runs(func(*cmdmox.Call) cmdmox.Response { o.Fatal(errors.New("enough")); return cmdmox.Response{} })
		equal(t, run(t, mox, "cmd").status, 125)
	})
	contains(t, strings.Join(o.logs, "\n"), "it ended its goroutine (testing.T.FailNow, or runtime.Goexit) and gave no answer: say call.Fatalf()")
}

func TestHandler_that_makes_a_mistake(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("cmd").Runs(func(*cmdmox.Call) cmdmox.Response { mox.Stub("a/b"); return cmdmox.Response{} })
		equal(t, run(t, mox, "cmd").status, 125)
	})
	equal(t, reasonOf(o.fatal), "BAD_COMMAND_NAME")
}

func TestHandler_writes_what_the_test_reads_when_it_has_asked(t *testing.T) {
	for name, ask := range map[string]func(*cmdmox.CmdMox){
		"CallCount": func(mox *cmdmox.CmdMox) { equal(t, mox.CallCount("cmd"), 1) }, "Verify": func(mox *cmdmox.CmdMox) { mox.Verify() },
		"Journal":     func(mox *cmdmox.CmdMox) { equal(t, len(mox.Journal()), 1) },
		"Invocations": func(mox *cmdmox.CmdMox) { equal(t, len(mox.Invocations("cmd")), 1) },
	} {
		mox := cmdmox.New(t)
		seen := 0 // the race detector watches it
		mox.Mock("cmd").Runs(func(*cmdmox.Call) cmdmox.Response { seen++; return cmdmox.Response{} })
		if err := mox.Command("cmd").Run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		ask(mox)
		equal(t, seen, 1)
	}
}

func TestHandler_that_hangs_ends_within_its_deadline(t *testing.T) {
	enough := make(chan struct{})
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o, cmdmox.CallbackDeadline(200*time.Millisecond))
		mox.Mock("cmd").Runs(func(*cmdmox.Call) cmdmox.Response { <-enough; return cmdmox.Response{} })
		mox.Mock("judged").WithMatchingArgs(func(string) bool { <-enough; return true })
		equal(t, run(t, mox, "cmd").status, 125)
		equal(t, run(t, mox, "judged", "x").status, 125)
	})
	close(enough)
	if strings.Count(o.text(), "it has not answered within 200 ms: give the session a longer callback deadline") < 2 {
		t.Error(o.text())
	}
}

func TestHandler_may_end_a_session_of_its_own(t *testing.T) {
	mox := cmdmox.New(t)
	mox.Mock("cmd").Runs(func(*cmdmox.Call) cmdmox.Response {
		other := cmdmox.New(t)
		other.Stub("inner").Returns(cmdmox.Response{Stdout: "inside"})
		out := run(t, other, "inner").out
		other.Close()
		return cmdmox.Response{Stdout: out}
	})
	equal(t, run(t, mox, "cmd").out, "inside")
}

func TestHandler_may_not_end_its_session(t *testing.T) {
	for name, forbidden := range map[string]func(*cmdmox.CmdMox){
		"Replay": (*cmdmox.CmdMox).Replay, "Close": (*cmdmox.CmdMox).Close, "Verify": func(mox *cmdmox.CmdMox) { mox.Verify() },
	} {
		o := inside(func(o *outcome) {
			mox := cmdmox.New(o)
			mox.Mock("cmd").Runs(func(*cmdmox.Call) cmdmox.Response { forbidden(mox); return cmdmox.Response{} })
			equal(t, run(t, mox, "cmd").status, 125)
		})
		equal(t, reasonOf(o.fatal), "BAD_STATE")
		contains(t, o.text(), name+": a handler or a predicate may not call it")
	}
}

func TestHandler_runs_mocked_commands_and_declares(t *testing.T) {
	mox := cmdmox.New(t)
	mox.Mock("outer").Runs(func(*cmdmox.Call) cmdmox.Response {
		mox.Stub("later").Returns(cmdmox.Response{Stdout: "there"})
		return cmdmox.Response{Stdout: run(t, mox, "inner", "x").out + run(t, mox, "later").out}
	})
	mox.Mock("inner").WithMatchingArgs(func(value string) bool { return value == "x" }).
		Runs(func(*cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: "inside "} })
	equal(t, run(t, mox, "outer").out, "inside there")
}

func TestHandler_a_hundred_at_the_same_time(t *testing.T) {
	const many = 100
	var together sync.WaitGroup
	together.Add(many)
	mox := cmdmox.New(t)
	stub := mox.Stub("cmd").Runs(func(*cmdmox.Call) cmdmox.Response {
		together.Done()
		together.Wait() // for all others
		return cmdmox.Response{}
	})
	var callers sync.WaitGroup
	for i := 0; i < many; i++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			if err := mox.Command("cmd").Run(); err != nil {
				t.Error(err)
			}
		}()
	}
	callers.Wait()
	equal(t, stub.CallCount(), many)
}

func TestPredicate_that_panics(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("cmd").WithMatchingArgs(cmdmox.Predicate("is a number", func(string) bool { panic("gave up") }))
		equal(t, run(t, mox, "cmd", "a").status, 125)
	})
	contains(t, o.text(), "is a number", "panic: gave up (handlers_test.go:")
}

func TestPredicate_has_a_name_in_reports(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("cmd").WithMatchingArgs(cmdmox.Predicate("a number", isNumber), isNumber, func(string) bool { return true })
		contains(t, run(t, mox, "cmd", "x", "1", "z").err, "a number")
	})
	contains(t, o.text(), "a number", "isNumber", "function at handlers_test.go:")
}

func isNumber(value string) bool { return strings.Trim(value, "0123456789") == "" }
