package imapserver

import (
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// simpleKey is a key without an argument: a leaf, perhaps negated, perhaps
// together with another one.
type simpleKey struct {
	node imapsearch.Node
	not  bool
	and  string // a second key that must hold too
}

// simpleKeys are the keys without an argument (RFC 3501 §6.4.4).
var simpleKeys = map[string]simpleKey{
	"ALL":        {node: imapsearch.Node{Op: imapsearch.OpAll}},
	"ANSWERED":   {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Answered}},
	"DELETED":    {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Deleted}},
	"DRAFT":      {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Draft}},
	"FLAGGED":    {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Flagged}},
	"SEEN":       {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Seen}},
	"UNANSWERED": {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Answered}, not: true},
	"UNDELETED":  {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Deleted}, not: true},
	"UNDRAFT":    {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Draft}, not: true},
	"UNFLAGGED":  {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Flagged}, not: true},
	"UNSEEN":     {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Seen}, not: true},
	"RECENT":     {node: imapsearch.Node{Op: imapsearch.OpRecent}},
	"OLD":        {node: imapsearch.Node{Op: imapsearch.OpRecent}, not: true},
	"NEW":        {node: imapsearch.Node{Op: imapsearch.OpFlag, Flag: store.Seen}, not: true, and: "RECENT"},
}

// simple adds the nodes of a key without an argument.
func (p *searchParser) simple(k simpleKey) (int32, error) {
	n, err := p.node(k.node)
	if err == nil && k.not {
		n, err = p.node(imapsearch.Node{Op: imapsearch.OpNot, Left: n})
	}
	if err != nil || k.and == "" {
		return n, err
	}
	m, err := p.node(simpleKeys[k.and].node)
	if err != nil {
		return 0, err
	}
	return p.node(imapsearch.Node{Op: imapsearch.OpAnd, Left: n, Right: m})
}

// leaf takes the argument of a key.
func (p *searchParser) leaf(name string) (n imapsearch.Node, err error) {
	switch name {
	case "BCC":
		return p.text(imapsearch.Node{Op: imapsearch.OpEnvelope, Field: imapsearch.EnvBcc})
	case "CC":
		return p.text(imapsearch.Node{Op: imapsearch.OpEnvelope, Field: imapsearch.EnvCc})
	case "FROM":
		return p.text(imapsearch.Node{Op: imapsearch.OpEnvelope, Field: imapsearch.EnvFrom})
	case "TO":
		return p.text(imapsearch.Node{Op: imapsearch.OpEnvelope, Field: imapsearch.EnvTo})
	case "SUBJECT":
		return p.text(imapsearch.Node{Op: imapsearch.OpEnvelope, Field: imapsearch.EnvSubject})
	case "BODY":
		return p.text(imapsearch.Node{Op: imapsearch.OpBody})
	case "TEXT":
		return p.text(imapsearch.Node{Op: imapsearch.OpText})
	case "HEADER":
		return p.header()
	case "KEYWORD", "UNKEYWORD":
		return p.keyword(name == "UNKEYWORD")
	case "LARGER":
		return p.number(imapsearch.OpLarger)
	case "SMALLER":
		return p.number(imapsearch.OpSmaller)
	case "UID":
		set, err := imapwire.Take(p.s.dec, imapwire.ConsumeSeqSet)
		if err != nil {
			return n, err
		}
		return imapsearch.Node{Op: imapsearch.OpUIDs, UIDs: imap.NumSet(set).Resolve(uint32(p.s.sel.told.uids.Max()))}, nil
	case "BEFORE":
		return p.date(imapsearch.OpBefore)
	case "ON":
		return p.date(imapsearch.OpOn)
	case "SINCE":
		return p.date(imapsearch.OpSince)
	case "SENTBEFORE":
		return p.date(imapsearch.OpSentBefore)
	case "SENTON":
		return p.date(imapsearch.OpSentOn)
	case "SENTSINCE":
		return p.date(imapsearch.OpSentSince)
	}
	return n, bad("Unknown search key")
}

// text takes an astring, which is looked for in the field of n.
func (p *searchParser) text(n imapsearch.Node) (imapsearch.Node, error) {
	raw, err := p.s.dec.AString()
	if err != nil {
		return n, err
	}
	text, err := p.decode(raw)
	if n.Text = imapsearch.Fold(text); n.Text == "" && (n.Op == imapsearch.OpBody || n.Op == imapsearch.OpText) {
		n.Op = imapsearch.OpAll // the empty text is in every text
	}
	return n, err
}

// header takes header-fld-name SP astring.
func (p *searchParser) header() (n imapsearch.Node, err error) {
	name, err := p.s.dec.AString()
	if err != nil {
		return n, err
	}
	if err = p.s.dec.SP(); err != nil {
		return n, err
	}
	n = imapsearch.Node{Op: imapsearch.OpHeader, Name: strings.ToLower(name)}
	if n.Name == "message-id" { // ENVELOPE has it as it stands
		n.Op, n.Field = imapsearch.OpEnvelope, imapsearch.EnvMessageID
	}
	return p.text(n)
}

// keyword takes flag-keyword.
func (p *searchParser) keyword(not bool) (imapsearch.Node, error) {
	name, err := imapwire.Take(p.s.dec, imapwire.ConsumeAtom)
	n := imapsearch.Node{Op: imapsearch.OpKeyword, Text: string(name)}
	if err != nil || !not {
		return n, err
	}
	left, err := p.node(n)
	return imapsearch.Node{Op: imapsearch.OpNot, Left: left}, err
}

func (p *searchParser) number(op imapsearch.Op) (imapsearch.Node, error) {
	v, err := imapwire.Take(p.s.dec, imapwire.ConsumeNumber)
	return imapsearch.Node{Op: op, Num: int64(v)}, err
}

func (p *searchParser) date(op imapsearch.Op) (imapsearch.Node, error) {
	d, err := imapwire.Take(p.s.dec, imapwire.ConsumeDate)
	return imapsearch.Node{Op: op, Date: d}, err
}
