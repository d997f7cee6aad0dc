// Package cmdmox mocks commands: it tests programs that call other programs.
//
//	func TestGreeting(t *testing.T) {
//		mox := cmdmox.New(t, cmdmox.ApplyEnv())
//		mox.Mock("hostname").WithArgs("--short").Returns(cmdmox.Response{Stdout: "here\n"})
//		if got := Greeting(); got != "Hello from here" {
//			t.Error(got)
//		}
//	}
//
// New makes a session, which answers from then on; when the test ends it is verified, and what is wrong fails the test.
// Doubles are declared by Mock, Stub and Spy, and refined by their methods, each of which gives the double back.
//
// Texts are Go's strings, of any bytes. A mistake in the test ends it at the line that makes it (Fatal). All methods may
// be called from any goroutine; those that end a test follow the rule of testing.T.FailNow: a handler that makes a
// mistake fails its call and the test.
package cmdmox
