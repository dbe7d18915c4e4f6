//go:build unix

package mqtt

import "syscall"

// writeNow writes as much of b to a socket as that takes without waiting, and
// returns how much that was. An error says that the socket can no longer be
// written to; a full one is none.
func writeNow(socket syscall.RawConn, b []byte) (n int, err error) {
	if socket == nil {
		return 0, nil
	}
	err = socket.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), b)
		return true
	})
	return max(n, 0), err
}
