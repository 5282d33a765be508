package imapwire

import (
	"math"
	"sync"
)

// Defaults of [Config].
const (
	DefaultMaxLine    = 8 << 10  // before login
	LoginMaxLine      = 64 << 10 // for SetMaxLine after login: long sets and searches
	DefaultMaxMemory  = 256 << 10
	DefaultMaxDiscard = 64 << 20

	// MaxNesting is the largest depth of parentheses in a command.
	MaxNesting = 64
)

// bufferSize is the size of a pooled buffer of a busy Decoder or Encoder.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Quirks names leniencies. The zero value is the grammar of the RFC.
type Quirks uint8

const (
	// QuirkBareLF takes LF alone as the end of a line.
	QuirkBareLF Quirks = 1 << iota
)

// Config holds the limits and the hooks of a Decoder. The zero value is safe:
// 0 means the default, a negative limit means none.
type Config struct {
	// MaxLine is the largest length of one command in octets, all its lines
	// together, literals not counted. 0 = DefaultMaxLine.
	MaxLine int

	// MaxMemory bounds the octets of all literals of one command that are
	// collected into memory. 0 = DefaultMaxMemory.
	MaxMemory int64

	// MaxDiscard bounds the octets that one Discard reads to find the next
	// command. 0 = DefaultMaxDiscard.
	MaxDiscard int64

	// OnLiteral decides about a literal before its octets are asked for: nil
	// accepts, an error refuses and is returned by the method that met the
	// literal. It is called for streamed literals (stream set) and for
	// collected ones after MaxMemory was applied. nil accepts collected
	// literals and refuses streamed ones.
	OnLiteral func(l Literal, stream bool) error

	// Continue sends a continuation request ("+ OK") and flushes it. It is
	// called for an accepted synchronizing literal. nil sends nothing, which
	// is right for a client.
	Continue func() error

	// OnLine is shown each line of a command as it is loaded, with its line end;
	// first: it starts a command. Octets of literals and lines that are
	// discarded are not shown. The line is not kept. nil = nobody looks.
	OnLine func(line []byte, first bool)

	// Quirks are the accepted leniencies.
	Quirks Quirks
}

func (c *Config) maxLine() int {
	switch {
	case c.MaxLine == 0:
		return DefaultMaxLine
	case c.MaxLine < 0:
		return math.MaxInt
	}
	return c.MaxLine
}

// orDefault applies the rule of all limits: 0 = default, negative = none.
func orDefault(v, def int64) int64 {
	switch {
	case v == 0:
		return def
	case v < 0:
		return math.MaxInt64
	}
	return v
}
