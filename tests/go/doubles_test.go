package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cmdmox"
)

func TestDouble_mistakes_end_the_test_where_they_are_made(t *testing.T) {
	nested := any("x")
	for i := 0; i < 70; i++ {
		nested = cmdmox.Not(nested)
	}
	cases := []struct {
		name, reason, text string
		make               func(mox *cmdmox.CmdMox)
	}{
		{"name", "BAD_COMMAND_NAME", "Mock: ", func(mox *cmdmox.CmdMox) { mox.Mock("a/b") }},
		{"regex", "BAD_REGEX", "WithMatchingArgs: ", func(mox *cmdmox.CmdMox) { mox.Mock("x").WithMatchingArgs(cmdmox.Regex("(")) }},
		{"matcher", "BAD_MATCHER", "argument 2: int 3 is no matcher: give a string, []byte, a matcher, or a func(string) bool",
			func(mox *cmdmox.CmdMox) { mox.Mock("x").WithMatchingArgs("a", 3) }},
		{"nil", "BAD_MATCHER", "argument 1: nil is no matcher", func(mox *cmdmox.CmdMox) { mox.Mock("x").WithMatchingArgs(nil) }},
		{"rest", "BAD_MATCHER", "Rest stands only in the list of WithMatchingArgs()", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").WithStdin(cmdmox.Rest("a"))
		}},
		{"unset", "BAD_MATCHER", "Unset is for variables", func(mox *cmdmox.CmdMox) { mox.Mock("x").WithCwd(cmdmox.Unset()) }},
		{"kind", "BAD_MATCHER", `IsA does not know "date"`, func(mox *cmdmox.CmdMox) { mox.Mock("x").WithCwd(cmdmox.IsA("date")) }},
		{"json", "BAD_MATCHER", "JSONEquals: json: unsupported type", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").WithCwd(cmdmox.JSONEquals(make(chan int)))
		}},
		{"nested", "BAD_MATCHER", "matchers are nested more than 64 deep", func(mox *cmdmox.CmdMox) { mox.Mock("x").WithCwd(nested) }},
		{"predicate", "BAD_MATCHER", "the predicate is nil", func(mox *cmdmox.CmdMox) { mox.Mock("x").WithCwd(cmdmox.Predicate("p", nil)) }},
		{"handler", "INVALID_ARGUMENT", "Runs: the handler is nil", func(mox *cmdmox.CmdMox) { mox.Mock("x").Runs(nil) }},
		{"variable", "INVALID_ARGUMENT", `WithEnv: "A=B" is no name of a variable`, func(mox *cmdmox.CmdMox) { mox.Mock("x").WithEnv("A=B", "") }},
		{"code", "INVALID_ARGUMENT", "Returns: ExitCode is 256, not 0 to 255", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").Returns(cmdmox.Response{ExitCode: 256})
		}},
		{"signal", "", "SIGNAL", func(mox *cmdmox.CmdMox) { mox.Mock("x").Returns(cmdmox.Response{Signal: "no SIGNAL"}) }},
		{"both", "INVALID_ARGUMENT", "dies by a signal has no ExitCode", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").Returns(cmdmox.Response{Signal: "SIGTERM", ExitCode: 1})
		}},
		{"hang", "INVALID_ARGUMENT", "a command that hangs has neither", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").Returns(cmdmox.Response{Hang: true, ExitCode: 1})
		}},
		{"delay", "INVALID_ARGUMENT", "Delay is -1s: give 0 to ", func(mox *cmdmox.CmdMox) { mox.Mock("x").Returns(cmdmox.Response{Delay: -time.Second}) }},
		{"chunk", "INVALID_ARGUMENT", "Delay of Chunks[1] is -1ns", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").Returns(cmdmox.Response{Chunks: []cmdmox.Chunk{{}, {Delay: -1}}})
		}},
		{"mode", "INVALID_ARGUMENT", "Mode of Files[0] is ", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").Returns(cmdmox.Response{Files: []cmdmox.File{{Path: "a", Mode: 0o1777}}})
		}},
		{"turns", "INVALID_ARGUMENT", "ReturnsTimes: the number of calls is 0: give 1 or more", func(mox *cmdmox.CmdMox) {
			mox.Mock("x").ReturnsTimes(0, cmdmox.Response{})
		}},
		{"kill", "INVALID_ARGUMENT", "KillAfter is 1s, and there is no Timeout", func(mox *cmdmox.CmdMox) {
			mox.Spy("x").Passthrough(cmdmox.Passthrough{KillAfter: time.Second})
		}},
		{"capture", "INVALID_ARGUMENT", "with Uncaptured nothing is captured", func(mox *cmdmox.CmdMox) {
			mox.Spy("x").Passthrough(cmdmox.Passthrough{CaptureMaxBytes: 1, Uncaptured: true})
		}},
		{"bytes", "INVALID_ARGUMENT", "CaptureMaxBytes is -1", func(mox *cmdmox.CmdMox) {
			mox.Spy("x").Passthrough(cmdmox.Passthrough{CaptureMaxBytes: -1})
		}},
		{"stdin", "INVALID_ARGUMENT", "CaptureStdinUpTo: the number of bytes is -1", func(mox *cmdmox.CmdMox) { mox.Spy("x").CaptureStdinUpTo(-1, 0) }},
		{"count", "INVALID_ARGUMENT", "Times: a stub may be called any number of times; make it a mock", func(mox *cmdmox.CmdMox) { mox.Stub("x").Times(2) }},
		{"below", "INVALID_ARGUMENT", "AtLeast: the number of calls is below 0", func(mox *cmdmox.CmdMox) { mox.Mock("x").AtLeast(-1) }},
		{"between", "INVALID_ARGUMENT", "the least number of calls, 3, is above the greatest, 2", func(mox *cmdmox.CmdMox) { mox.Mock("x").Between(3, 2) }},
		{"after", "INVALID_ARGUMENT", "After: the other double is nil", func(mox *cmdmox.CmdMox) { mox.Mock("x").After(nil) }},
		{"order", "INVALID_ARGUMENT", "InOrder: number 2 of the list: the other double is nil", func(mox *cmdmox.CmdMox) { mox.InOrder(mox.Mock("x"), nil) }},
		{"allow", "BAD_STATE", "Allow: ", func(mox *cmdmox.CmdMox) { mox.Allow("cat") }},
		{"absent", "BAD_STATE", "Absent: say it before replay", func(mox *cmdmox.CmdMox) { mox.Absent("cat") }},
		{"format", "INVALID_ARGUMENT", `Report: the format is "xml"`, func(mox *cmdmox.CmdMox) { mox.Report("xml") }},
		{"verified", "BAD_STATE", "Stub: ", func(mox *cmdmox.CmdMox) { mox.Verify(); mox.Stub("x") }},
		{"closed", "BAD_STATE", "Stub: this session has ended: make a new one", func(mox *cmdmox.CmdMox) { mox.Close(); mox.Stub("x") }},
		{"replayed", "BAD_STATE", "Replay: this session was verified: make a new one", func(mox *cmdmox.CmdMox) { mox.Verify(); mox.Replay() }},
		{"large", "FRAME_TOO_LARGE", "bytes, and the server takes at most", func(mox *cmdmox.CmdMox) {
			mox.Stub("x").Returns(cmdmox.Response{Stdout: strings.Repeat("x", 17<<20)})
		}},
		{"assertion", "INVALID_ARGUMENT", "an assertion about calls takes no functions", func(mox *cmdmox.CmdMox) {
			mox.Spy("x").AssertAnyCall(func(string) bool { return true })
		}},
	}
	for _, each := range cases {
		t.Run(each.name, func(t *testing.T) {
			passed := false
			o := inside(func(o *outcome) {
				mox := cmdmox.New(o)
				_ = mox.Env()
				each.make(mox)
				passed = true
			})
			if passed || o.fatal == nil || each.reason != "" && reasonOf(o.fatal) != each.reason {
				t.Fatalf("it was expected to end with %s: %v %v", each.reason, reasonOf(o.fatal), o.fatal)
			}
			contains(t, o.fatal.Error(), "cmdmox: ", each.text)
		})
	}
}

