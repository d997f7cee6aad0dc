package cmdmox

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "cmdmox/internal/v1"
)

// Location is a place in the test.
type Location struct {
	File     string // as it is named from where the test runs
	Line     int
	Function string
}

func (l Location) String() string { return fmt.Sprintf("%s:%d", l.File, l.Line) }

func (l Location) message() *v1.Location {
	return &v1.Location{File: utf8Text(l.File), Line: uint32(l.Line), Function: utf8Text(l.Function)}
}

// Where the process was started; a test may go elsewhere.
var startedIn, _ = os.Getwd()

func short(file string) string {
	if below, err := filepath.Rel(startedIn, file); err == nil && startedIn != "" && !strings.HasPrefix(below, "..") {
		return below
	}
	return file
}

// packageOf is that of a function as the runtime names it: "example.com/a/b.(*T).Method" is of "example.com/a/b".
func packageOf(function string) string {
	begin := strings.LastIndex(function, "/") + 1
	if dot := strings.Index(function[begin:], "."); dot >= 0 {
		return function[:begin+dot]
	}
	return function
}

var ours = func() string {
	pc, _, _, _ := runtime.Caller(0)
	return packageOf(runtime.FuncForPC(pc).Name())
}()

func locationOf(frame runtime.Frame) Location {
	return Location{File: short(frame.File), Line: frame.Line, Function: frame.Function}
}

// caller is where the test said it: the first frame outside of this package.
func caller() Location {
	var place Location
	eachFrame(func(frame runtime.Frame) bool {
		if packageOf(frame.Function) == ours {
			return true
		}
		place = locationOf(frame)
		return false
	})
	return place
}

// eachFrame goes through the calls of this goroutine, the last first, as long as it is told to go on.
func eachFrame(look func(runtime.Frame) bool) {
	pcs := make([]uintptr, 64)
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		frames := runtime.CallersFrames(pcs[:n])
		for n > 0 {
			frame, more := frames.Next()
			if !look(frame) {
				return
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return
		}
	}
}
