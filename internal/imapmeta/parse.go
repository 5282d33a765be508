package imapmeta

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// MaxEntries bounds the entries of one command.
const MaxEntries = 100

// Depth says how far below the names of GETMETADATA entries are told
// (RFC 5464 §4.2.2).
type Depth uint8

// The depths.
const (
	DepthNone Depth = iota
	DepthOne
	DepthAll
)

// Get is what GETMETADATA asks for.
type Get struct {
	Mailbox string   // as the client wrote it; "" = the server
	Entries []string // clean names
	Depth   Depth
	MaxSize int64 // longer values are not told; -1 = all are
}

// ParseGet takes
//
//	[options SP] mailbox SP [options SP] entries
//
// Errors are *[imapwire.SyntaxError] and those of the Decoder.
func ParseGet(dec *imapwire.Decoder) (g Get, err error) {
	g.MaxSize = -1
	if dec.Peek() == '(' {
		if err = dec.List(func() error { return g.option(dec) }); err != nil {
			return g, err
		}
		if err = dec.SP(); err != nil {
			return g, err
		}
	}
	if g.Mailbox, err = dec.AString(); err != nil {
		return g, err
	}
	if err = dec.SP(); err != nil {
		return g, err
	}
	if dec.Peek() != '(' {
		g.Entries, err = ParseEntries(dec)
		return g, err
	}
	return g, g.optionsOrEntries(dec)
}

// optionsOrEntries takes a list of entries, or one of options and then entries.
func (g *Get) optionsOrEntries(dec *imapwire.Decoder) (err error) {
	options := false
	err = dec.List(func() error {
		if c := dec.Peek(); !options && (c == '/' || c == '"' || c == '{' || c == '~') {
			return addEntry(dec, &g.Entries)
		}
		if len(g.Entries) > 0 {
			return imapwire.Bad("Entry expected")
		}
		options = true
		return g.option(dec)
	})
	if err != nil || !options {
		return orEmpty(err, g.Entries)
	}
	if err = dec.SP(); err != nil {
		return err
	}
	g.Entries, err = ParseEntries(dec)
	return err
}

// option takes "MAXSIZE" SP number or "DEPTH" SP ("0" / "1" / "infinity").
func (g *Get) option(dec *imapwire.Decoder) error {
	word, err := dec.Word()
	if err != nil {
		return err
	}
	if err := dec.SP(); err != nil {
		return err
	}
	switch word {
	case "MAXSIZE":
		g.MaxSize, err = imapwire.Take(dec, imapwire.ConsumeNumber64)
		return err
	case "DEPTH":
		return g.depth(dec)
	}
	return imapwire.Bad("Unknown option of GETMETADATA")
}

func (g *Get) depth(dec *imapwire.Decoder) error {
	word, err := dec.Word()
	if err != nil {
		return err
	}
	i := slices.Index([]string{"0", "1", "INFINITY"}, word)
	if i < 0 {
		return imapwire.Bad("Unknown DEPTH")
	}
	g.Depth = Depth(i)
	return nil
}

// Asks reports whether the request covers the clean name of an entry.
func (g *Get) Asks(name string) bool {
	for _, e := range g.Entries {
		rest, ok := strings.CutPrefix(name, e)
		switch {
		case !ok:
		case rest == "":
			return true
		case rest[0] != '/' || g.Depth == DepthNone:
		case g.Depth == DepthAll || strings.IndexByte(rest[1:], '/') < 0:
			return true
		}
	}
	return false
}

// ParseEntries takes entry / "(" entry *(SP entry) ")" and returns clean names.
func ParseEntries(dec *imapwire.Decoder) (list []string, err error) {
	if dec.Peek() != '(' {
		return list, addEntry(dec, &list)
	}
	err = dec.List(func() error { return addEntry(dec, &list) })
	return list, orEmpty(err, list)
}

func orEmpty(err error, list []string) error {
	if err == nil && len(list) == 0 {
		return imapwire.Bad("No entry")
	}
	return err
}

// addEntry takes one name; one that comes twice counts once.
func addEntry(dec *imapwire.Decoder, list *[]string) error {
	raw, err := dec.AString()
	if err != nil {
		return err
	}
	name, err := Clean(raw)
	switch {
	case err != nil:
		return err
	case slices.Contains(*list, name):
	case len(*list) == MaxEntries:
		return imapwire.Bad("Too many entries")
	default:
		*list = append(*list, name)
	}
	return nil
}

// Value is one entry of SETMETADATA.
type Value struct {
	Entry string // clean
	Value []byte // nil = remove
}

// Set is what SETMETADATA asks for.
type Set struct {
	Mailbox string // as the client wrote it; "" = the server
	Values  []Value
}

// ParseSet takes mailbox SP "(" entry SP value *(SP entry SP value) ")". Where an
// entry comes twice the last value counts.
func ParseSet(dec *imapwire.Decoder) (s Set, err error) {
	if s.Mailbox, err = dec.AString(); err != nil {
		return s, err
	}
	if err = dec.SP(); err != nil {
		return s, err
	}
	err = dec.List(func() error {
		var entry []string
		if err := addEntry(dec, &entry); err != nil {
			return err
		}
		if !holdsValue(entry[0]) {
			return imapwire.Bad("Entry name with too few levels")
		}
		if err := dec.SP(); err != nil {
			return err
		}
		text, ok, err := dec.NString()
		if err != nil {
			return err
		}
		v := Value{Entry: entry[0]}
		if ok {
			v.Value = append([]byte{}, text...)
		}
		return s.add(v)
	})
	if err == nil && len(s.Values) == 0 {
		err = imapwire.Bad("No entry")
	}
	return s, err
}

func (s *Set) add(v Value) error {
	i := slices.IndexFunc(s.Values, func(o Value) bool { return o.Entry == v.Entry })
	switch {
	case i >= 0:
		s.Values[i] = v
	case len(s.Values) == MaxEntries:
		return imapwire.Bad("Too many entries")
	default:
		s.Values = append(s.Values, v)
	}
	return nil
}
