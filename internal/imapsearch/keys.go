package imapsearch

import (
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/searchtext"
)

// simpleKey is a key without an argument: a leaf, perhaps negated, perhaps
// together with another one.
type simpleKey struct {
	node Node
	not  bool
	and  string // a second key that must hold too
}

// simpleKeys are the keys without an argument (RFC 3501 §6.4.4).
var simpleKeys = map[string]simpleKey{
	"ALL":        {node: Node{Op: OpAll}},
	"ANSWERED":   {node: Node{Op: OpFlag, Flag: store.Answered}},
	"DELETED":    {node: Node{Op: OpFlag, Flag: store.Deleted}},
	"DRAFT":      {node: Node{Op: OpFlag, Flag: store.Draft}},
	"FLAGGED":    {node: Node{Op: OpFlag, Flag: store.Flagged}},
	"SEEN":       {node: Node{Op: OpFlag, Flag: store.Seen}},
	"UNANSWERED": {node: Node{Op: OpFlag, Flag: store.Answered}, not: true},
	"UNDELETED":  {node: Node{Op: OpFlag, Flag: store.Deleted}, not: true},
	"UNDRAFT":    {node: Node{Op: OpFlag, Flag: store.Draft}, not: true},
	"UNFLAGGED":  {node: Node{Op: OpFlag, Flag: store.Flagged}, not: true},
	"UNSEEN":     {node: Node{Op: OpFlag, Flag: store.Seen}, not: true},
	"RECENT":     {node: Node{Op: OpRecent}},
	"OLD":        {node: Node{Op: OpRecent}, not: true},
	"NEW":        {node: Node{Op: OpFlag, Flag: store.Seen}, not: true, and: "RECENT"},
}

// simple adds the nodes of a key without an argument.
func (p *parser) simple(k simpleKey) (int32, error) {
	n, err := p.node(k.node)
	if err == nil && k.not {
		n, err = p.node(Node{Op: OpNot, Left: n})
	}
	if err != nil || k.and == "" {
		return n, err
	}
	m, err := p.node(simpleKeys[k.and].node)
	if err != nil {
		return 0, err
	}
	return p.node(Node{Op: OpAnd, Left: n, Right: m})
}

// leaf takes the argument of a key.
func (p *parser) leaf(name string) (n Node, err error) {
	switch name {
	case "BCC":
		return p.text(Node{Op: OpEnvelope, Field: EnvBcc})
	case "CC":
		return p.text(Node{Op: OpEnvelope, Field: EnvCc})
	case "FROM":
		return p.text(Node{Op: OpEnvelope, Field: EnvFrom})
	case "TO":
		return p.text(Node{Op: OpEnvelope, Field: EnvTo})
	case "SUBJECT":
		return p.text(Node{Op: OpEnvelope, Field: EnvSubject})
	case "BODY":
		return p.text(Node{Op: OpBody})
	case "TEXT":
		return p.text(Node{Op: OpText})
	case "HEADER":
		return p.header()
	case "KEYWORD", "UNKEYWORD":
		return p.keyword(name == "UNKEYWORD")
	case "LARGER":
		return p.number(OpLarger)
	case "SMALLER":
		return p.number(OpSmaller)
	case "MODSEQ":
		return p.modSeq()
	case "UID":
		set, err := imapwire.Take(p.dec, imapwire.ConsumeSeqSet)
		if err != nil {
			return n, err
		}
		return Node{Op: OpUIDs, UIDs: imap.NumSet(set).Resolve(uint32(p.told.LastUID()))}, nil
	case "BEFORE":
		return p.date(OpBefore)
	case "ON":
		return p.date(OpOn)
	case "SINCE":
		return p.date(OpSince)
	case "SENTBEFORE":
		return p.date(OpSentBefore)
	case "SENTON":
		return p.date(OpSentOn)
	case "SENTSINCE":
		return p.date(OpSentSince)
	}
	return n, bad("Unknown search key")
}

// text takes an astring, which is looked for in the field of n.
func (p *parser) text(n Node) (Node, error) {
	raw, err := p.dec.AString()
	if err != nil {
		return n, err
	}
	text, err := p.decode(raw)
	if n.Text = searchtext.Fold(text); n.Text == "" && (n.Op == OpBody || n.Op == OpText) {
		n.Op = OpAll // the empty text is in every text
	}
	return n, err
}

// header takes header-fld-name SP astring.
func (p *parser) header() (n Node, err error) {
	name, err := p.dec.AString()
	if err != nil {
		return n, err
	}
	if err = p.dec.SP(); err != nil {
		return n, err
	}
	n = Node{Op: OpHeader, Name: strings.ToLower(name)}
	if n.Name == "message-id" { // ENVELOPE has it as it stands
		n.Op, n.Field = OpEnvelope, EnvMessageID
	}
	return p.text(n)
}

// keyword takes flag-keyword.
func (p *parser) keyword(not bool) (Node, error) {
	name, err := imapwire.Take(p.dec, imapwire.ConsumeAtom)
	n := Node{Op: OpKeyword, Text: string(name)}
	if err != nil || !not {
		return n, err
	}
	left, err := p.node(n)
	return Node{Op: OpNot, Left: left}, err
}

func (p *parser) number(op Op) (Node, error) {
	v, err := imapwire.Take(p.dec, imapwire.ConsumeNumber)
	return Node{Op: op, Num: int64(v)}, err
}

// modSeq takes [entry-name SP entry-type-req SP] mod-sequence-valzer (RFC 7162
// §3.1.5). A message has one mod-sequence for all its metadata, so the entry is
// left out of account.
func (p *parser) modSeq() (n Node, err error) {
	if p.dec.Peek() == '"' {
		name, err := p.dec.Text()
		if err != nil {
			return n, err
		}
		if !strings.HasPrefix(name, "/flags/") {
			return n, bad("Unknown entry of MODSEQ")
		}
		if err := p.dec.SP(); err != nil {
			return n, err
		}
		switch word, err := p.dec.Word(); {
		case err != nil:
			return n, err
		case word != "PRIV" && word != "SHARED" && word != "ALL":
			return n, bad("Unknown entry type of MODSEQ")
		}
		if err := p.dec.SP(); err != nil {
			return n, err
		}
	}
	p.modSeqs = true
	v, err := imapwire.Take(p.dec, imapwire.ConsumeNumber64)
	return Node{Op: OpModSeq, Num: v}, err
}

func (p *parser) date(op Op) (Node, error) {
	d, err := imapwire.Take(p.dec, imapwire.ConsumeDate)
	return Node{Op: op, Date: d}, err
}
