package imapfetch

import (
	"errors"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

const (
	// MaxSections bounds the BODY[...] and BINARY[...] items of one FETCH.
	MaxSections = 1000
	// MaxBinary bounds the BINARY[...] items of one FETCH: each decodes its
	// part from the start.
	MaxBinary = 100
)

// ErrTooManySections refuses a FETCH with more than [MaxSections] sections, or
// more than [MaxBinary] to decode: NO with LIMIT (RFC 9051 §7.1).
var ErrTooManySections = errors.New("imapfetch: too many sections")

// Plan is what a FETCH asks for, decided once for all messages. The zero value
// asks for nothing.
type Plan struct {
	Items    imap.FetchItem
	Sections []imap.Section // in the order of the command
	Seen     bool           // marks messages \Seen (RFC 3501 §6.4.5)
	Lazy     bool           // PREVIEW may be NIL where it is not known yet (RFC 8970 §4.1)

	// Changed leaves out messages whose mod-sequence is Since at most
	// (RFC 7162 §3.1.4.1). Vanished asks for the UIDs expunged after Since too
	// (§3.2.6); it comes with Changed only.
	Changed, Vanished bool
	Since             store.ModSeq

	// Partial is a window on the messages that UID FETCH names, before Changed
	// is looked at (RFC 9394 §3.3); zero = all.
	Partial imap.PartialRange

	binary int // sections to decode
}

// add puts a section into the plan.
func (p *Plan) add(sec imap.Section) error {
	if sec.Form != imap.FormBody {
		p.binary++
	}
	if len(p.Sections) == MaxSections || p.binary > MaxBinary {
		return ErrTooManySections
	}
	p.Sections = append(p.Sections, sec)
	p.Seen = p.Seen || !sec.Peek
	return nil
}

const (
	ofTable = imap.FetchUID | imap.FetchFlags | imap.FetchSize | imap.FetchModSeq
	ofMeta  = imap.FetchEnvelope | imap.FetchBody | imap.FetchBodyStructure
	ofDates = imap.FetchInternalDate | imap.FetchSaveDate
	ofIDs   = imap.FetchEmailID | imap.FetchThreadID
)

// TableSuffices reports whether the view of the mailbox has all that is asked
// for.
func (p *Plan) TableSuffices() bool { return p.Items&^ofTable == 0 && len(p.Sections) == 0 }

// Fields is what the store has to tell about each message.
func (p *Plan) Fields() store.Fields {
	var f store.Fields
	if p.Items&ofDates != 0 {
		f |= store.FieldDates
	}
	if p.Items&ofIDs != 0 {
		f |= store.FieldIDs
	}
	if p.needsMeta() || p.Items&imap.FetchPreview != 0 {
		f |= store.FieldMeta
	}
	if len(p.Sections) > 0 {
		f |= store.FieldContent
	}
	return f
}

// needsMeta reports whether an item cannot be told without Meta, or a section
// is more than the whole message.
func (p *Plan) needsMeta() bool {
	return p.Items&ofMeta != 0 || p.Items&imap.FetchPreview != 0 && !p.Lazy ||
		p.asks(func(sec *imap.Section) bool { return len(sec.Part) > 0 || sec.Text != imap.TextAll })
}

// needsParts reports whether a section is one of a part.
func (p *Plan) needsParts() bool {
	return p.asks(func(sec *imap.Section) bool { return len(sec.Part) > 0 })
}

// asks reports whether there is a section that is so.
func (p *Plan) asks(is func(*imap.Section) bool) bool {
	for i := range p.Sections {
		if is(&p.Sections[i]) {
			return true
		}
	}
	return false
}
