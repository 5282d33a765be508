package imapsearch

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapseq"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Request is what SEARCH asks for.
type Request struct {
	Extended bool // RETURN was given (RFC 4731 §3.1)
	Return   imap.SearchReturn
	Program  Program

	// ModSeq: a key asked for mod-sequences, so the result has the greatest one
	// (RFC 7162 §3.1.6, RFC 4731 §3.2).
	ModSeq bool
}

var (
	// ErrComplex refuses a search of more nodes than allowed: NO with LIMIT.
	ErrComplex = errors.New("imapsearch: too complex")

	// ErrCharset refuses an unknown charset: NO with BADCHARSET (RFC 3501
	// §6.4.4).
	ErrCharset = errors.New("imapsearch: unknown charset")
)

// Parse takes what SEARCH asks for, up to the end of the line:
//
//	["RETURN" SP "(" options ")" SP] ["CHARSET" SP astring SP] search-key *(SP search-key)
//
// Sets mean messages that the client was told of. maxNodes bounds the keys and
// operators; negative = no bound. Errors are *[imapwire.SyntaxError],
// [ErrComplex], [ErrCharset] and those of the Decoder.
func Parse(dec *imapwire.Decoder, told *imapseq.Map, maxNodes int) (r Request, err error) {
	p := &parser{dec: dec, told: told, limit: maxNodes, decode: decodeUTF8}
	if p.nextWordIs("RETURN") {
		r.Extended = true
		if r.Return, err = p.readReturn(); err != nil {
			return r, err
		}
		if err = dec.SP(); err != nil {
			return r, err
		}
	}
	if p.nextWordIs("CHARSET") {
		if err = p.readCharset(); err != nil {
			return r, err
		}
		if err = dec.SP(); err != nil {
			return r, err
		}
	}
	_, err = p.keys()
	r.Program, r.ModSeq = p.nodes, p.modSeqs
	return r, err
}

// parser turns search keys into a program.
type parser struct {
	dec    *imapwire.Decoder
	told   *imapseq.Map
	limit  int // nodes; negative = none
	decode func(string) (string, error)
	nodes  Program
	open   int // operators whose operands are being read

	modSeqs bool // a key MODSEQ was read
}

func bad(reason string) error { return &imapwire.SyntaxError{Reason: reason} }

// nextWordIs takes the word if it is next.
func (p *parser) nextWordIs(word string) bool {
	_, err := imapwire.Take(p.dec, func(b []byte) (struct{}, int, error) {
		name, n, err := imapwire.ConsumeItemName(b)
		if err == nil && !strings.EqualFold(string(name), word) {
			err = errOther
		}
		return struct{}{}, n, err
	})
	return err == nil
}

// errOther leaves the next word where it is.
var errOther = errors.New("imapsearch: another word")

// readReturn takes SP "(" [option *(SP option)] ")" (RFC 4731 §3.1).
func (p *parser) readReturn() (r imap.SearchReturn, err error) {
	if err = p.dec.SP(); err != nil {
		return 0, err
	}
	err = p.dec.List(func() error {
		word, err := p.dec.Word()
		if err != nil {
			return err
		}
		switch word {
		case "MIN":
			r |= imap.ReturnMin
		case "MAX":
			r |= imap.ReturnMax
		case "ALL":
			r |= imap.ReturnAll
		case "COUNT":
			r |= imap.ReturnCount
		default:
			return bad("Unknown result option")
		}
		return nil
	})
	if r == 0 {
		r = imap.ReturnAll
	}
	return r, err
}

// readCharset takes SP astring and prepares the decoding of the strings.
func (p *parser) readCharset() error {
	if err := p.dec.SP(); err != nil {
		return err
	}
	name, err := p.dec.AString()
	if err != nil {
		return err
	}
	switch strings.ToUpper(name) {
	case "US-ASCII", "ASCII", "UTF-8", "UTF8":
		return nil
	}
	if _, err := charset.Reader(name, strings.NewReader("")); err != nil {
		return ErrCharset
	}
	p.decode = func(text string) (string, error) {
		r, err := charset.Reader(name, strings.NewReader(text))
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(r)
		return string(b), err
	}
	return nil
}

func decodeUTF8(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", bad("Text is not in the charset")
	}
	return text, nil
}

// node adds a node and returns its index.
func (p *parser) node(n Node) (int32, error) {
	if p.limit >= 0 && len(p.nodes) >= p.limit {
		return 0, ErrComplex
	}
	p.nodes = append(p.nodes, n)
	return int32(len(p.nodes) - 1), nil
}

// keys takes search-key *(SP search-key) as their conjunction.
func (p *parser) keys() (int32, error) {
	left, err := p.key()
	for err == nil && p.dec.Accept(' ') {
		var right int32
		if right, err = p.key(); err == nil {
			left, err = p.node(Node{Op: OpAnd, Left: left, Right: right})
		}
	}
	return left, err
}

// key takes one search-key. It calls itself for the operands of NOT and OR: no
// deeper than the limit of nodes.
func (p *parser) key() (int32, error) {
	c := p.dec.Peek()
	switch {
	case c == '(':
		return p.group()
	case c == '*' || '0' <= c && c <= '9':
		set, err := imapwire.Take(p.dec, imapwire.ConsumeSeqSet)
		if err != nil {
			return 0, err
		}
		return p.node(Node{Op: OpUIDs, UIDs: p.told.Existing(imap.NumSet(set))})
	}
	word, err := imapwire.Take(p.dec, imapwire.ConsumeItemName)
	if err != nil {
		return 0, err
	}
	name := string(bytes.ToUpper(word))
	if k, ok := simpleKeys[name]; ok {
		return p.simple(k)
	}
	switch name {
	case "NOT", "OR":
		return p.operator(name)
	}
	if err := p.dec.SP(); err != nil {
		return 0, bad("Unknown search key")
	}
	n, err := p.leaf(name)
	if err != nil {
		return 0, err
	}
	return p.node(n)
}

// group takes "(" search-key *(SP search-key) ")".
func (p *parser) group() (int32, error) {
	if err := p.dec.Open(); err != nil {
		return 0, err
	}
	n, err := p.keys()
	if err != nil {
		return 0, err
	}
	return n, p.dec.Close()
}

// operator takes the operands of NOT or OR. Its place in the limit is taken
// before the operands are read, so that a chain of operators ends there.
func (p *parser) operator(name string) (int32, error) {
	if p.open++; p.limit >= 0 && p.open+len(p.nodes) > p.limit {
		return 0, ErrComplex
	}
	if err := p.dec.SP(); err != nil {
		return 0, err
	}
	left, err := p.key()
	if err != nil {
		return 0, err
	}
	if name == "NOT" {
		p.open--
		return p.node(Node{Op: OpNot, Left: left})
	}
	if err := p.dec.SP(); err != nil {
		return 0, err
	}
	right, err := p.key()
	if err != nil {
		return 0, err
	}
	p.open--
	return p.node(Node{Op: OpOr, Left: left, Right: right})
}
