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

// simpleKeys are the keys without an argument (RFC 3501 §6.4.4, RFC 8514 §4.3).
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

	"SAVEDATESUPPORTED": {node: Node{Op: OpHasSaveDate}},
}

// simple adds the nodes of a key without an argument.
func (p *Parser) simple(k simpleKey) (int32, error) {
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

// leafKey is a key with an argument.
type leafKey struct {
	node Node
	read func(*Parser, Node) (int32, error)
}

// leafKeys are the keys with an argument (RFC 3501 §6.4.4, RFC 5032 §3,
// RFC 8514 §4.3, RFC 8474 §6, RFC 7162 §3.1.5, RFC 9738 §3.2).
var leafKeys = map[string]leafKey{
	"BCC":         {Node{Op: OpEnvelope, Field: EnvBcc}, (*Parser).text},
	"CC":          {Node{Op: OpEnvelope, Field: EnvCc}, (*Parser).text},
	"FROM":        {Node{Op: OpEnvelope, Field: EnvFrom}, (*Parser).text},
	"TO":          {Node{Op: OpEnvelope, Field: EnvTo}, (*Parser).text},
	"SUBJECT":     {Node{Op: OpEnvelope, Field: EnvSubject}, (*Parser).text},
	"BODY":        {Node{Op: OpBody}, (*Parser).text},
	"TEXT":        {Node{Op: OpText}, (*Parser).text},
	"HEADER":      {Node{Op: OpHeader}, (*Parser).header},
	"KEYWORD":     {Node{Op: OpKeyword}, (*Parser).keyword},
	"UNKEYWORD":   {Node{Op: OpKeyword}, (*Parser).unkeyword},
	"LARGER":      {Node{Op: OpLarger}, (*Parser).number},
	"SMALLER":     {Node{Op: OpSmaller}, (*Parser).number},
	"UID":         {Node{Op: OpUIDSet}, (*Parser).uids},
	"UIDAFTER":    {Node{Op: OpUIDs}, (*Parser).uidAfter},
	"UIDBEFORE":   {Node{Op: OpUIDs}, (*Parser).uidBefore},
	"BEFORE":      {Node{Op: OpBefore}, (*Parser).date},
	"ON":          {Node{Op: OpOn}, (*Parser).date},
	"SINCE":       {Node{Op: OpSince}, (*Parser).date},
	"SENTBEFORE":  {Node{Op: OpSentBefore}, (*Parser).date},
	"SENTON":      {Node{Op: OpSentOn}, (*Parser).date},
	"SENTSINCE":   {Node{Op: OpSentSince}, (*Parser).date},
	"SAVEDBEFORE": {Node{Op: OpSavedBefore}, (*Parser).date},
	"SAVEDON":     {Node{Op: OpSavedOn}, (*Parser).date},
	"SAVEDSINCE":  {Node{Op: OpSavedSince}, (*Parser).date},
	"OLDER":       {Node{Op: OpOlder}, (*Parser).interval},
	"YOUNGER":     {Node{Op: OpYounger}, (*Parser).interval},
	"EMAILID":     {Node{Op: OpEmailID}, (*Parser).objectID},
	"THREADID":    {Node{Op: OpThreadID}, (*Parser).objectID},
	"MODSEQ":      {Node{Op: OpModSeq}, (*Parser).modSeq},
}

// leaf takes the argument of a key.
func (p *Parser) leaf(name string) (int32, error) {
	k, ok := leafKeys[name]
	if !ok {
		return 0, imapwire.Bad("Unknown search key")
	}
	return k.read(p, k.node)
}

// text takes an astring, which is looked for in the field of n.
func (p *Parser) text(n Node) (int32, error) {
	raw, err := p.dec.AString()
	if err != nil {
		return 0, err
	}
	text, err := p.decode(raw)
	if err != nil {
		return 0, err
	}
	if n.Text = searchtext.Fold(text); n.Text == "" && (n.Op == OpBody || n.Op == OpText) {
		n.Op = OpAll // the empty text is in every text
	}
	if p.fuzzy > 0 {
		return p.loose(n)
	}
	return p.node(n)
}

// loose takes a text under FUZZY (RFC 6203 §3): all its words, in any order.
func (p *Parser) loose(n Node) (whole int32, err error) {
	words := strings.Fields(n.Text)
	if len(words) < 2 {
		return p.node(n)
	}
	exact := n
	for i, w := range words {
		n.Text = w
		word, err := p.node(n)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			whole = word
		} else if whole, err = p.node(Node{Op: OpAnd, Left: whole, Right: word}); err != nil {
			return 0, err
		}
	}
	p.loosed = append(p.loosed, loosened{whole, exact})
	return whole, nil
}

