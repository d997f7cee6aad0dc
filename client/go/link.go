package cmdmox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	v1 "cmdmox/internal/v1"
)

// One link to a server. A goroutine reads frames: it wakes the caller whose response came, and hands a request of the
// server to onRequest. A caller writes its request, under a lock, and waits for the response, or for the end of the link,
// whose reason every later call repeats. A response that nobody waits for is dropped.

const (
	magic        = 0x584d4443
	version      = 1
	frameMost    = 16 << 20
	patience     = 30 * time.Second // that a server may say nothing of a request, unless CMOX_IPC_TIMEOUT says otherwise
	patienceMost = 86400            // seconds
	service      = "cmdmox.v1.ControlService/"
	progress     = "cmdmox.v1.Progress"
)

// stream is what a link writes to: a pipe or a socket.
type stream interface {
	io.Writer
	SetWriteDeadline(time.Time) error
}

type waiter struct {
	response chan *v1.Response // room for one; closed: there will be none
	heard    atomic.Int64      // when there was a sign of life, Unix ns
}

func newWaiter() *waiter {
	w := &waiter{response: make(chan *v1.Response, 1)}
	w.heard.Store(time.Now().UnixNano())
	return w
}

type link struct {
	from      io.Reader
	to        stream
	patience  time.Duration // 0: as long as it takes
	onRequest func(id uint32, request *v1.Request)
	whyEnded  func() string

	writing   sync.Mutex
	lock      sync.Mutex // of all below
	waiting   map[uint32]*waiter
	nextID    uint32
	frameMost int
	broken    *Error
	greeting  chan *v1.HelloReply
	over      chan struct{} // closed with the first reason to end
	read      chan struct{} // closed when the reader is done
	silent    atomic.Bool   // a request has waited for too long, and nothing was heard since
}

