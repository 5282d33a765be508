package imapsearch

import (
	"bytes"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// frame is an operator whose operands are being read. The first frame of the
// stack is the conjunction of all keys.
type frame struct {
	kind frameKind
	left int32 // the operands so far; -1 = none
}

type frameKind uint8

const (
	frameAnd frameKind = iota // a list of keys: the whole, or a group in parentheses
	frameNot
	frameOr
	frameFuzzy
)

// node adds a node and returns its index.
func (p *Parser) node(n Node) (int32, error) {
	if p.cfg.MaxNodes >= 0 && len(p.nodes) >= p.cfg.MaxNodes {
		return 0, ErrComplex
	}
	p.nodes = append(p.nodes, n)
	return int32(len(p.nodes) - 1), nil
}

// keys takes search-key *(SP search-key) as their conjunction. Keys that wait
// for operands are in a stack of its own, so nesting takes no recursion.
func (p *Parser) keys() (Program, error) {
	p.stack = append(p.stack[:0], frame{frameAnd, -1})
	for {
		n, whole, err := p.key()
		if err != nil {
			return nil, err
		}
		if !whole {
			continue
		}
		more, err := p.reduce(n)
		if err != nil {
			return nil, err
		}
		if !more {
			return p.nodes, nil
		}
	}
}

// push opens an operator. Its place in the limit is taken before its operands
// are read, so that a chain of operators ends there.
func (p *Parser) push(kind frameKind) error {
	if p.open++; p.cfg.MaxNodes >= 0 && p.open+len(p.nodes) > p.cfg.MaxNodes {
		return ErrComplex
	}
	if kind == frameFuzzy {
		p.fuzzy++
		p.isLoose = true
	}
	p.stack = append(p.stack, frame{kind, -1})
	return nil
}

// pop closes the operator on top.
func (p *Parser) pop() {
	if p.stack[len(p.stack)-1].kind == frameFuzzy {
		p.fuzzy--
	}
	p.stack = p.stack[:len(p.stack)-1]
	p.open--
}

// key takes a search-key as far as its operands: a whole one is node n.
func (p *Parser) key() (n int32, whole bool, err error) {
	c := p.dec.Peek()
	switch {
	case c == '(':
		if err = p.dec.Open(); err == nil {
			err = p.push(frameAnd)
		}
		return 0, false, err
	case c == '$':
		p.dec.Accept('$')
		n, err = p.node(Node{Op: OpSaved})
		return n, true, err
	case c == '*' || '0' <= c && c <= '9':
		set, err := imapwire.Take(p.dec, imapwire.ConsumeSeqSet)
		if err != nil {
			return 0, false, err
		}
		n, err = p.node(Node{Op: OpSeqs, Set: imap.NumSet(set)})
		return n, true, err
	}
	return p.named()
}

// named takes a key that has a name.
func (p *Parser) named() (n int32, whole bool, err error) {
	word, err := imapwire.Take(p.dec, imapwire.ConsumeItemName)
	if err != nil {
		return 0, false, err
	}
	name := string(bytes.ToUpper(word))
	if k, ok := simpleKeys[name]; ok {
		n, err = p.simple(k)
		return n, true, err
	}
	if err := p.dec.SP(); err != nil {
		return 0, false, imapwire.Bad("Unknown search key")
	}
	switch {
	case name == "NOT":
		return 0, false, p.push(frameNot)
	case name == "OR":
		return 0, false, p.push(frameOr)
	case name == "FUZZY" && p.cfg.Fuzzy:
		return 0, false, p.push(frameFuzzy)
	}
	n, err = p.leaf(name)
	return n, true, err
}

// reduce hands a whole key to the operators that wait for it. more is false at
// the end of all keys; else the next key follows.
func (p *Parser) reduce(n int32) (more bool, err error) {
	for err == nil {
		top := &p.stack[len(p.stack)-1]
		switch {
		case top.kind == frameOr && top.left < 0:
			top.left = n
			return true, p.dec.SP()
		case top.kind == frameOr:
			n, err = p.node(Node{Op: OpOr, Left: top.left, Right: n})
			p.pop()
		case top.kind == frameNot:
			n, err = p.node(Node{Op: OpNot, Left: n})
			p.pop()
		case top.kind == frameFuzzy:
			p.pop()
		default:
			if top.left >= 0 {
				n, err = p.node(Node{Op: OpAnd, Left: top.left, Right: n})
			}
			top.left = n
			if err != nil || p.dec.Accept(' ') {
				return true, err
			}
			if len(p.stack) == 1 {
				return false, nil
			}
			err = p.dec.Close()
			p.pop()
		}
	}
	return false, err
}
