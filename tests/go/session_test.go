package tests

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cmdmox"
)

func TestSession_verifies_when_the_test_ends(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("git").WithArgs("push") // the mock
		equal(t, run(t, mox, "git", "pull").status, 125)
	})
	if len(o.errs) != 1 || o.fatal != nil {
		t.Fatalf("one failure was expected: %s", o.text())
	}
	var failed *cmdmox.VerificationError
	if !errors.As(o.errs[0], &failed) || failed.Report == nil {
		t.Fatalf("not a report: %v", o.errs[0])
	}
	place := lineOf(t, "session_test.go", "the mock")
	contains(t, o.text(), "cmdmox: verification failed: 2 problems", "the nearest is mock git push ("+place+")",
		`mox.Mock("git").WithArgs("pull")`, "2. never called: mock git push ("+place+")")
	contains(t, strings.Join(o.logs, "\n"), "cmdmox: the calls:\n1. git pull: status 125, unexpected")
	equal(t, failed.Report.Findings[0].Location, place)
}

func TestSession_is_verified_when_the_test_says_so(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("git").Times(30)
		for i := 0; i < 22; i++ {
			run(t, mox, "git")
		}
		equal(t, mox.Verify().Passed, false)
		equal(t, len(o.errs), 1)
	})
	equal(t, len(o.errs), 1) // not once more when it ends
	contains(t, strings.Join(o.logs, "\n"), "\n20. git: status 0, mock (session_test.go:", "\nand 2 more")
}

func TestSession_that_is_well_says_nothing(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("git").Returns(cmdmox.Response{Stdout: "ok\n"})
		equal(t, run(t, mox, "git").out, "ok\n")
		equal(t, mox.Verify().Passed, true)
		equal(t, mox.Phase(), "verified")
	})
	if o.Failed() || len(o.logs) > 0 {
		t.Errorf("nothing was expected: %s %v", o.text(), o.logs)
	}
}

func TestSession_of_a_test_that_fails_by_itself_is_logged(t *testing.T) {
	own := errors.New("the test's own failure")
	o := inside(func(o *outcome) {
		cmdmox.New(o, cmdmox.ApplyEnv()).Mock("git")
		o.Error(own)
	})
	if len(o.errs) != 1 || o.errs[0] != own {
		t.Errorf("the test's own failure counts: %s", o.text())
	}
	contains(t, strings.Join(o.logs, "\n"), "never called: mock git")
}

func TestSession_of_a_test_that_is_skipped_is_not_judged(t *testing.T) {
	o := inside(func(o *outcome) {
		cmdmox.New(o, cmdmox.ApplyEnv()).Mock("git")
		o.skipped = true
	})
	if o.Failed() {
		t.Errorf("a test that is skipped failed: %s", o.text())
	}
}

func TestSession_whose_environment_nobody_asked_for(t *testing.T) {
	o := inside(func(o *outcome) { cmdmox.New(o).Stub("git") })
	contains(t, o.text(), "nobody asked for its environment: the commands were the real ones", "cmdmox.ApplyEnv()", "session_test.go")
	o = inside(func(o *outcome) { cmdmox.New(o) })
	equal(t, o.text(), "")
}

func TestSession_whose_environment_nobody_asked_for_before_Verify(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Stub("git")
		mox.Verify()
	})
	contains(t, o.text(), "nobody asked for its environment: the commands were the real ones")
}

