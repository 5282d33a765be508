package proxyproto

import (
	"bytes"
	"errors"
	"net"
)

// Conn is a connection that starts with a header. Octets that were read behind
// the header can be read again, by TLS.
type Conn struct {
	net.Conn
	rest []byte
}

// Unread gives back b, which the next Read returns first; b is copied. One
// goroutine reads and unreads.
func (c *Conn) Unread(b []byte) { c.rest = bytes.Clone(b) }

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// CloseWrite closes for writing where the connection can.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}