func TestDouble_options_that_are_wrong(t *testing.T) {
	for text, option := range map[string]cmdmox.Option{
		"New: CallbackDeadline is -1s":          cmdmox.CallbackDeadline(-time.Second),
		"New: MaxJournalEntries is 0":           cmdmox.MaxJournalEntries(0),
		"New: unsupported address scheme: tcp:": cmdmox.Connect("tcp:localhost:1"),
	} {
		o := inside(func(o *outcome) { cmdmox.New(o, option) })
		contains(t, o.text(), text)
	}
	t.Setenv("CMOX_REPORT", "xml")
	o := inside(func(o *outcome) { cmdmox.New(o) })
	contains(t, o.text(), `CMOX_REPORT is "xml": write text, json, junit or tap`)
}

func TestDouble_bytes_make_the_way(t *testing.T) {
	odd := "\xff\xfe\x80 \n\x01"
	mox := cmdmox.New(t)
	mox.Mock("cmd").WithArgs(odd, "").WithStdin(odd).WithMatchingEnv("ODD", odd).Returns(cmdmox.Response{Stdout: odd, Stderr: odd})
	cmd := mox.Command("cmd", odd, "")
	cmd.Env = append(cmd.Env, "ODD="+odd)
	cmd.Stdin = strings.NewReader(odd)
	ended := finished(t, cmd)
	equal(t, ended, done{out: odd, err: odd})
	call := mox.Journal()[0]
	value, _ := call.LookupEnv("ODD")
	equal(t, strings.Join(call.Args(), "|"), odd+"|")
	equal(t, call.Stdin.Text, odd)
	equal(t, value, odd)
}

