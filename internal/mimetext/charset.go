package mimetext

import (
	"io"
	"strings"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// Charsets finds the decoders of charsets, and keeps the last ones. Its zero
// value is ready; it is not safe for concurrent use.
type Charsets struct {
	known   map[string]*encoding.Decoder // nil = not known
	strange int                          // how often one was not found
}

const (
	// maxCharsets is how many charsets are kept.
	maxCharsets = 8
	// maxStrange is how many unknown charsets are looked for. A message that
	// names more is not one.
	maxStrange = 100
)

// Reset turns to another message.
func (c *Charsets) Reset() { c.strange = 0 }

// Find returns a decoder that makes UTF-8 of a charset, named in any case; nil = it
// is not known. It looks where go-message does.
func (c *Charsets) Find(name []byte) *encoding.Decoder {
	dec, ok := c.known[string(name)]
	if ok || c.strange == maxStrange {
		return dec
	}
	if c.known == nil {
		c.known = make(map[string]*encoding.Decoder, maxCharsets)
	}
	if len(c.known) == maxCharsets {
		clear(c.known)
	}
	key := string(name)
	if enc := find(strings.ToLower(key)); enc != nil {
		dec = enc.NewDecoder()
	}
	c.known[key] = dec
	return dec
}

func find(name string) encoding.Encoding {
	if enc, _ := ianaindex.MIME.Encoding(name); enc != nil {
		return enc
	}
	if enc, _ := ianaindex.MIME.Encoding("cs" + name); enc != nil {
		return enc
	}
	enc, _ := htmlindex.Get(name)
	return enc
}

// Registered converts text in a charset that Find does not know and that the
// application has registered with go-message.
func (c *Charsets) Registered(name []byte, text io.Reader) (io.Reader, bool) {
	if c.strange == maxStrange {
		return nil, false
	}
	r, err := charset.Reader(string(name), text)
	if err != nil {
		c.strange++
	}
	return r, err == nil
}