// readPatience is CMOX_IPC_TIMEOUT: seconds, or none for as long as it takes.
func readPatience() (time.Duration, error) {
	text, set := os.LookupEnv("CMOX_IPC_TIMEOUT")
	if !set {
		return patience, nil
	}
	if text == "none" {
		return 0, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && decimal.MatchString(text) && seconds > 0 && seconds <= patienceMost {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	return 0, failure("BAD_TIMEOUT", "CMOX_IPC_TIMEOUT is %q: write seconds, such as 5 or 0.5, or none", text)
}

var decimal = regexp.MustCompile(`^([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)

func newLink(from io.Reader, to stream, patience time.Duration) *link {
	return &link{
		from: from, to: to, patience: patience, waiting: map[uint32]*waiter{}, nextID: 1, frameMost: frameMost,
		greeting: make(chan *v1.HelloReply, 1), over: make(chan struct{}), read: make(chan struct{}),
	}
}

// greet says hello and waits for the answer; the link can be used from then on.
func (l *link) greet() error {
	go l.reader()
	err := l.send(&v1.Frame{Body: &v1.Frame_Hello{Hello: &v1.Hello{
		Magic: magic, MinVersion: version, MaxVersion: version, Role: v1.Role_ROLE_CONTROLLER, Software: "cmdmox-go/" + Version,
		MaxFrameBytes: frameMost, SilenceMs: uint32(l.patience.Milliseconds()),
	}}})
	if err != nil {
		return err
	}
	expired, stop := after(l.patience)
	defer stop()
	select {
	case reply := <-l.greeting:
		return l.greeted(reply)
	case <-l.over:
		select { // what came before the end counts
		case reply := <-l.greeting:
			return l.greeted(reply)
		default:
			return l.why()
		}
	case <-expired:
		l.silent.Store(true)
		return l.end("DEADLINE_EXCEEDED", fmt.Sprintf("the server did not answer within %v: it hangs, or is none of cmdmox", l.patience))
	}
}

func (l *link) greeted(reply *v1.HelloReply) error {
	var refused *Error // it counts also where the end of the link was heard of before it was looked at
	if status := reply.GetError(); status != nil {
		refused = &Error{Reason: status.Reason, Message: status.Message}
	} else if spoken := reply.GetOk().GetVersion(); spoken != version {
		refused = failure("VERSION_MISMATCH", "the server speaks version %d of the protocol, this package version %d: use those of one "+
			"release", spoken, version)
	}
	if refused != nil {
		l.end(refused.Reason, refused.Message)
		return refused
	}
	if most := reply.GetOk().MaxFrameBytes; most != 0 {
		l.lock.Lock()
		l.frameMost = int(most)
		l.lock.Unlock()
	}
	return nil
}

// after is a channel that gets a value when the time is over; never for 0.
func after(d time.Duration) (<-chan time.Time, func()) {
	if d == 0 {
		return nil, func() {}
	}
	timer := time.NewTimer(d)
	return timer.C, func() { timer.Stop() }
}

// call makes a request of ControlService and waits for its response.
func (l *link) call(method string, request, response proto.Message) error {
	payload, err := proto.Marshal(request)
	if err != nil {
		return failure("INVALID_ARGUMENT", "%s: %v", method, err)
	}
	id, w, err := l.enter()
	if err != nil {
		return err
	}
	defer l.leave(id)
	err = l.send(&v1.Frame{Id: id, Body: &v1.Frame_Request{Request: &v1.Request{Method: service + method, Payload: payload}}})
	if err != nil {
		return err
	}
	answer, err := l.wait(w, method)
	if err != nil {
		return err
	}
	if refused := answer.GetError(); refused != nil {
		return &Error{Reason: refused.Reason, Message: refused.Message}
	}
	if err := proto.Unmarshal(answer.GetPayload(), response); err != nil {
		return failure("BAD_PAYLOAD", "the server's answer to %s cannot be read (%v): the program and this package are of two "+
			"releases that do not go together", method, err)
	}
	return nil
}

func (l *link) enter() (uint32, *waiter, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.broken != nil {
		return 0, nil, l.broken
	}
	id, w := l.nextID, newWaiter()
	l.nextID += 2
	l.waiting[id] = w
	return id, w, nil
}

func (l *link) leave(id uint32) {
	l.lock.Lock()
	defer l.lock.Unlock()
	delete(l.waiting, id)
}

func (l *link) wait(w *waiter, method string) (*v1.Response, error) {
	for {
		left := time.Duration(0)
		if l.patience != 0 {
			left = time.Until(time.Unix(0, w.heard.Load()).Add(l.patience))
			if left <= 0 {
				l.silent.Store(true)
				return nil, failure("DEADLINE_EXCEEDED", "the server has said nothing of %s for %v: it is stopped, or the machine is "+
					"overloaded", method, l.patience)
			}
		}
		expired, stop := after(left)
		select {
		case response, there := <-w.response:
			stop()
			if !there {
				return nil, l.why()
			}
			return response, nil
		case <-expired:
		}
	}
}

// respond answers a request of the server; what cannot be sent is answered with why.
func (l *link) respond(id uint32, answer proto.Message, err error) {
	response := &v1.Response{}
	if err == nil {
		var payload []byte
		if payload, err = proto.Marshal(answer); err == nil {
			response.Result = &v1.Response_Payload{Payload: payload}
		}
	}
	if err != nil {
		response.Result = &v1.Response_Error{Error: statusOf(err)}
	}
	sent := l.send(&v1.Frame{Id: id, Body: &v1.Frame_Response{Response: response}})
	var ours *Error
	if errors.As(sent, &ours) && ours.Reason == "FRAME_TOO_LARGE" {
		l.respond(id, nil, sent)
	}
}

func statusOf(err error) *v1.Status {
	var ours *Error
	if errors.As(err, &ours) {
		return &v1.Status{Code: 2, Reason: ours.Reason, Message: utf8Text(ours.Message)}
	}
	return &v1.Status{Code: 2, Reason: "INTERNAL", Message: utf8Text(err.Error())}
}

// end ends the link: all who wait, and all who come, get this error. The first reason stays.
func (l *link) end(reason, message string) *Error {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.broken == nil {
		l.broken = &Error{Reason: reason, Message: message}
		close(l.over)
	}
	for id, w := range l.waiting {
		close(w.response)
		delete(l.waiting, id)
	}
	return l.broken
}

// why is the reason for which the link has ended; nil: it has not.
func (l *link) why() error {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.broken == nil {
		return nil
	}
	return l.broken
}

func (l *link) send(frame *v1.Frame) error {
	l.lock.Lock()
	most := l.frameMost
	l.lock.Unlock()
	if size := proto.Size(frame); size > most {
		return failure("FRAME_TOO_LARGE", "this takes %d bytes, and the server takes at most %d at once: give less output, arguments "+
			"or files", size, most)
	}
	var data bytes.Buffer
	if _, err := protodelim.MarshalTo(&data, frame); err != nil {
		return failure("INVALID_ARGUMENT", "%v", err)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.why(); err != nil {
		return err
	}
	if l.patience != 0 {
		_ = l.to.SetWriteDeadline(time.Now().Add(l.patience))
	}
	if _, err := l.to.Write(data.Bytes()); err != nil { // perhaps a part of it: nothing can follow
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.silent.Store(true)
			return l.end("DEADLINE_EXCEEDED", fmt.Sprintf("the server has read nothing for %v: it is stopped, or the machine is overloaded", l.patience))
		}
		return l.end("LINK_CLOSED", l.whyEnded())
	}
	return nil
}

func (l *link) reader() {
	defer close(l.read)
	from := bufio.NewReaderSize(l.from, 1<<16)
	for {
		frame := &v1.Frame{}
		err := protodelim.UnmarshalOptions{MaxSize: frameMost}.UnmarshalFrom(from, frame)
		switch {
		case err == nil:
			l.take(frame)
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed):
			l.end("LINK_CLOSED", l.whyEnded())
			return
		default:
			var path *os.PathError
			if errors.As(err, &path) {
				l.end("LINK_CLOSED", l.whyEnded())
			}
			l.end("BAD_FRAME", fmt.Sprintf("what the server says is no frame of cmdmox: %v", err))
			return
		}
	}
}

func (l *link) take(frame *v1.Frame) {
	l.silent.Store(false)
	switch body := frame.Body.(type) {
	case *v1.Frame_Response:
		l.lock.Lock()
		w := l.waiting[frame.Id]
		delete(l.waiting, frame.Id)
		l.lock.Unlock()
		if w != nil {
			w.response <- body.Response
		}
	case *v1.Frame_Request:
		l.onRequest(frame.Id, body.Request)
	case *v1.Frame_Notify:
		at := &v1.Progress{}
		if body.Notify.Topic != progress || proto.Unmarshal(body.Notify.Payload, at) != nil {
			return
		}
		l.lock.Lock()
		if w := l.waiting[at.RequestId]; w != nil {
			w.heard.Store(time.Now().UnixNano())
		}
		l.lock.Unlock()
	case *v1.Frame_HelloReply:
		select {
		case l.greeting <- body.HelloReply:
		default: // said before
		}
	case *v1.Frame_GoAway:
		l.end(body.GoAway.GetStatus().GetReason(), "the server closed the link: "+body.GoAway.GetStatus().GetMessage())
	}
}
