package cmdmox

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	v1 "cmdmox/internal/v1"
)

// Handler is a function of the test's that answers a call. It runs on a goroutine of its own while the code under test
// waits. A panic in it, and Call.Fatalf, fail the call and the test. Call.Stdin needs CaptureStdin or WithStdin of the double.
//
// What it writes to a variable the test may read when it has asked the session since (CallCount, Invocations, Journal, Verify), or
// under a lock: that the command has ended is not enough for the race detector.
type Handler func(call *Call) Response

const (
	handle = "cmdmox.v1.CallbackService/Handle"
	match  = "cmdmox.v1.CallbackService/Match"
)

// callbacks are the handlers and predicates of one session. Their numbers begin at 1.
type callbacks struct {
	readStdin func(callID, offset uint64) ([]byte, error)

	lock    sync.Mutex
	items   []any // Handler or *predicate
	running int
	raised  string // the first panic, with its stack
}

func (c *callbacks) add(item any) uint64 {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.items = append(c.items, item)
	return uint64(len(c.items))
}

func (c *callbacks) find(number uint64) any {
	c.lock.Lock()
	defer c.lock.Unlock()
	if number == 0 || number > uint64(len(c.items)) {
		return nil
	}
	return c.items[number-1]
}

func (c *callbacks) run(by int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.running += by
}

// here says whether this is the goroutine of a handler or a predicate, while some of this session are at work.
func (c *callbacks) here() bool {
	c.lock.Lock()
	running := c.running
	c.lock.Unlock()
	found := false
	if running > 0 {
		eachFrame(func(frame runtime.Frame) bool {
			found = frame.Function == aloneName
			return !found
		})
	}
	return found
}

// answer is what the server asks for.
func (s *server) answer(request *v1.Request) (proto.Message, error) {
	switch request.Method {
	case handle:
		asked := &v1.HandleRequest{}
		if err := proto.Unmarshal(request.Payload, asked); err != nil {
			return nil, failure("BAD_PAYLOAD", "%v", err)
		}
		of, err := s.callbacksOf(asked.SessionId)
		if err != nil {
			return nil, err
		}
		handler, ok := of.find(asked.Handler).(Handler)
		if !ok {
			return nil, failure("NOT_FOUND", "this session has no handler %d", asked.Handler)
		}
		return of.handle(handler, asked), nil
	case match:
		asked := &v1.MatchRequest{}
		if err := proto.Unmarshal(request.Payload, asked); err != nil {
			return nil, failure("BAD_PAYLOAD", "%v", err)
		}
		of, err := s.callbacksOf(asked.SessionId)
		if err != nil {
			return nil, err
		}
		judge, ok := of.find(asked.Callback).(*predicate)
		if !ok {
			return nil, failure("NOT_FOUND", "this session has no predicate %d", asked.Callback)
		}
		return of.match(judge, string(asked.Value)), nil
	}
	return nil, failure("UNIMPLEMENTED", "this client does not implement %.80s", request.Method)
}

func (s *server) callbacksOf(session []byte) (*callbacks, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if found := s.callbacks[string(session)]; found != nil {
		return found, nil
	}
	return nil, failure("NOT_FOUND", "this client has no such session any more")
}

func (c *callbacks) handle(handler Handler, asked *v1.HandleRequest) *v1.HandleResponse {
	call := newCall(asked, c.readStdin)
	var response Response
	failed := c.guarded(func() { response = handler(call) })
	if failed == "" {
		answer, err := handled(response)
		if err == nil {
			return answer
		}
		failed = err.(*Error).Message // the report names the handler
	}
	return &v1.HandleResponse{Outcome: &v1.HandleResponse_Failure{Failure: utf8Text(failed)}}
}

func (c *callbacks) match(judge *predicate, value string) *v1.MatchResponse {
	matched := false
	failed := c.guarded(func() { matched = judge.accepts(value) })
	return &v1.MatchResponse{Matched: matched && failed == "", Failure: utf8Text(failed)}
}

// given is what Call.Fatalf panics with.
type given struct{ text string }

// aloneName is the function at the bottom of every goroutine that runs one.
var aloneName = runtime.FuncForPC(reflect.ValueOf((*callbacks).alone).Pointer()).Name()

// guarded runs a function of the test's; why it failed, or "". It has a goroutine of its own, which it may end
// (testing.T.FailNow).
func (c *callbacks) guarded(function func()) string {
	c.run(1)
	defer c.run(-1)
	done := make(chan string, 1)
	go c.alone(function, done)
	return <-done
}

// alone runs the function and says how that ended.
func (c *callbacks) alone(function func(), done chan<- string) {
	finished := false
	defer func() {
		raised := recover()
		switch text, wanted := raised.(given); {
		case wanted:
			done <- text.text
		case raised != nil:
			done <- c.panicked(raised)
		case !finished:
			done <- "it ended its goroutine (testing.T.FailNow, or runtime.Goexit) and gave no answer: say call.Fatalf()"
		default:
			done <- ""
		}
	}()
	function()
	finished = true
}

// panicked is the text of a panic, for the goroutine that recovers from it.
func (c *callbacks) panicked(raised any) string {
	place := ""
	inPanic := false
	eachFrame(func(frame runtime.Frame) bool {
		if strings.HasPrefix(frame.Function, "runtime.") {
			inPanic = inPanic || frame.Function == "runtime.gopanic"
			return true
		}
		if !inPanic || packageOf(frame.Function) == ours {
			return true
		}
		place = " (" + locationOf(frame).String() + ")"
		return false
	})
	text := fmt.Sprintf("panic: %v%s", raised, place) // fmt survives a String method that panics
	if mistake, is := raised.(*Error); is {
		text = mistake.Message + place
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.raised == "" {
		c.raised = fmt.Sprintf("panic: %v\n\n%s", raised, debug.Stack())
	}
	return text
}

// firstPanic is the first one of this session, with its stack.
func (c *callbacks) firstPanic() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.raised
}

// nameOf is how reports call a function of the test's.
func nameOf(function any) string {
	value := reflect.ValueOf(function)
	if value.Kind() != reflect.Func || value.IsNil() {
		return ""
	}
	about := runtime.FuncForPC(value.Pointer())
	file, line := about.FileLine(about.Entry())
	name := about.Name()[strings.LastIndex(about.Name(), "/")+1:]
	if literal := strings.Contains(name, ".func"); literal {
		return fmt.Sprintf("function at %s:%d", short(file), line)
	}
	return utf8Text(strings.TrimSuffix(name[strings.Index(name, ".")+1:], "-fm"))
}
