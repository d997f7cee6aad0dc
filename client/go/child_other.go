//go:build !unix

package cmdmox

import "syscall"

func ofItsOwn() *syscall.SysProcAttr { return nil }
