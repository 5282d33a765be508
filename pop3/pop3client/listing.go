package pop3client

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/mailstead/mailstead/pop3"
)

// Stat is how many messages there are that are not marked as deleted, and their
// octets (RFC 1939 §5).
func (c *Client) Stat(ctx context.Context) (count int, octets int64, err error) {
	r, err := c.Command(ctx, "STAT")
	if err != nil {
		return 0, 0, err
	}
	first, rest := word([]byte(r.Text))
	second, _ := word(rest)
	n, octets := number(first), number(second)
	if n < 0 || n > math.MaxInt32 || octets < 0 {
		return 0, 0, fmt.Errorf("%w: STAT: %.80q", ErrBadReply, r.Text)
	}
	return int(n), octets, nil
}

// Message is what a listing says of one message.
type Message struct {
	// Number names the message in this session; 0 with FaultLine.
	Number int
	// Size is in octets, as the server says; -1 = unknown.
	Size int64
	// UniqueID is that of UIDL; "" = none.
	UniqueID string
	// Fault is what is wrong with the entry; 0 = nothing.
	Fault Fault
}

// Fault is a set of what can be wrong with an entry of a listing.
type Fault uint8

// The faults.
const (
	FaultLine      Fault = 1 << iota // the line is none of a listing
	FaultOrder                       // the number is not above the one before: perhaps a repetition
	FaultRepeated                    // the number is there more than once; it is not known what it stands for
	FaultSize                        // there is no size
	FaultNoID                        // there is no unique-id
	FaultInvalidID                   // a unique-id has 1 to 70 characters of 0x21 to 0x7E (RFC 1939 §7)
	FaultReusedID                    // another message has the same unique-id
)

func (f Fault) String() string {
	var names []string
	for i, name := range [...]string{
		"no line of a listing", "out of order", "repeated number", "no size", "no unique-id", "invalid unique-id", "reused unique-id",
	} {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// List lists the sizes of all messages that are not marked as deleted, in the
// server's order and with its faults. An error ends it. Leaving the loop skips
// the rest, or closes the connection where that is long.
func (c *Client) List(ctx context.Context) iter.Seq2[Message, error] {
	return c.listing(ctx, list)
}

// UIDL lists their unique-ids. A server without UIDL refuses.
func (c *Client) UIDL(ctx context.Context) iter.Seq2[Message, error] {
	return c.listing(ctx, uidl)
}

// ListOne is the size of one message.
func (c *Client) ListOne(ctx context.Context, number int) (Message, error) {
	return c.oneEntry(ctx, list, number)
}

// UIDLOne is the unique-id of one message.
func (c *Client) UIDLOne(ctx context.Context, number int) (Message, error) {
	return c.oneEntry(ctx, uidl, number)
}

var (
	list = kind{verb: "LIST"}
	uidl = kind{verb: "UIDL"}
)

func (c *Client) oneEntry(ctx context.Context, k kind, number int) (Message, error) {
	r, err := c.Command(ctx, string(k.append(nil, number)))
	if err != nil {
		return Message{}, err
	}
	m := parseEntry(k, []byte(r.Text))
	if m.Number != number {
		return m, fmt.Errorf("%w: %s: %.80q", ErrBadReply, k.verb, r.Text)
	}
	return m, nil
}

func (c *Client) listing(ctx context.Context, k kind) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := c.ready(); err != nil {
			yield(Message{}, err)
			return
		}
		defer c.watch(ctx)()
		if err := c.send(ctx, k.verb); err != nil {
			yield(Message{}, err)
			return
		}
		c.entries(ctx, k)(yield)
	}
}

// entries are the lines of the next reply.
func (c *Client) entries(ctx context.Context, k kind) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		last := 0
		for line, err := range c.awaitedLines(ctx, k.verb) {
			m := Message{Size: -1}
			if err == nil {
				m = parseEntry(k, line)
			}
			if m.Number > 0 && m.Number <= last {
				m.Fault |= FaultOrder
			}
			last = max(last, m.Number)
			if !yield(m, err) {
				return
			}
		}
	}
}

// parseEntry reads a scan listing or unique-id listing (RFC 1939 §5, §7). What
// stands behind a size counts for nothing.
func parseEntry(k kind, line []byte) Message {
	first, rest := word(line)
	m := Message{Size: -1}
	n := number(first)
	if n <= 0 || n > math.MaxInt32 {
		m.Fault = FaultLine
		return m
	}
	m.Number = int(n)
	if k == list {
		second, _ := word(rest)
		if m.Size = number(second); m.Size < 0 {
			m.Fault = FaultSize
		}
		return m
	}
	m.UniqueID = string(bytes.TrimSpace(rest))
	switch {
	case m.UniqueID == "":
		m.Fault = FaultNoID
	case !pop3.ValidUniqueID(m.UniqueID):
		m.Fault = FaultInvalidID
	}
	return m
}

// number is a decimal number; -1 = none.
func number(digits []byte) (n int64) {
	if len(digits) == 0 || len(digits) > 18 {
		return -1
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return -1
		}
		n = n*10 + int64(d-'0')
	}
	return n
}

func word(line []byte) (word, rest []byte) {
	line = bytes.TrimLeft(line, " \t")
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		return line[:i], line[i:]
	}
	return line, nil
}
