package cmdmox

import (
	"net"
	"syscall"
)

// peerOf is the user at the other end.
func peerOf(connection *net.UnixConn) (uid int, known bool) {
	raw, err := connection.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = raw.Control(func(fd uintptr) {
		if credentials, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			uid, known = int(credentials.Uid), true
		}
	})
	return uid, known
}
