package imapserver

import (
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// simpleKey is a key without an argument: a leaf, perhaps negated, perhaps
// together with another one.
type simpleKey struct {
	node searchNode
	not  bool
	and  string // a second key that must hold too
}

// simpleKeys are the keys without an argument (RFC 3501 §6.4.4).
var simpleKeys = map[string]simpleKey{
	"ALL":        {node: searchNode{op: opAll}},
	"ANSWERED":   {node: searchNode{op: opFlag, flag: store.Answered}},
	"DELETED":    {node: searchNode{op: opFlag, flag: store.Deleted}},
	"DRAFT":      {node: searchNode{op: opFlag, flag: store.Draft}},
	"FLAGGED":    {node: searchNode{op: opFlag, flag: store.Flagged}},
	"SEEN":       {node: searchNode{op: opFlag, flag: store.Seen}},
	"UNANSWERED": {node: searchNode{op: opFlag, flag: store.Answered}, not: true},
	"UNDELETED":  {node: searchNode{op: opFlag, flag: store.Deleted}, not: true},
	"UNDRAFT":    {node: searchNode{op: opFlag, flag: store.Draft}, not: true},
	"UNFLAGGED":  {node: searchNode{op: opFlag, flag: store.Flagged}, not: true},
	"UNSEEN":     {node: searchNode{op: opFlag, flag: store.Seen}, not: true},
	"RECENT":     {node: searchNode{op: opRecent}},
	"OLD":        {node: searchNode{op: opRecent}, not: true},
	"NEW":        {node: searchNode{op: opFlag, flag: store.Seen}, not: true, and: "RECENT"},
}

// simple adds the nodes of a key without an argument.
func (p *searchParser) simple(k simpleKey) (int32, error) {
	n, err := p.node(k.node)
	if err == nil && k.not {
		n, err = p.node(searchNode{op: opNot, left: n})
	}
	if err != nil || k.and == "" {
		return n, err
	}
	m, err := p.node(simpleKeys[k.and].node)
	if err != nil {
		return 0, err
	}
	return p.node(searchNode{op: opAnd, left: n, right: m})
}

// Indexes of the elements of ENVELOPE (RFC 3501 §7.4.2).
const (
	envSubject   = 1
	envFrom      = 2
	envTo        = 5
	envCc        = 6
	envBcc       = 7
	envMessageID = 9
)

// leaf takes the argument of a key.
func (p *searchParser) leaf(name string) (n searchNode, err error) {
	switch name {
	case "BCC":
		return p.text(searchNode{op: opEnvelope, field: envBcc})
	case "CC":
		return p.text(searchNode{op: opEnvelope, field: envCc})
	case "FROM":
		return p.text(searchNode{op: opEnvelope, field: envFrom})
	case "TO":
		return p.text(searchNode{op: opEnvelope, field: envTo})
	case "SUBJECT":
		return p.text(searchNode{op: opEnvelope, field: envSubject})
	case "BODY":
		return p.text(searchNode{op: opBody})
	case "TEXT":
		return p.text(searchNode{op: opText})
	case "HEADER":
		return p.header()
	case "KEYWORD", "UNKEYWORD":
		return p.keyword(name == "UNKEYWORD")
	case "LARGER":
		return p.number(opLarger)
	case "SMALLER":
		return p.number(opSmaller)
	case "UID":
		set, err := imapwire.Take(p.s.dec, imapwire.ConsumeSeqSet)
		if err != nil {
			return n, err
		}
		return searchNode{op: opUIDs, uids: imap.NumSet(set).Resolve(uint32(p.s.sel.told.uids.Max()))}, nil
	case "BEFORE":
		return p.date(opBefore)
	case "ON":
		return p.date(opOn)
	case "SINCE":
		return p.date(opSince)
	case "SENTBEFORE":
		return p.date(opSentBefore)
	case "SENTON":
		return p.date(opSentOn)
	case "SENTSINCE":
		return p.date(opSentSince)
	}
	return n, bad("Unknown search key")
}

// text takes an astring, which is looked for in the field of n.
func (p *searchParser) text(n searchNode) (searchNode, error) {
	raw, err := p.s.dec.AString()
	if err != nil {
		return n, err
	}
	text, err := p.decode(raw)
	if n.text = foldString(text); n.text == "" && (n.op == opBody || n.op == opText) {
		n.op = opAll // the empty text is in every text
	}
	return n, err
}

// header takes header-fld-name SP astring.
func (p *searchParser) header() (n searchNode, err error) {
	name, err := p.s.dec.AString()
	if err != nil {
		return n, err
	}
	if err = p.s.dec.SP(); err != nil {
		return n, err
	}
	n = searchNode{op: opHeader, name: strings.ToLower(name)}
	if n.name == "message-id" { // ENVELOPE has it as it stands
		n.op, n.field = opEnvelope, envMessageID
	}
	return p.text(n)
}

// keyword takes flag-keyword.
func (p *searchParser) keyword(not bool) (searchNode, error) {
	name, err := imapwire.Take(p.s.dec, imapwire.ConsumeAtom)
	n := searchNode{op: opKeyword, text: string(name)}
	if err != nil || !not {
		return n, err
	}
	left, err := p.node(n)
	return searchNode{op: opNot, left: left}, err
}

func (p *searchParser) number(op searchOp) (searchNode, error) {
	v, err := imapwire.Take(p.s.dec, imapwire.ConsumeNumber)
	return searchNode{op: op, num: int64(v)}, err
}

func (p *searchParser) date(op searchOp) (searchNode, error) {
	d, err := imapwire.Take(p.s.dec, imapwire.ConsumeDate)
	return searchNode{op: op, date: d}, err
}
