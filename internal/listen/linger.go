package listen

import (
	"io"
	"net"
	"time"
)

const (
	lingerTime   = time.Second
	lingerOctets = 1 << 20
)

// Linger closes nc for writing: raw, or TLS on it. waits: it then reads on for a
// moment. A connection closed with input unread is reset, and the peer might
// never see the last answer. The caller closes raw, from which nobody else reads.
func Linger(raw, nc net.Conn, waits bool) {
	_ = raw.SetDeadline(time.Now().Add(lingerTime))
	cw, ok := nc.(closeWriter)
	if !ok || cw.CloseWrite() != nil || !waits {
		return
	}
	if tcp, ok := raw.(closeWriter); ok && raw != nc {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(raw, lingerOctets))
}

type closeWriter interface{ CloseWrite() error }
