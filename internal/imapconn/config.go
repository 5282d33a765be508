package imapconn

import (
	"errors"
	"math"
	"time"

	"github.com/mailstead/mailstead/imap"
)

// Errors of a Conn. After all but ErrBusy it cannot be used any more.
var (
	ErrClosed   = errors.New("imapclient: connection is closed")
	ErrProtocol = errors.New("imapclient: the server breaks the protocol")
	ErrLimit    = errors.New("imapclient: the server sends more than is allowed")
	ErrBusy     = errors.New("imapclient: another call is running")
)

// Config of a Conn. Handle and Refused must be set.
type Config struct {
	Timeouts Timeouts
	Limits   Limits
	Trace    func(sent bool, line []byte)

	// Handle does what follows from a response that no command took, and from the
	// tagged ones. An error of it ends the connection.
	Handle func(r *Response) error

	// Refused makes the error of a refusal; command "" = none of the caller's.
	Refused func(command string, s imap.StatusResponse) error
}

// Timeouts are those of imapclient.
type Timeouts struct {
	Connect, Greeting, Command, Block, Long, Idle time.Duration
}

// WithDefaults is t with a value for each that is zero.
func (t Timeouts) WithDefaults() Timeouts {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Connect, 30 * time.Second},
		{&t.Greeting, time.Minute},
		{&t.Command, 3 * time.Minute},
		{&t.Block, time.Minute},
		{&t.Long, 15 * time.Minute},
		{&t.Idle, 29 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}

// Limits are those of imapclient.
type Limits struct {
	Line     int
	Response int
	Literal  int64
	Untagged int
	List     int
	Ranges   int
	Caps     int
	Discard  int64
	Pipeline int
}

// WithDefaults is l with a value for each that is zero, and a large one for each
// that is negative.
func (l Limits) WithDefaults() Limits {
	limit(&l.Line, 64<<10, math.MaxInt32)
	limit(&l.Response, 16<<20, math.MaxInt32)
	limit(&l.Literal, 1<<20, math.MaxInt64)
	limit(&l.Untagged, 100_000, math.MaxInt32)
	limit(&l.List, 100_000, math.MaxInt32)
	limit(&l.Ranges, 1_000_000, math.MaxInt32)
	limit(&l.Caps, 500, math.MaxInt32)
	limit(&l.Discard, 16<<20, math.MaxInt64)
	limit(&l.Pipeline, 32, math.MaxInt32)
	return l
}

func limit[T int | int64](field *T, value, none T) {
	switch {
	case *field == 0:
		*field = value
	case *field < 0:
		*field = none
	}
}
