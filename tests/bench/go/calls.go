// Command go_calls prints what a call costs that a function of Go answers or judges, for cmdmox_bench: for each run one line, the
// medians in us of /bin/true, of a call with a handler, and of one with a predicate, taken in turn.
//
//	go_calls PROGRAM RUNS CALLS
//
// One run more than asked is made: the first warms up.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"time"

	"cmdmox"
)

// bench is what the session is given for a test: whatever is wrong ends the program.
type bench struct{ cleanups []func() }

func (b *bench) Helper()            {}
func (b *bench) Name() string       { return "bench" }
func (b *bench) Cleanup(f func())   { b.cleanups = append(b.cleanups, f) }
func (b *bench) Setenv(_, _ string) {}
func (b *bench) Failed() bool       { return false }
func (b *bench) Skipped() bool      { return false }
func (b *bench) Log(...any)         {}
func (b *bench) Error(args ...any)  { b.Fatal(args...) }
func (b *bench) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(1)
}

func (b *bench) spawn(path string, how *os.ProcAttr) float64 {
	start := time.Now()
	process, err := os.StartProcess(path, []string{path, "describe", "--tags"}, how)
	if err != nil {
		b.Fatal(err)
	}
	state, err := process.Wait()
	took := time.Since(start)
	if err != nil || !state.Success() {
		b.Fatal(path, state, err)
	}
	return float64(took.Nanoseconds()) / 1000
}

func main() {
	b := &bench{}
	if len(os.Args) != 4 {
		b.Fatal("usage: go_calls PROGRAM RUNS CALLS")
	}
	runs, _ := strconv.Atoi(os.Args[2])
	calls, _ := strconv.Atoi(os.Args[3])
	mox := cmdmox.New(b, cmdmox.Program(os.Args[1]))
	answer := cmdmox.Response{Stdout: "v1.4.0\n"}
	handled := mox.Stub("handled").Runs(func(*cmdmox.Call) cmdmox.Response { return answer })
	judged := mox.Stub("judged").WithMatchingArgs("describe", func(value string) bool { return value == "--tags" }).Returns(answer)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	how := &os.ProcAttr{Env: mox.Env(), Files: []*os.File{null, null, os.Stderr}}
	commands := []string{"/bin/true", mox.ShimDirectory() + "/handled", mox.ShimDirectory() + "/judged"}
	for run := 0; run <= runs; run++ {
		samples := make([][]float64, len(commands))
		for i := 0; i < calls; i++ {
			for at, command := range commands {
				samples[at] = append(samples[at], b.spawn(command, how))
			}
		}
		if run > 0 {
			fmt.Printf("%.3f %.3f %.3f\n", median(samples[0]), median(samples[1]), median(samples[2]))
		}
	}
	if made := (runs + 1) * calls; handled.CallCount() != made || judged.CallCount() != made {
		b.Fatal(made, "calls were made of each, the journal has", handled.CallCount(), "and", judged.CallCount())
	}
	for _, each := range b.cleanups {
		each()
	}
}

func median(samples []float64) float64 {
	sort.Float64s(samples)
	return samples[len(samples)/2]
}
