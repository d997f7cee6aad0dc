// Command go runs the scenarios of tests/conformance through the Go client; ../README.md has the format.
//
//	CMDMOX_PROGRAM=build/dev/bin/cmdmox conformance_go tests/conformance/scenarios [NAME...]
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const (
	scenarioGuard = 240 * time.Second
	// What this program is told to be instead, when it starts itself.
	childWord, execWord = "-child", "-exec"
)

type scenario struct {
	Name     string
	About    string
	Smoke    bool
	Needs    []string
	Programs map[string]string
	Steps    []object
}

// lacking is what scenarios may need and this client has not, and why.
var lacking = map[string]string{
	"forget": "every session of Go is verified when its test ends: there is none that nobody looks at",
}

var provided = map[string]bool{
	"handlers": true, "predicates": true, "failing-predicates": true, "refine": true, "live": true, "recording": true, "mistakes": true,
	"gates": true, "passthrough": true, "contained": true, "absent": true, "assertions": true, "drain_stdin": true,
	"journal-bound": true, "raw": true, "reports": true, "findings": true, "journal": true, "reasons": true,
}

type command struct {
	smoke, broken bool
	address       string
	folder        string
	names         []string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == execWord {
		execRaw(os.Args[2])
	}
	if len(os.Args) > 1 && os.Args[1] == childWord {
		child(os.Args[2], os.Args[3])
	}
	os.Exit(parse(os.Args[1:]).run())
}

func parse(words []string) command {
	var said command
	for _, word := range words {
		switch {
		case word == "--smoke":
			said.smoke = true
		case word == "--broken":
			said.broken = true
		case strings.HasPrefix(word, "--connect="):
			said.address = strings.TrimPrefix(word, "--connect=")
		case strings.HasPrefix(word, "--"):
			usage()
		case said.folder == "":
			said.folder = word
		default:
			said.names = append(said.names, word)
		}
	}
	if said.folder == "" {
		usage()
	}
	return said
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: conformance_go [--smoke] [--broken] [--connect=ADDRESS] FOLDER [NAME...]")
	os.Exit(2)
}

func (c command) wants(name string) bool {
	for _, each := range c.names {
		if strings.HasPrefix(name, each) {
			return true
		}
	}
	return len(c.names) == 0
}

func (c command) run() int {
	files, _ := filepath.Glob(filepath.Join(c.folder, "*.json"))
	sort.Strings(files)
	passed, skipped, failed := 0, 0, 0
	for _, file := range files {
		for _, each := range scenariosOf(file) {
			name := strings.TrimSuffix(filepath.Base(file), ".json") + "/" + each.Name
			if !c.wants(name) || c.smoke && !each.Smoke {
				continue
			}
			if why := skip(each); why != "" {
				skipped++
				fmt.Printf("skip %s: %s\n", name, why)
				continue
			}
			text := isolated(file, each, c.address)
			switch {
			case (text != "") != c.broken:
				failed++
				if text == "" {
					text = "it passes, and should not"
				}
				fmt.Printf("not ok %s\n    %s\n", name, strings.ReplaceAll(text, "\n", "\n    "))
			case c.broken:
				passed++
				fmt.Printf("ok %s (%s)\n", name, strings.SplitN(text, "\n", 2)[0])
			default:
				passed++
				fmt.Printf("ok %s\n", name)
			}
		}
	}
	fmt.Printf("%d passed, %d skipped, %d failed\n", passed, skipped, failed)
	if failed > 0 || passed == 0 {
		return 1
	}
	return 0
}

func scenariosOf(file string) []scenario {
	text, err := os.ReadFile(file)
	var found []scenario
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
		os.Exit(2)
	}
	return found
}

func skip(each scenario) string {
	for _, need := range each.Needs {
		if why, lacks := lacking[need]; lacks {
			return why
		}
		if !provided[need] {
			fmt.Fprintf(os.Stderr, "%s is needed, and this runner knows nothing of it\n", need)
			os.Exit(2)
		}
	}
	return ""
}

// isolated performs a scenario in a process of its own; what is wrong, or "".
func isolated(file string, each scenario, address string) string {
	place, err := os.MkdirTemp("", "cmdmox-conformance-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(place)
	file, _ = filepath.Abs(file)
	for _, folder := range []string{"work", "programs", "tmp"} {
		if err := os.Mkdir(filepath.Join(place, folder), 0o755); err != nil {
			return err.Error()
		}
	}
	var said bytes.Buffer
	own := exec.Command(self(), childWord, file, each.Name)
	own.Env = append(os.Environ(), "TMPDIR="+place+"/tmp", "CMOX_TMPDIR="+place+"/tmp", "CONFORMANCE_ADDRESS="+address)
	own.Dir, own.Stdout, own.Stderr = filepath.Join(place, "work"), &said, os.Stderr
	timer := time.AfterFunc(scenarioGuard, func() { _ = own.Process.Kill() })
	err = own.Run()
	timer.Stop()
	if err != nil && said.Len() == 0 {
		return fmt.Sprintf("the scenario's process ended with %v", err)
	}
	if said.Len() > 0 {
		return strings.TrimSpace(said.String())
	}
	left, _ := filepath.Glob(place + "/tmp/*")
	if len(left) > 0 {
		return fmt.Sprintf("the scenario leaves %v", left)
	}
	return ""
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// child performs one scenario, and writes what is wrong to stdout.
func child(file, name string) {
	for _, each := range scenariosOf(file) {
		if each.Name == name {
			if text := perform(each); text != "" {
				fmt.Println(text)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	panic("no scenario " + name)
}

func perform(each scenario) (text string) {
	place := filepath.Dir(must(os.Getwd()))
	for name, content := range each.Programs {
		check(os.WriteFile(filepath.Join(place, "programs", name), []byte(content), 0o755))
	}
	if each.Programs != nil {
		check(os.Setenv("PATH", place+"/programs:"+os.Getenv("PATH")))
	}
	stage := newStage(os.Getenv("CONFORMANCE_ADDRESS"))
	check(os.Unsetenv("CONFORMANCE_ADDRESS"))
	defer stage.close()
	for i, step := range each.Steps {
		if text := stage.take(step); text != "" {
			return fmt.Sprintf("step %d: %s", i+1, text)
		}
	}
	return ""
}

func check(err error) {
	if err != nil {
		panic(mismatch(err.Error()))
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}
