package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cmdmox"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// ---- Handlers and predicates

// ending: what hangs does so until the scenario ends.
var ending = make(chan struct{})

var predicates = map[string]func(string) bool{
	"is-even":   func(value string) bool { return value != "" && strings.Contains("02468", value[len(value)-1:]) },
	"has-an-ff": func(value string) bool { return strings.Contains(value, "\xff") },
	"hangs":     func(string) bool { <-ending; return true },
	"raises":    func(string) bool { panic("the predicate gave up") },
}

func (s *stage) handlerOf(words any) cmdmox.Handler {
	said := listOf(words.([]any))
	name, rest := said[0], said[1:]
	text := func(text string) cmdmox.Response { return cmdmox.Response{Stdout: text} }
	return func(call *cmdmox.Call) cmdmox.Response {
		switch name {
		case "echo-args":
			out := ""
			for _, arg := range call.Args() {
				out += arg + "\n"
			}
			return text(out)
		case "echo-stdin":
			return text(call.Stdin())
		case "echo-env":
			if value, set := call.LookupEnv(rest[0]); set {
				return text(value)
			}
			return text("(not set)")
		case "answer":
			status, _ := strconv.Atoi(rest[2])
			return cmdmox.Response{Stdout: rest[0], Stderr: rest[1], ExitCode: status}
		case "run":
			out, err := s.mox().Command(rest[0], rest[1:]...).Output()
			if err != nil {
				call.Fatalf("%v", err)
			}
			return text(string(out))
		case "hang":
			<-ending
		case "nonsense":
			return cmdmox.Response{ExitCode: 256}
		case "fail":
			call.Fatalf("%s", rest[0])
		}
		panic("no such handler: " + name)
	}
}

// ---- Answers

func replyOf(of object) cmdmox.Response {
	response := cmdmox.Response{
		Stdout: of.bytes("stdout"), Stderr: of.bytes("stderr"), ExitCode: of.number("exit_code"), Signal: of.text("signal"),
		Delay: ms(of.number("delay_ms")), Hang: of.flag("hang"), Gate: of.text("gate"),
	}
	for _, each := range of.list("chunks") {
		chunk := objectOf(each)
		made := cmdmox.Chunk{ToStderr: chunk.has("stderr"), Delay: ms(chunk.number("after_ms"))}
		made.Data = chunk.bytes("stdout") + chunk.bytes("stderr")
		chunk.empty()
		response.Chunks = append(response.Chunks, made)
	}
	for _, each := range of.list("files") {
		file := objectOf(each)
		mode, _ := strconv.ParseUint("0"+file.text("mode"), 8, 32)
		response.Files = append(response.Files, cmdmox.File{Path: file.bytes("path"), Content: file.bytes("content"), Mode: os.FileMode(mode)})
		file.empty()
	}
	return response
}

func passingOf(of object) cmdmox.Passthrough {
	program := of.bytes("program")
	if program != "" { // of one of the scenario's
		program = filepath.Join("..", "programs", program)
	}
	return cmdmox.Passthrough{
		Timeout: ms(of.number("timeout_ms")), KillAfter: ms(of.number("kill_after_ms")), CaptureMaxBytes: of.number("capture_max_bytes"),
		Uncaptured: !take(of, "captured", true), Gate: of.text("gate"), Program: program,
	}
}

// ---- Refinements

type refinement func(s *stage, d *cmdmox.Double, value any)

func plain(refine func(d *cmdmox.Double)) refinement {
	return func(_ *stage, d *cmdmox.Double, _ any) { refine(d) }
}

func counting(refine func(d *cmdmox.Double, n int)) refinement {
	return func(_ *stage, d *cmdmox.Double, value any) { refine(d, int(value.(float64))) }
}

// answering is for those whose value is an object, with `times` where it is for some calls.
func answering(refine func(d *cmdmox.Double, of object, times int)) refinement {
	return func(_ *stage, d *cmdmox.Double, value any) {
		of := objectOf(value)
		times := of.number("times")
		refine(d, of, times)
		of.empty()
	}
}