func TestSession_of_which_only_Env_was_asked(t *testing.T) {
	const advice = "exec.Command looks up on this process's PATH: use mox.Command or ApplyEnv"
	for name, ask := range map[string]func(mox *cmdmox.CmdMox){
		"Env": func(mox *cmdmox.CmdMox) {
			cmd := exec.Command("true") // the real one, at once
			cmd.Env = mox.Env()
			equal(t, finished(t, cmd).status, 0)
		},
		"ShimDirectory": func(mox *cmdmox.CmdMox) { _ = mox.ShimDirectory() },
		"Verify":        func(mox *cmdmox.CmdMox) { _ = mox.Env(); mox.Verify() },
	} {
		o := inside(func(o *outcome) {
			mox := cmdmox.New(o)
			mox.Stub("true")
			ask(mox)
		})
		equal(t, o.text(), "")
		if logs := strings.Join(o.logs, "\n"); strings.Count(logs, advice) != 1 {
			t.Errorf("%s: the advice was expected once: %q", name, logs)
		}
		o = inside(func(o *outcome) {
			mox := cmdmox.New(o)
			mox.Mock("true")
			ask(mox)
		})
		contains(t, o.text(), "never called: mock true", advice)
	}
	for name, reach := range map[string]func(mox *cmdmox.CmdMox){
		"Command":  func(mox *cmdmox.CmdMox) { _ = mox.Command("/bin/true").Run() },
		"the call": func(mox *cmdmox.CmdMox) { _ = exec.Command(mox.ShimDirectory() + "/true").Run() },
	} {
		o := inside(func(o *outcome) {
			mox := cmdmox.New(o)
			mox.Stub("true")
			_ = mox.Env()
			reach(mox)
		})
		if o.Failed() || strings.Contains(strings.Join(o.logs, "\n"), advice) {
			t.Errorf("%s: nothing was expected: %s %v", name, o.text(), o.logs)
		}
	}
}

func TestSession_with_calls_after_its_verification(t *testing.T) {
	for _, end := range []func(*cmdmox.CmdMox){func(*cmdmox.CmdMox) {}, (*cmdmox.CmdMox).Close} {
		o := inside(func(o *outcome) {
			mox := cmdmox.New(o, cmdmox.MaxJournalEntries(22))
			mox.Mock("git").WithArgs("pull")
			run(t, mox, "git", "pull")
			equal(t, mox.Verify().Passed, true)
			for i := 0; i < 22; i++ {
				equal(t, run(t, mox, "git", "push").status, 125)
			}
			end(mox)
		})
		equal(t, len(o.errs), 1)
		contains(t, o.text(), "was verified, and then commands were called; they got status 125", "\n  git push\n", "and 2 more")
		equal(t, strings.Contains(o.text(), "git pull"), false)
	}
	o := inside(func(o *outcome) { // judged by the second one, and not twice
		mox := cmdmox.New(o)
		mox.Stub("git")
		run(t, mox, "git")
		mox.Verify()
		run(t, mox, "git")
		mox.Verify()
	})
	equal(t, strings.Contains(o.text()+strings.Join(o.logs, ""), "and then commands were called"), false)
	equal(t, len(o.errs), 1)
}

func TestSession_that_is_never_replayed(t *testing.T) {
	o := inside(func(o *outcome) { cmdmox.New(o, cmdmox.ReplayLater()).Stub("git") })
	contains(t, o.text(), "was never replayed: call Replay()")
	o = inside(func(o *outcome) {
		mox := cmdmox.New(o, cmdmox.ReplayLater())
		mox.Stub("git")
		equal(t, run(t, mox, "git").status, 125)
		mox.Replay()
		equal(t, run(t, mox, "git").status, 0)
	})
	contains(t, o.text(), "git")
}

func TestSession_applied_to_this_process(t *testing.T) {
	before := os.Getenv("PATH")
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o, cmdmox.ApplyEnv())
		mox.Mock("cmdmox-none").Returns(cmdmox.Response{Stdout: "mocked"})
		out, err := exec.Command("cmdmox-none").Output()
		if err != nil || string(out) != "mocked" {
			t.Errorf("%v %q", err, out)
		}
		other := inside(func(other *outcome) { cmdmox.New(other, cmdmox.ApplyEnv()) })
		equal(t, reasonOf(other.fatal), "ENVIRONMENT_BUSY")
		contains(t, other.text(), `the session "TestInside" (session_test.go:`)
		mox.Close()
		equal(t, os.Getenv("PATH"), before)
		second := cmdmox.New(o, cmdmox.ApplyEnv())
		if strings.Contains(strings.Join(second.Env(), "\n"), mox.ShimDirectory()) {
			t.Error("the shims of the first session are on PATH of the second")
		}
	})
	equal(t, o.text(), "")
	equal(t, os.Getenv("PATH"), before)
}