func TestDouble_output_of_two_megabytes(t *testing.T) {
	mox := cmdmox.New(t)
	large := strings.Repeat("0123456789abcdef", 1<<17)
	mox.Mock("cmd").CaptureStdin().Runs(func(call *cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: call.Stdin()} })
	if fed(t, mox, large, "cmd").out != large {
		t.Error("it is another output")
	}
	if mox.Journal()[0].Stdin.Text != large {
		t.Error("it is another stdin in the journal")
	}
}

func TestDouble_stdin_that_no_one_frame_holds(t *testing.T) {
	mox := cmdmox.New(t)
	large := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB, what is captured at most
	same := func(text string) string { return fmt.Sprint(text == large) }
	mox.Mock("cmd").CaptureStdin().Runs(func(call *cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: same(call.Stdin())} })
	equal(t, fed(t, mox, large, "cmd").out, "true")
	equal(t, same(mox.Journal()[0].Stdin.Text), "true")
}

// The line that a report suggests is Go, and accepts the call when it is pasted: its parts are looked at here, that it is Go and accepts
// the call by what is run in a module of its own (docs_test.go).
var suggested = []struct {
	args []string
	line string
}{
	{[]string{"plain"}, `mox.Mock("git").WithArgs("plain")`},
	{[]string{}, `mox.Mock("git").WithArgs()`},
	{[]string{"", "\xff1", "é\n\"\\"}, `mox.Mock("git").WithArgs("", "\3771", "é\n\"\\")`},
	{[]string{"--password", "hunter" + "2"}, `mox.Mock("git").WithMatchingArgs("--password", cmdmox.Any())`},
}

func TestDouble_suggestions(t *testing.T) {
	for _, each := range suggested {
		o := inside(func(o *outcome) {
			mox := cmdmox.New(o)
			mox.RegisterCommand("git")
			run(t, mox, "git", each.args...)
			equal(t, mox.Report(cmdmox.FormatText).Findings[0].Suggestion, each.line)
		})
		equal(t, len(o.errs), 1)
	}
}

func TestDouble_assertions_fail_the_test_which_goes_on(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		spy := mox.Spy("git")
		equal(t, spy.AssertCalled(), false)
		equal(t, spy.AssertNotCalled(), true)
		run(t, mox, "git", "a")
		run(t, mox, "git", "b")
		equal(t, spy.AssertCallCount(2), true)
		equal(t, spy.AssertCallCount(1), false)
		equal(t, spy.AssertCalledWith("a"), false)
		equal(t, spy.AssertAnyCall(cmdmox.StartsWith("a")), true)
		equal(t, spy.AssertHasCalls([]any{"a"}, []any{"b"}), true)
		equal(t, spy.AssertHasCalls([]any{"b"}, []any{"a"}), false)
		equal(t, spy.AssertHasCallsInAnyOrder([]any{"b"}, []any{"a"}), true)
	})
	equal(t, len(o.errs), 4)
	contains(t, o.text(), "cmdmox: AssertCalled: ", "AssertCallCount: spy git (doubles_test.go:",
		"): expected 1 call, actual 2\n  git a\n  git b", "AssertCalledWith: ", "AssertHasCalls: ")
	for _, err := range o.errs {
		if text := err.Error(); strings.Count(text, "cmdmox: ") != 1 || strings.HasSuffix(text, "\n") {
			t.Errorf("one prefix and no empty line at the end were expected: %q", text)
		}
	}
}

func TestDouble_that_a_mistake_left_unfinished_is_not_called_missing(t *testing.T) {
	for name, wrong := range map[string]func(*cmdmox.Double){
		"here":          func(double *cmdmox.Double) { double.Times(2).Returns(cmdmox.Response{ExitCode: 256}) },
		"of the server": func(double *cmdmox.Double) { double.WithMatchingArgs(cmdmox.Regex("(")) },
	} {
		o := inside(func(o *outcome) {
			mox := cmdmox.New(o)
			_ = mox.Command("make")
			wrong(mox.Mock("git"))
		})
		if o.fatal == nil || len(o.errs) > 0 || len(o.logs) > 0 {
			t.Errorf("%s: the mistake alone was expected: %s %v", name, o.text(), o.logs)
		}
		o = inside(func(o *outcome) {
			mox := cmdmox.New(o)
			_ = mox.Command("make")
			mox.Mock("make")
			wrong(mox.Mock("git"))
		})
		logs := strings.Join(o.logs, "\n")
		contains(t, logs, "never called: mock make")
		equal(t, strings.Contains(logs, "mock git"), false)
	}
}
