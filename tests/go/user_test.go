package tests

import (
	"runtime"
	"syscall"
)

// lockedAs does something on a thread that is another user. The thread is never unlocked, so that it ends with its goroutine.
func lockedAs(uid int, do func()) {
	runtime.LockOSThread()
	const keep = ^uintptr(0)
	if _, _, failed := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, uintptr(uid), keep); failed == 0 {
		do()
	}
}
