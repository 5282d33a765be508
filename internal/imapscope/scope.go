package imapscope

import (
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Kind is a way to name mailboxes.
type Kind uint8

// The kinds.
const (
	Selected        Kind = iota // the open mailbox
	SelectedDelayed             // the same; of NOTIFY alone
	Inboxes                     // where mail is delivered to
	Personal                    // all of the user's own
	Subscribed
	Subtree    // Names, and all below them
	SubtreeOne // Names, and those one level below; of MULTISEARCH alone
	Mailboxes  // Names
)

// Scope names mailboxes. Names are as they were written.
type Scope struct {
	Kind  Kind
	Names []string
}

var kinds = map[string]Kind{
	"SELECTED": Selected, "SELECTED-DELAYED": SelectedDelayed, "INBOXES": Inboxes, "PERSONAL": Personal,
	"SUBSCRIBED": Subscribed, "SUBTREE": Subtree, "SUBTREE-ONE": SubtreeOne, "MAILBOXES": Mailboxes,
}

// MaxNames is how many names Read takes.
const MaxNames = 1000

// Read takes one filter-mailboxes:
//
//	filter-mailboxes-selected = "selected" / "selected-delayed"
//	filter-mailboxes-other    = "inboxes" / "personal" / "subscribed" /
//	                            ("subtree" / "subtree-one" / "mailboxes") SP one-or-more-mailbox
//	one-or-more-mailbox       = mailbox / "(" mailbox *(SP mailbox) ")"
//
// name takes one name. Errors are *[imapwire.SyntaxError], those of the Decoder
// and of name.
func Read(dec *imapwire.Decoder, name func() (string, error)) (s Scope, err error) {
	word, err := dec.Word()
	if err != nil {
		return s, err
	}
	var ok bool
	if s.Kind, ok = kinds[word]; !ok {
		return s, imapwire.Bad("Unknown specifier of mailboxes")
	}
	if s.Kind < Subtree {
		return s, nil
	}
	if err := dec.SP(); err != nil {
		return s, err
	}
	add := func() error {
		n, err := name()
		if err == nil && len(s.Names) == MaxNames {
			err = imapwire.Bad("Too many mailboxes")
		}
		s.Names = append(s.Names, n)
		return err
	}
	if dec.Peek() != '(' {
		return s, add()
	}
	if err := dec.List(add); err != nil {
		return s, err
	}
	if len(s.Names) == 0 {
		return s, imapwire.Bad("Mailbox expected")
	}
	return s, nil
}

// ReadSources takes
//
//	"(" filter-mailboxes *(SP filter-mailboxes) [SP "(" scope-options ")"] ")"
//
// (RFC 7377 §4). There are no scope-options yet, so none is taken.
func ReadSources(dec *imapwire.Decoder, name func() (string, error)) (list []Scope, err error) {
	err = dec.List(func() error {
		s, err := Read(dec, name)
		if err == nil && s.Kind == SelectedDelayed {
			err = imapwire.Bad("Not possible here")
		}
		if list = append(list, s); len(list) > MaxNames {
			err = imapwire.Bad("Too many mailboxes")
		}
		return err
	})
	if err == nil && len(list) == 0 {
		err = imapwire.Bad("Specifier of mailboxes expected")
	}
	return list, err
}
