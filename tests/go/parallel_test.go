package tests

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"cmdmox"
)

func TestParallel_sessions_do_not_meet(t *testing.T) {
	before := os.Getenv("PATH")
	for i := 0; i < 16; i++ {
		own := fmt.Sprint(i)
		t.Run(own, func(t *testing.T) {
			t.Parallel()
			mox := cmdmox.New(t)
			mox.Mock("git").WithArgs(own).Returns(cmdmox.Response{Stdout: own})
			mox.Mock("ssh").Times(4).Runs(func(call *cmdmox.Call) cmdmox.Response { return cmdmox.Response{Stdout: own + call.Args()[0]} })
			equal(t, run(t, mox, "git", own).out, own)
			for _, host := range []string{"a", "b", "c", "d"} {
				equal(t, run(t, mox, "/bin/sh", "-c", "ssh "+host).out, own+host)
			}
			equal(t, len(mox.Journal()), 5)
		})
	}
	t.Cleanup(func() { equal(t, os.Getenv("PATH"), before) })
}

func TestParallel_one_session_in_many_goroutines(t *testing.T) {
	const many = 20
	mox := cmdmox.New(t)
	var all sync.WaitGroup
	for i := 0; i < many; i++ {
		all.Add(1)
		go func(own string) {
			defer all.Done()
			double := mox.Mock("git").WithMatchingArgs(cmdmox.Predicate("own", func(value string) bool { return value == own })).Times(2)
			for _, suffix := range []string{"", ""} {
				if err := mox.Command("git", own+suffix).Run(); err != nil {
					t.Error(err)
				}
			}
			equal(t, double.CallCount(), 2)
		}(fmt.Sprint("n", i))
	}
	all.Wait()
	equal(t, mox.CallCount("git"), 2*many)
	equal(t, len(mox.Invocations("git")), 2*many)
	equal(t, len(mox.Doubles()), many)
}

func TestParallel_the_last_slot_of_a_mock_is_taken_once(t *testing.T) {
	o := inside(func(o *outcome) {
		mox := cmdmox.New(o)
		mox.Mock("git").Times(3)
		codes := make(chan int, 8)
		for i := 0; i < cap(codes); i++ {
			cmd := mox.Command("git")
			go func() {
				_ = cmd.Run()
				codes <- cmd.ProcessState.ExitCode()
			}()
		}
		accepted := 0
		for i := 0; i < cap(codes); i++ {
			if <-codes == 0 {
				accepted++
			}
		}
		equal(t, accepted, 3)
	})
	if strings.Count(o.text(), "too many") != 1 {
		t.Error(o.text())
	}
}
