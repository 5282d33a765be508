package imapserver

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// searchParser turns search keys into a program.
type searchParser struct {
	s      *session
	limit  int // nodes; negative = none
	decode func(string) (string, error)
	nodes  imapsearch.Program
	open   int // operators whose operands are being read
}

// searchArgs are the arguments of SEARCH.
type searchArgs struct {
	extended bool // RETURN was given
	result   imap.SearchReturn
	program  imapsearch.Program
}

// readSearch takes
//
//	[SP "RETURN" SP "(" options ")"] [SP "CHARSET" SP astring] 1*(SP search-key) CRLF
func (s *session) readSearch() (a searchArgs, err error) {
	p := &searchParser{s: s, limit: s.srv.cfg.Limits.MaxSearchNodes, decode: decodeUTF8}
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if s.nextWordIs("RETURN") {
		a.extended = true
		if a.result, err = s.readSearchReturn(); err != nil {
			return a, err
		}
		if err = s.dec.SP(); err != nil {
			return a, err
		}
	}
	if s.nextWordIs("CHARSET") {
		if err = p.readCharset(); err != nil {
			return a, err
		}
		if err = s.dec.SP(); err != nil {
			return a, err
		}
	}
	if _, err = p.keys(); err != nil {
		return a, err
	}
	a.program = p.nodes
	return a, s.dec.End()
}

// nextWordIs takes the word if it is next.
func (s *session) nextWordIs(word string) bool {
	_, err := imapwire.Take(s.dec, func(b []byte) (struct{}, int, error) {
		name, n, err := imapwire.ConsumeItemName(b)
		if err == nil && !strings.EqualFold(string(name), word) {
			err = errSilent
		}
		return struct{}{}, n, err
	})
	return err == nil
}

// readSearchReturn takes SP "(" [option *(SP option)] ")" (RFC 4731 §3.1).
func (s *session) readSearchReturn() (r imap.SearchReturn, err error) {
	if err = s.dec.SP(); err != nil {
		return 0, err
	}
	err = s.dec.List(func() error {
		word, err := s.dec.Word()
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
func (p *searchParser) readCharset() error {
	if err := p.s.dec.SP(); err != nil {
		return err
	}
	name, err := p.s.dec.AString()
	if err != nil {
		return err
	}
	switch strings.ToUpper(name) {
	case "US-ASCII", "ASCII", "UTF-8", "UTF8":
		return nil
	}
	if _, err := charset.Reader(name, strings.NewReader("")); err != nil {
		return no("BADCHARSET (US-ASCII UTF-8)", "Charset not supported")
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

var errComplex = no(imap.CodeLimit, "Search too complex")

// node adds a node and returns its index.
func (p *searchParser) node(n imapsearch.Node) (int32, error) {
	if p.limit >= 0 && len(p.nodes) >= p.limit {
		return 0, errComplex
	}
	p.nodes = append(p.nodes, n)
	return int32(len(p.nodes) - 1), nil
}

// keys takes search-key *(SP search-key) as their conjunction.
func (p *searchParser) keys() (int32, error) {
	left, err := p.key()
	for err == nil && p.s.dec.Accept(' ') {
		var right int32
		if right, err = p.key(); err == nil {
			left, err = p.node(imapsearch.Node{Op: imapsearch.OpAnd, Left: left, Right: right})
		}
	}
	return left, err
}

// key takes one search-key. It calls itself for the operands of NOT and OR: no
// deeper than the limit of nodes.
func (p *searchParser) key() (int32, error) {
	c := p.s.dec.Peek()
	switch {
	case c == '(':
		return p.group()
	case c == '*' || '0' <= c && c <= '9':
		set, err := imapwire.Take(p.s.dec, imapwire.ConsumeSeqSet)
		if err != nil {
			return 0, err
		}
		return p.node(imapsearch.Node{Op: imapsearch.OpUIDs, UIDs: p.bySequence(imap.NumSet(set))})
	}
	word, err := imapwire.Take(p.s.dec, imapwire.ConsumeItemName)
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
	if err := p.s.dec.SP(); err != nil {
		return 0, bad("Unknown search key")
	}
	n, err := p.leaf(name)
	if err != nil {
		return 0, err
	}
	return p.node(n)
}

// group takes "(" search-key *(SP search-key) ")".
func (p *searchParser) group() (int32, error) {
	if err := p.s.dec.Open(); err != nil {
		return 0, err
	}
	n, err := p.keys()
	if err != nil {
		return 0, err
	}
	return n, p.s.dec.Close()
}

// operator takes the operands of NOT or OR. Its place in the limit is taken
// before the operands are read, so that a chain of operators ends there.
func (p *searchParser) operator(name string) (int32, error) {
	if p.open++; p.limit >= 0 && p.open+len(p.nodes) > p.limit {
		return 0, errComplex
	}
	if err := p.s.dec.SP(); err != nil {
		return 0, err
	}
	left, err := p.key()
	if err != nil {
		return 0, err
	}
	if name == "NOT" {
		p.open--
		return p.node(imapsearch.Node{Op: imapsearch.OpNot, Left: left})
	}
	if err := p.s.dec.SP(); err != nil {
		return 0, err
	}
	right, err := p.key()
	if err != nil {
		return 0, err
	}
	p.open--
	return p.node(imapsearch.Node{Op: imapsearch.OpOr, Left: left, Right: right})
}

// bySequence turns sequence numbers into UIDs; numbers that no message has
// match nothing.
func (p *searchParser) bySequence(set imap.NumSet) store.UIDSet {
	told := &p.s.sel.told
	var uids store.UIDSet
	for _, r := range set.Resolve(told.len()) {
		if uint32(r.First) <= told.len() {
			told.appendRange(&uids, uint32(r.First), min(uint32(r.Last), told.len()))
		}
	}
	return uids
}