var refinements = map[string]refinement{
	"with_args": func(_ *stage, d *cmdmox.Double, value any) { d.WithArgs(listOf(value.([]any))...) },
	"with_matching_args": func(_ *stage, d *cmdmox.Double, value any) {
		d.WithMatchingArgs(all(value)...)
	},
	"with_stdin": func(_ *stage, d *cmdmox.Double, value any) { d.WithStdin(matcherOf(value)) },
	"with_cwd":   func(_ *stage, d *cmdmox.Double, value any) { d.WithCwd(matcherOf(value)) },
	"with_env": func(_ *stage, d *cmdmox.Double, value any) {
		of := objectOf(value)
		for _, name := range sortedNames(of) {
			if of[name] == nil {
				d.WithoutEnv(name)
			} else {
				d.WithEnv(name, bytesOf(of[name]))
			}
		}
	},
	"with_matching_env": func(_ *stage, d *cmdmox.Double, value any) {
		of := objectOf(value)
		for _, name := range sortedNames(of) {
			d.WithMatchingEnv(name, matcherOf(of[name]))
		}
	},
	"capture_stdin": answering(func(d *cmdmox.Double, of object, _ int) {
		if len(of) == 0 {
			d.CaptureStdin()
		} else {
			d.CaptureStdinUpTo(of.number("max_bytes"), ms(of.number("deadline_ms")))
		}
	}),
	"drain_stdin": plain(func(d *cmdmox.Double) { d.DrainStdin() }),
	"never":       plain(func(d *cmdmox.Double) { d.Never() }),
	"any_times":   plain(func(d *cmdmox.Double) { d.AnyTimes() }),
	"any_order":   plain(func(d *cmdmox.Double) { d.AnyOrder() }),
	"times":       counting(func(d *cmdmox.Double, n int) { d.Times(n) }),
	"at_least":    counting(func(d *cmdmox.Double, n int) { d.AtLeast(n) }),
	"at_most":     counting(func(d *cmdmox.Double, n int) { d.AtMost(n) }),
	"between": func(_ *stage, d *cmdmox.Double, value any) {
		bounds := value.([]any)
		d.Between(int(bounds[0].(float64)), int(bounds[1].(float64)))
	},
	"after":             func(s *stage, d *cmdmox.Double, value any) { d.After(s.doubles[value.(string)]) },
	"returns":           answering(func(d *cmdmox.Double, of object, _ int) { d.Returns(replyOf(of)) }),
	"returns_once":      answering(func(d *cmdmox.Double, of object, _ int) { d.ReturnsOnce(replyOf(of)) }),
	"returns_times":     answering(func(d *cmdmox.Double, of object, times int) { d.ReturnsTimes(times, replyOf(of)) }),
	"passthrough":       answering(func(d *cmdmox.Double, of object, _ int) { d.Passthrough(passingOf(of)) }),
	"passthrough_once":  answering(func(d *cmdmox.Double, of object, _ int) { d.PassthroughOnce(passingOf(of)) }),
	"passthrough_times": answering(func(d *cmdmox.Double, of object, times int) { d.PassthroughTimes(times, passingOf(of)) }),
	"runs":              func(s *stage, d *cmdmox.Double, value any) { d.Runs(s.handlerOf(value)) },
	"runs_once":         func(s *stage, d *cmdmox.Double, value any) { d.RunsOnce(s.handlerOf(value)) },
	"runs_times": func(s *stage, d *cmdmox.Double, value any) {
		of := objectOf(value)
		d.RunsTimes(of.number("times"), s.handlerOf(of["handler"]))
	},
}

func (s *stage) refine(d *cmdmox.Double, that []any) {
	for _, each := range that {
		name, value := objectOf(each).only()
		refine, known := refinements[name]
		require(known, "no such refinement: %s", name)
		refine(s, d, value)
	}
}

// ---- Steps that declare

func (s *stage) declare(kind string) func(any, object) {
	return func(command any, step object) {
		text := bytesOf(command)
		name, that := step.text("as"), step.list("that")
		if name == "" {
			name = text
		}
		s.refused(step, func() {
			make := map[string]func(string) *cmdmox.Double{"mock": s.mox().Mock, "stub": s.mox().Stub, "spy": s.mox().Spy}[kind]
			s.doubles[name] = make(text)
			s.refine(s.doubles[name], that)
		})
	}
}

func (s *stage) stepSession(said any, step object) {
	of := objectOf(said)
	options := []cmdmox.Option{}
	if of.flag("contained") {
		options = append(options, cmdmox.Contained())
	}
	if of.has("label") {
		options = append(options, cmdmox.Label(of.text("label")))
	}
	if of.has("max_journal_entries") {
		options = append(options, cmdmox.MaxJournalEntries(of.number("max_journal_entries")))
	}
	if of.has("callback_deadline_ms") {
		options = append(options, cmdmox.CallbackDeadline(ms(of.number("callback_deadline_ms"))))
	}
	if format := of.text("report"); format != "" {
		check(os.Setenv("CMOX_REPORT", format))
		defer os.Unsetenv("CMOX_REPORT")
	}
	of.empty()
	s.refused(step, func() { s.begin(options...) })
}

func (s *stage) named(names []any) []*cmdmox.Double {
	found := []*cmdmox.Double{}
	for _, name := range names {
		found = append(found, s.doubles[name.(string)])
	}
	return found
}

func (s *stage) stepDefault(said any, step object) {
	kind, how := objectOf(said).only()
	of := objectOf(how)
	s.refused(step, func() {
		switch kind {
		case "returns":
			s.mox().DefaultReturns(replyOf(of))
		case "passthrough":
			s.mox().DefaultPassthrough(passingOf(of))
		case "fails":
			s.mox().DefaultFails()
		default:
			require(false, "no such default: %s", kind)
		}
	})
	of.empty()
}
