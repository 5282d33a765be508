package journal

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
)

// envelope is what a report says of a message.
type envelope struct {
	sender party
	rcpts  []recipient

	// From the header, when it was read.
	subject   string // unfolded, as it stands there
	messageID string
	utf8      bool // the header has 8-bit octets
}

// party is an address as it is shown, and as it is compared.
type party struct {
	shown   string
	address string // canonical
	domain  string // canonical
}

// recipient is one that a message goes to.
type recipient struct {
	party
	way  Way
	kind string // "To", "Cc", "Bcc" or "Recipient", when the header was read

	expanded party // the alias that led to it, which the header names; zero = none
	more     int   // so many further addresses of the alias are not listed
}

func partyOf(p smtp.Path) party {
	return party{shown: p.String(), address: deliver.CanonicalAddress(p), domain: deliver.CanonicalDomain(p.Domain)}
}

// canonical is the compared form of an address or a domain of a configuration.
func canonical(s string) string {
	i := strings.LastIndexByte(s, '@')
	if i <= 0 {
		return deliver.CanonicalDomain(s[i+1:])
	}
	return deliver.CanonicalAddress(smtp.Path{Local: s[:i], Domain: s[i+1:]})
}

// envelope is that of a message, with its aliases expanded.
func (j *Journal) envelope(ctx context.Context, m *intake.Message) (*envelope, error) {
	e := &envelope{sender: partyOf(m.Mail.ReversePath.Path)}
	if m.Mail.ReversePath.IsNull() {
		e.sender.shown = "<>"
	}
	ours := m.Mail.Peer == nil || m.Mail.Peer.Identity != ""
	for _, r := range m.Recipients {
		rcpts, err := j.expand(ctx, r.ForwardPath)
		if err != nil {
			return nil, err
		}
		for i := range rcpts {
			rcpts[i].way = j.way(ours, rcpts[i].domain)
		}
		e.rcpts = append(e.rcpts, rcpts...)
	}
	return e, nil
}

func (j *Journal) way(ours bool, domain string) Way {
	switch here := domain == "" || j.IsLocal(domain); {
	case ours && here:
		return Internal
	case ours:
		return Outbound
	case here:
		return Inbound
	}
	return Relayed
}

// maxDepth bounds how far an alias is followed.
const maxDepth = 10

// expand are the addresses that a recipient stands for: itself, or those of an
// alias, each once.
func (j *Journal) expand(ctx context.Context, p smtp.ForwardPath) ([]recipient, error) {
	own := []recipient{{party: partyOf(p.Path)}}
	if j.Directory == nil {
		return own, nil
	}
	x := expansion{dir: j.Directory, alias: own[0].party, limit: j.MaxExpanded, seen: map[string]bool{}}
	if x.limit == 0 {
		x.limit = 10_000
	}
	if err := x.follow(ctx, []smtp.ForwardPath{p}, 0); err != nil {
		return nil, err
	}
	if !x.expanded || len(x.out) == 0 {
		return own, nil
	}
	x.out[len(x.out)-1].more = x.more
	return x.out, nil
}

// expansion follows one alias.
type expansion struct {
	dir      deliver.Directory
	alias    party
	limit    int
	seen     map[string]bool // canonical addresses
	out      []recipient
	more     int
	expanded bool // it was an alias
}

func (x *expansion) follow(ctx context.Context, paths []smtp.ForwardPath, depth int) error {
	var fresh []smtp.ForwardPath
	for _, p := range paths {
		switch a := deliver.CanonicalAddress(p.Path); {
		case x.seen[a]:
		case len(x.seen) > x.limit:
			x.more++
		default:
			x.seen[a] = true
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	entries, err := x.dir.Lookup(ctx, fresh)
	if err == nil && len(entries) != len(fresh) {
		err = fmt.Errorf("journal: %d entries for %d addresses", len(entries), len(fresh))
	}
	if err != nil {
		return err
	}
	var next []smtp.ForwardPath
	for i, e := range entries {
		switch {
		case e.Err != nil:
			return e.Err
		case e.Kind == deliver.Alias && depth < maxDepth:
			x.expanded = true
			next = append(next, e.Expand...)
		default:
			x.out = append(x.out, recipient{party: partyOf(fresh[i].Path), expanded: x.alias})
		}
	}
	return x.follow(ctx, next, depth+1)
}

// describe reads the header of a message into e. ours: it is a report of ours,
// which is not journaled.
func (j *Journal) describe(ctx context.Context, m *intake.Message, e *envelope) (ours bool, err error) {
	block, err := m.Header(ctx)
	if err != nil {
		return false, err
	}
	kinds := make(map[string]string) // canonical address → the field that names it
	var mark string
	for f := range mime.Fields(block) {
		value := string(mime.AppendUnfolded(nil, f.Value))
		switch {
		case f.Is("subject") && e.subject == "":
			e.subject = value
		case f.Is("message-id") && e.messageID == "":
			e.messageID = value
		case f.Is("to"):
			note(kinds, "To", value)
		case f.Is("cc"):
			note(kinds, "Cc", value)
		case f.Is("bcc"):
			note(kinds, "Bcc", value)
		case f.Is(markField):
			mark = value
		}
	}
	if mark != "" && j.marked(mark, e.messageID) {
		return true, nil
	}
	e.utf8 = eightBit(block)
	blind := "Recipient" // of foreign senders nobody knows where they stood
	if m.Mail.Peer == nil || m.Mail.Peer.Identity != "" {
		blind = "Bcc"
	}
	for i := range e.rcpts {
		r := &e.rcpts[i]
		if r.kind = kinds[r.address]; r.expanded != (party{}) {
			r.kind = kinds[r.expanded.address]
		}
		if r.kind == "" {
			r.kind = blind
		}
	}
	return false, nil
}

// note remembers in which field an address stands; the first one counts.
func note(kinds map[string]string, field, list string) {
	for a := range mime.Addresses([]byte(list)) {
		if a.Kind != mime.Mailbox || a.Domain == nil {
			continue
		}
		address := deliver.CanonicalAddress(smtp.Path{Local: string(a.Local), Domain: string(a.Domain)})
		if kinds[address] == "" {
			kinds[address] = field
		}
	}
}

func eightBit(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
