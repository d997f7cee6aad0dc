package cmdmox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	v1 "cmdmox/internal/v1"
)

// The server that sessions live in: a child of this process that all of its sessions share, or one that listens somewhere.
//
// The child is started with the first session, `cmdmox serve --stdio`. It is in a session of its own in the terminal's
// sense, so that Ctrl-C does not reach it, and ends when its stdin is closed: by Shutdown, or by the kernel when this
// process ends, whatever of. It reads its own CMOX_ variables at its start, so a session that needs others gets another
// child.

const (
	ending         = 10 * time.Second // that a server has for ending
	socketPathMost = 107
)

// What a server, or its link, reads from the environment once.
var serverVariables = []string{"CMOX_IPC_TIMEOUT", "CMOX_SHIM", "CMOX_TMPDIR", "CMOX_TRACE", "CMOX_WATCH"}

type server struct {
	link *link
	name string // for messages
	// Of a child: its process, and what is closed when it was waited for.
	process *exec.Cmd
	ended   chan struct{}
	// What this side holds open.
	files []interface{ Close() error }

	lock      sync.Mutex
	callbacks map[string]*callbacks // by their sessions
}

// start greets whoever is on the other side.
func (s *server) start(from, to stream, wait time.Duration) error {
	s.callbacks = map[string]*callbacks{}
	s.link = newLink(from.(interface {
		stream
		Read([]byte) (int, error)
	}), to, wait)
	s.link.onRequest, s.link.whyEnded = s.serve, s.whyEnded
	return s.link.greet()
}

