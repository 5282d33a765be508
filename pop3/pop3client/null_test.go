package pop3client

import (
	"net"
	"time"
)

// nullConn takes everything and says nothing.
type nullConn struct{}

func (nullConn) Write(p []byte) (int, error)      { return len(p), nil }
func (nullConn) Close() error                     { return nil }
func (nullConn) LocalAddr() net.Addr              { return nil }
func (nullConn) RemoteAddr() net.Addr             { return nil }
func (nullConn) SetDeadline(time.Time) error      { return nil }
func (nullConn) SetReadDeadline(time.Time) error  { return nil }
func (nullConn) SetWriteDeadline(time.Time) error { return nil }
