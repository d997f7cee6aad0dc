//go:build unix

package cmdmox

import "syscall"

// ofItsOwn: Ctrl-C is for the test.
func ofItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