func childServer(program string, wait time.Duration) (*server, error) {
	stdin, toStdin, err := os.Pipe()
	if err != nil {
		return nil, failure("IO", "there is no pipe for a server: %v", err)
	}
	fromStdout, stdout, err := os.Pipe()
	if err != nil {
		_, _ = stdin.Close(), toStdin.Close()
		return nil, failure("IO", "there is no pipe for a server: %v", err)
	}
	process := exec.Command(program, "serve", "--stdio")
	process.Stdin, process.Stdout, process.Stderr = stdin, stdout, os.Stderr
	process.SysProcAttr = ofItsOwn()
	err = process.Start()
	_, _ = stdin.Close(), stdout.Close()
	if err != nil {
		_, _ = toStdin.Close(), fromStdout.Close()
		return nil, failure("NO_SERVER", "%s cannot be started: %v; it was built for another system, or is no program", program, reasonOf(err))
	}
	s := &server{
		name: fmt.Sprintf("the cmdmox server (%s, process %d)", program, process.Process.Pid), process: process,
		ended: make(chan struct{}), files: []interface{ Close() error }{toStdin, fromStdout},
	}
	go func() {
		_ = process.Wait() // how it ended is in ProcessState
		close(s.ended)
	}()
	if err := s.start(fromStdout, toStdin, wait); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// reasonOf is the system's word alone, where there is one.
func reasonOf(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

func (s *server) whyEnded() string {
	if s.process == nil {
		return fmt.Sprintf("the server at %s closed the link: it has ended, or was told to", s.name)
	}
	expired, stop := after(time.Second)
	defer stop()
	select {
	case <-s.ended:
	case <-expired:
		return s.name + " closed its output"
	}
	how := fmt.Sprintf("ended with status %d", s.process.ProcessState.ExitCode())
	if status, ok := s.process.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		how = fmt.Sprintf("was killed by signal %d (%v)", int(status.Signal()), status.Signal())
	}
	return fmt.Sprintf("%s %s; what it had to say is on stderr, and a new session starts another one", s.name, how)
}

// end ends a child, or the link to one that listens, and waits for it.
func (s *server) end() {
	if s.process != nil && s.link != nil && s.link.silent.Load() { // it would not see that its stdin is closed
		_ = s.process.Process.Kill()
	}
	if s.link != nil {
		s.link.end("LINK_CLOSED", "the link to the server was ended")
	}
	if s.process == nil {
		s.close()
		<-s.link.read
		return
	}
	_ = s.files[0].Close() // its stdin
	expired, stop := after(ending)
	defer stop()
	select {
	case <-s.ended:
	case <-expired:
		_ = s.process.Process.Kill()
		<-s.ended
	}
	s.close()
	<-s.link.read
}

func (s *server) close() {
	for _, each := range s.files {
		_ = each.Close()
	}
}

// serve hears a request of the server. It may not block: the reader calls it.
func (s *server) serve(id uint32, request *v1.Request) {
	go func() {
		answer, err := s.answer(request)
		s.link.respond(id, answer, err)
	}()
}

func connectedServer(address string, wait time.Duration) (*server, error) {
	path, err := socketPath(address)
	if err != nil {
		return nil, err
	}
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		why := reasonOf(err).Error()
		switch {
		case errors.Is(err, os.ErrNotExist):
			why = "there is no such socket; start one with: cmdmox serve --listen ADDRESS"
		case errors.Is(err, syscall.ECONNREFUSED):
			why = "nobody listens there any more"
		}
		return nil, failure("NO_SERVER", "no server at %s: %s", path, why)
	}
	if err := checkOwner(connection, path); err != nil {
		_ = connection.Close()
		return nil, err
	}
	s := &server{name: address, files: []interface{ Close() error }{connection}}
	if err := s.start(connection, connection, wait); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// checkOwner: a server gives out a directory that goes first on PATH; only one of our own or of root's may.
func checkOwner(connection *net.UnixConn, path string) error {
	uid, known := peerOf(connection)
	if !known || uid == os.Geteuid() || uid == 0 {
		return nil
	}
	return failure("PERMISSION_DENIED", "the server at %s belongs to another user (uid %d): its commands would run as you; start one "+
		"of your own", path, uid)
}

func socketPath(address string) (string, error) {
	scheme, rest, colon := strings.Cut(address, ":")
	path := address
	if colon && !strings.HasPrefix(address, "/") && !strings.HasPrefix(address, ".") {
		if scheme != "unix" {
			return "", failure("UNSUPPORTED_SCHEME", "unsupported address scheme: %s; write unix:/path/to/socket", address)
		}
		path = rest
	}
	switch {
	case path == "" || strings.Contains(path, "\x00"):
		return "", failure("BAD_ADDRESS", "malformed address: %q; write unix:/path/to/socket", address)
	case len(path) > socketPathMost:
		return "", failure("PATH_TOO_LONG", "socket path too long: %s; at most %d bytes are possible", path, socketPathMost)
	}
	return path, nil
}

// The children of this process, by program and environment.
var children = struct {
	lock sync.Mutex
	all  map[string]*server
}{all: map[string]*server{}}

// sharedServer is the child that sessions with this program and this environment share; it is started, also in place of one
// that has ended, or does not answer any more.
func sharedServer(named string, wait time.Duration) (*server, error) {
	program, err := findProgram(named)
	if err != nil {
		return nil, err
	}
	key := program
	for _, name := range serverVariables {
		value, set := os.LookupEnv(name)
		key += fmt.Sprintf("\x00%t%s", set, value)
	}
	children.lock.Lock()
	defer children.lock.Unlock()
	if s := children.all[key]; s != nil {
		if s.link.why() == nil && !s.link.silent.Load() {
			return s, nil
		}
		s.end()
		delete(children.all, key)
	}
	s, err := childServer(program, wait)
	if err != nil {
		return nil, err
	}
	children.all[key] = s
	return s, nil
}

// Shutdown ends the servers of this process and waits for them, with all sessions. They end with the process by themselves:
// this is for a TestMain that looks for goroutines, processes or files that were left. A later New starts another one.
func Shutdown() {
	children.lock.Lock()
	defer children.lock.Unlock()
	for key, s := range children.all {
		s.end()
		delete(children.all, key)
	}
}
