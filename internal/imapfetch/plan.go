package imapfetch

import (
	"errors"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// MaxSections bounds the BODY[...] items of one FETCH.
const MaxSections = 1000

// ErrTooManySections refuses a FETCH with more than [MaxSections] sections: NO
// with LIMIT (RFC 9051 §7.1).
var ErrTooManySections = errors.New("imapfetch: too many sections")

// Plan is what a FETCH asks for, decided once for all messages. The zero value
// asks for nothing.
type Plan struct {
	Items    imap.FetchItem
	Sections []imap.Section // in the order of the command
	Seen     bool           // marks messages \Seen (RFC 3501 §6.4.5)

	// Changed leaves out messages whose mod-sequence is Since at most
	// (RFC 7162 §3.1.4.1). Vanished asks for the UIDs expunged after Since too
	// (§3.2.6); it comes with Changed only.
	Changed, Vanished bool
	Since             store.ModSeq
}

// add puts a section into the plan.
func (p *Plan) add(sec imap.Section) error {
	if len(p.Sections) == MaxSections {
		return ErrTooManySections
	}
	p.Sections = append(p.Sections, sec)
	p.Seen = p.Seen || !sec.Peek
	return nil
}

const (
	ofTable = imap.FetchUID | imap.FetchFlags | imap.FetchSize | imap.FetchModSeq
	ofMeta  = imap.FetchEnvelope | imap.FetchBody | imap.FetchBodyStructure
)

// TableSuffices reports whether the view of the mailbox has all that is asked
// for.
func (p *Plan) TableSuffices() bool { return p.Items&^ofTable == 0 && len(p.Sections) == 0 }

// Fields is what the store has to tell about each message.
func (p *Plan) Fields() store.Fields {
	var f store.Fields
	if p.Items&imap.FetchInternalDate != 0 {
		f |= store.FieldDates
	}
	if p.needsMeta() {
		f |= store.FieldMeta
	}
	if len(p.Sections) > 0 {
		f |= store.FieldContent
	}
	return f
}

// needsMeta reports whether an item is made of Meta, or a section is more than
// the whole message.
func (p *Plan) needsMeta() bool {
	if p.Items&ofMeta != 0 {
		return true
	}
	for i := range p.Sections {
		if len(p.Sections[i].Part) > 0 || p.Sections[i].Text != imap.TextAll {
			return true
		}
	}
	return false
}