// header takes header-fld-name SP astring.
func (p *Parser) header(n Node) (int32, error) {
	name, err := p.dec.AString()
	if err != nil {
		return 0, err
	}
	if err = p.dec.SP(); err != nil {
		return 0, err
	}
	n.Name = strings.ToLower(name)
	if n.Name == "message-id" { // ENVELOPE has it as it stands
		n.Op, n.Field = OpEnvelope, EnvMessageID
	}
	return p.text(n)
}

// keyword takes flag-keyword.
func (p *Parser) keyword(n Node) (int32, error) {
	name, err := imapwire.Take(p.dec, imapwire.ConsumeAtom)
	if err != nil {
		return 0, err
	}
	n.Text = string(name)
	return p.node(n)
}

func (p *Parser) unkeyword(n Node) (int32, error) {
	left, err := p.keyword(n)
	if err != nil {
		return 0, err
	}
	return p.node(Node{Op: OpNot, Left: left})
}

func (p *Parser) number(n Node) (int32, error) {
	var err error
	if n.Num, err = imapwire.Take(p.dec, imapwire.ConsumeNumber64); err != nil {
		return 0, err
	}
	return p.node(n)
}

// interval takes nz-number of seconds.
func (p *Parser) interval(n Node) (int32, error) {
	v, err := imapwire.Take(p.dec, imapwire.ConsumeNZNumber)
	if err != nil {
		return 0, err
	}
	n.Num = int64(v)
	return p.node(n)
}

func (p *Parser) date(n Node) (int32, error) {
	day, err := imapwire.Take(p.dec, imapwire.ConsumeDate)
	if err != nil {
		return 0, err
	}
	n.Num = day.Unix()
	return p.node(n)
}

// uids takes sequence-set, or "$" (RFC 5182 §2.2).
func (p *Parser) uids(n Node) (int32, error) {
	if p.dec.Accept('$') {
		n.Op = OpSaved
		return p.node(n)
	}
	set, err := imapwire.Take(p.dec, imapwire.ConsumeSeqSet)
	if err != nil {
		return 0, err
	}
	n.Set = imap.NumSet(set)
	return p.node(n)
}

// uidAfter and uidBefore take uniqueid. The number itself is not meant.
func (p *Parser) uidAfter(n Node) (int32, error) {
	uid, err := imapwire.Take(p.dec, imapwire.ConsumeNZNumber)
	if err != nil {
		return 0, err
	}
	if uid < 1<<32-1 {
		n.UIDs = store.UIDSet{{First: store.UID(uid) + 1, Last: 1<<32 - 1}}
	}
	return p.node(n)
}

func (p *Parser) uidBefore(n Node) (int32, error) {
	uid, err := imapwire.Take(p.dec, imapwire.ConsumeNZNumber)
	if err != nil {
		return 0, err
	}
	if uid > 1 {
		n.UIDs = store.UIDSet{{First: 1, Last: store.UID(uid) - 1}}
	}
	return p.node(n)
}

// objectID takes objectid (RFC 8474 §7). One that is of another form than ours
// is nobody's.
func (p *Parser) objectID(n Node) (int32, error) {
	id, err := p.dec.AString()
	if err != nil {
		return 0, err
	}
	var ok bool
	if n.Op == OpEmailID {
		var e store.EmailID
		e, ok = imap.ParseEmailID(id)
		n.Text = string(e[:])
	} else {
		var t store.ThreadID
		t, ok = imap.ParseThreadID(id)
		n.Text = string(t[:])
	}
	if !ok {
		n = Node{Op: OpUIDs}
	}
	return p.node(n)
}

// modSeq takes [entry-name SP entry-type-req SP] mod-sequence-valzer (RFC 7162
// §3.1.5). A message has one mod-sequence for all its metadata, so the entry is
// left out of account.
func (p *Parser) modSeq(n Node) (int32, error) {
	if p.dec.Peek() == '"' {
		name, err := p.dec.Text()
		if err != nil {
			return 0, err
		}
		if !strings.HasPrefix(name, "/flags/") {
			return 0, imapwire.Bad("Unknown entry of MODSEQ")
		}
		if err := p.dec.SP(); err != nil {
			return 0, err
		}
		switch word, err := p.dec.Word(); {
		case err != nil:
			return 0, err
		case word != "PRIV" && word != "SHARED" && word != "ALL":
			return 0, imapwire.Bad("Unknown entry type of MODSEQ")
		}
		if err := p.dec.SP(); err != nil {
			return 0, err
		}
	}
	var err error
	if n.Num, err = imapwire.Take(p.dec, imapwire.ConsumeNumber64); err != nil {
		return 0, err
	}
	return p.node(n)
}