func TestSession_applied_in_a_parallel_test_is_refused(t *testing.T) {
	if os.Getenv("INSIDE") != "" {
		t.Parallel()
		cmdmox.New(t, cmdmox.ApplyEnv()) // the parallel one
		return
	}
	ended := itself(t)
	equal(t, ended.status, 1)
	contains(t, ended.out, lineOf(t, "session_test.go", "the parallel one")+": cmdmox: ApplyEnv: this test, or one around it, is parallel")
	equal(t, strings.Contains(ended.out+ended.err, "panic"), false)
	equal(t, ended.err, "")
}

// itself runs this test on its own, where it does its inner part.
func itself(t *testing.T) done {
	t.Helper()
	own := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	own.Env = append(os.Environ(), "INSIDE=1")
	return finished(t, own)
}

func TestSession_command_is_found_on_its_own_path(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH"))
	mox := cmdmox.New(t)
	mox.Stub("cmdmox-none").Returns(cmdmox.Response{Stdout: "there"})
	equal(t, run(t, mox, "cmdmox-none").out, "there")
	equal(t, run(t, mox, "/bin/sh", "-c", "cmdmox-none").out, "there")
	if err := mox.Command("cmdmox-none-2").Run(); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("not found was expected: %v", err)
	}
	// What the test does to PATH later counts.
	place := t.TempDir()
	if err := os.WriteFile(filepath.Join(place, "cmdmox-none-2"), []byte("#!/bin/sh\necho real\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", place+":"+os.Getenv("PATH"))
	equal(t, run(t, mox, "cmdmox-none-2").out, "real\n")
	equal(t, run(t, mox, "cmdmox-none").out, "there")
}

func TestSession_contained_and_absent(t *testing.T) {
	mox := cmdmox.New(t, cmdmox.Contained(), cmdmox.ReplayLater())
	mox.Allow("cat")
	mox.Absent("ls")
	mox.Stub("git").Returns(cmdmox.Response{Stdout: "x"})
	mox.Replay()
	equal(t, run(t, mox, "/bin/sh", "-c", "git | cat").out, "x")
	if err := mox.Command("ls").Run(); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("ls is to be absent: %v", err)
	}
}

func TestSession_that_has_ended_has_shims_that_refuse(t *testing.T) {
	mox := cmdmox.New(t)
	mox.Stub("git")
	before := mox.Command("git")
	late := mox.Command("git")
	equal(t, finished(t, before).status, 0)
	mox.Close()
	ended := finished(t, late)
	equal(t, ended.status, 125)
	contains(t, ended.err, "the session is over")
}

func TestSession_report_in_each_format(t *testing.T) {
	mox := cmdmox.New(t, cmdmox.Label("a <label>"))
	run(t, mox, "/bin/true")
	for format, part := range map[cmdmox.Format]string{
		cmdmox.FormatText: "", cmdmox.FormatJSON: `"a <label>"`, cmdmox.FormatJUnit: "a &lt;label&gt;", cmdmox.FormatTAP: "TAP version",
	} {
		report := mox.Report(format)
		equal(t, report.Passed, true)
		contains(t, report.Text, part)
	}
}

func TestSession_inside_go_test(t *testing.T) {
	if os.Getenv("INSIDE") != "" {
		mox := cmdmox.New(t)             // the session inside
		mox.Mock("git").WithArgs("push") // the mock inside
		run(t, mox, "git", "pull")
		return
	}
	ended := itself(t)
	equal(t, ended.status, 1)
	session := lineOf(t, "session_test.go", "the session inside")
	contains(t, ended.out, "--- FAIL: TestSession_inside_go_test",
		"    "+session+": cmdmox: verification failed: 2 problems\n",
		"mock git push ("+lineOf(t, "session_test.go", "the mock inside")+")", session+": cmdmox: the calls:\n        1. git pull: status 125, unexpected")
	equal(t, ended.err, "")
}

func TestSession_mistake_inside_go_test(t *testing.T) {
	if os.Getenv("INSIDE") != "" {
		mox := cmdmox.New(t, cmdmox.ApplyEnv())
		mox.Mock("git").
			WithMatchingArgs(cmdmox.Regex("(")) // the mistake
		return
	}
	ended := itself(t)
	equal(t, ended.status, 1)
	contains(t, ended.out, "    "+lineOf(t, "session_test.go", "the mistake")+": cmdmox: WithMatchingArgs: ")
}
