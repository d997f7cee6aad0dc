package cmdmox

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "cmdmox/internal/v1"
)

// Response is what a command answers: first the chunks, then, after Delay, the files, Stdout and Stderr; then it exits, dies by
// the signal, or hangs until it is killed. The zero Response is no output and exit status 0.
type Response struct {
	Stdout, Stderr string
	ExitCode       int    // 0 to 255
	Signal         string // "SIGTERM"
	Hang           bool
	Delay          time.Duration
	Chunks         []Chunk
	Files          []File
	// Gate holds the call until Release names it; not for the answer of a handler.
	Gate string
}

// Chunk is a piece of output that is written on its own, Delay after the one before it; without data it is a pause.
type Chunk struct {
	Data     string
	Delay    time.Duration
	ToStderr bool
}

// File is a file that the call makes, from its working directory, or that gets this content when it is there. Directories are
// not made.
type File struct {
	Path, Content string
	// Mode is permission bits, up to 0o777; 0: 0o666 less the umask of the call.
	Mode os.FileMode
}

// Passthrough says how the real command runs. The zero Passthrough captures both streams whole.
type Passthrough struct {
	// Timeout is when the command gets TERM, and KillAfter (5 s) later KILL; 0: never.
	Timeout, KillAfter time.Duration
	// CaptureMaxBytes of each stream are kept; 0: all.
	CaptureMaxBytes int
	// Uncaptured has stdout and stderr go where they went without a shim; nothing of them is kept.
	Uncaptured bool
	// Gate holds the call until Release names it.
	Gate string
	// Program runs in place of the real command, as it would: a path, of which a relative one is taken from where the test is.
	Program string
}

// milliseconds of a duration; what is above 0 is at least 1.
func milliseconds(d time.Duration, what string) (uint32, error) {
	if d < 0 || d > math.MaxUint32*time.Millisecond {
		return 0, mistake("%s is %v: give 0 to %v", what, d, math.MaxUint32*time.Millisecond)
	}
	if d > 0 && d < time.Millisecond {
		return 1, nil
	}
	return uint32(d / time.Millisecond), nil
}

func replyOf(said Response) (*v1.Reply, error) {
	delay, err := milliseconds(said.Delay, "Delay")
	if err != nil {
		return nil, err
	}
	if said.ExitCode < 0 || said.ExitCode > 255 {
		return nil, mistake("ExitCode is %d, not 0 to 255", said.ExitCode)
	}
	reply := &v1.Reply{StdoutData: []byte(said.Stdout), StderrData: []byte(said.Stderr), DelayMs: delay}
	switch {
	case said.Hang && (said.Signal != "" || said.ExitCode != 0):
		return nil, mistake("a command that hangs has neither ExitCode nor Signal")
	case said.Hang:
		reply.End = &v1.Reply_Hang{Hang: true}
	case said.Signal != "" && said.ExitCode != 0:
		return nil, mistake("a command that dies by a signal has no ExitCode")
	case said.Signal != "":
		reply.End = &v1.Reply_Signal{Signal: utf8Text(said.Signal)}
	default:
		reply.End = &v1.Reply_ExitCode{ExitCode: uint32(said.ExitCode)}
	}
	return reply, nil
}

func chunksOf(said []Chunk) ([]*v1.TimedChunk, error) {
	var out []*v1.TimedChunk
	for i, chunk := range said {
		delay, err := milliseconds(chunk.Delay, fmt.Sprintf("Delay of Chunks[%d]", i))
		if err != nil {
			return nil, err
		}
		out = append(out, &v1.TimedChunk{Data: []byte(chunk.Data), ToStderr: chunk.ToStderr, DelayMs: delay})
	}
	return out, nil
}

func filesOf(said []File) ([]*v1.FileEffect, error) {
	var out []*v1.FileEffect
	for i, file := range said {
		if file.Mode&^0o777 != 0 {
			return nil, mistake("Mode of Files[%d] is %v: give permission bits, up to 0o777", i, file.Mode)
		}
		out = append(out, &v1.FileEffect{Path: []byte(file.Path), Content: []byte(file.Content), Mode: uint32(file.Mode)})
	}
	return out, nil
}

func answerAction(said Response) (*v1.DoubleAction, error) {
	reply, err := replyOf(said)
	if err != nil {
		return nil, err
	}
	chunks, err := chunksOf(said.Chunks)
	if err != nil {
		return nil, err
	}
	files, err := filesOf(said.Files)
	if err != nil {
		return nil, err
	}
	return &v1.DoubleAction{Kind: &v1.DoubleAction_Reply{Reply: reply}, Chunks: chunks, Files: files, Gate: utf8Text(said.Gate)}, nil
}

func passAction(said Passthrough) (*v1.DoubleAction, error) {
	if said.KillAfter != 0 && said.Timeout == 0 {
		return nil, mistake("KillAfter is %v, and there is no Timeout that it could follow", said.KillAfter)
	}
	if said.CaptureMaxBytes < 0 {
		return nil, mistake("CaptureMaxBytes is %d: give 1 or more, or 0 for all", said.CaptureMaxBytes)
	}
	if said.CaptureMaxBytes != 0 && said.Uncaptured {
		return nil, mistake("CaptureMaxBytes is %d, and with Uncaptured nothing is captured", said.CaptureMaxBytes)
	}
	timeout, err := milliseconds(said.Timeout, "Timeout")
	if err != nil {
		return nil, err
	}
	killAfter, err := milliseconds(said.KillAfter, "KillAfter")
	if err != nil {
		return nil, err
	}
	program := said.Program
	if program != "" {
		if program, err = filepath.Abs(program); err != nil {
			return nil, mistake("Program is %q: %v", said.Program, err)
		}
	}
	how := &v1.Passthrough{
		CaptureStdout: !said.Uncaptured, CaptureStderr: !said.Uncaptured, CaptureMaxBytes: uint64(said.CaptureMaxBytes),
		TimeoutMs: timeout, KillAfterMs: killAfter, Program: []byte(program),
	}
	return &v1.DoubleAction{Kind: &v1.DoubleAction_Passthrough{Passthrough: how}, Gate: utf8Text(said.Gate)}, nil
}

// handled is what a handler returned, as an answer.
func handled(said Response) (*v1.HandleResponse, error) {
	if said.Gate != "" {
		return nil, mistake("its answer has a Gate, %q: a handler waits by itself", strings.ToValidUTF8(said.Gate, "?"))
	}
	action, err := answerAction(said)
	if err != nil {
		return nil, err
	}
	return &v1.HandleResponse{
		Outcome: &v1.HandleResponse_Reply{Reply: action.GetReply()}, Chunks: action.Chunks, Files: action.Files,
	}, nil
}
