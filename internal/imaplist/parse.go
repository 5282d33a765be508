package imaplist

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapmeta"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// MaxPatterns bounds the patterns of one LIST (RFC 5258 §3.1).
const MaxPatterns = 100

// Request is what LIST asks for.
type Request struct {
	Patterns []string // with the reference in front, as the client wrote them
	Root     bool     // the empty pattern: only the delimiter is asked for
	Extended bool     // in the syntax of RFC 5258

	// Selection options: only such mailboxes. Recursive adds those above them.
	Subscribed, SpecialUse, Recursive bool

	// ReturnSubscribed is the return option SUBSCRIBED. CHILDREN and SPECIAL-USE
	// are told always.
	ReturnSubscribed bool

	Status   []imap.StatusItem // the return option STATUS (RFC 5819); nil = not asked for
	MyRights bool              // the return option MYRIGHTS (RFC 8440)
	Metadata []string          // the return option METADATA (RFC 9590), clean names

	lsub bool // the names are subscriptions
}

// Parse takes what LIST or LSUB asks for, up to the end of the line:
//
//	["(" selection options ")" SP] reference SP (pattern / "(" patterns ")") [SP "RETURN" SP "(" options ")"]
//
// Errors are *[imapwire.SyntaxError] and those of the Decoder.
func Parse(dec *imapwire.Decoder) (r Request, err error) {
	if dec.Peek() == '(' {
		r.Extended = true
		if err = r.readSelections(dec); err != nil {
			return r, err
		}
		if err = dec.SP(); err != nil {
			return r, err
		}
	}
	reference, err := dec.AString()
	if err != nil {
		return r, err
	}
	if err = dec.SP(); err != nil {
		return r, err
	}
	if err = r.readPatterns(dec, reference); err != nil {
		return r, err
	}
	if dec.Accept(' ') {
		r.Extended = true
		err = r.readReturn(dec)
	}
	r.Root = r.Root && !r.Extended
	return r, err
}

// readPatterns takes pattern / "(" patterns ")".
func (r *Request) readPatterns(dec *imapwire.Decoder, reference string) error {
	pattern := func() error {
		p, err := dec.ListMailbox()
		if err != nil {
			return err
		}
		if len(r.Patterns) == MaxPatterns {
			return imapwire.Bad("Too many patterns")
		}
		r.Root = p == ""
		r.Patterns = append(r.Patterns, reference+p)
		return nil
	}
	if dec.Peek() != '(' {
		return pattern()
	}
	r.Extended = true
	if err := dec.List(pattern); err != nil {
		return err
	}
	if len(r.Patterns) == 0 {
		return imapwire.Bad("No pattern")
	}
	return nil
}

// readSelections takes "(" selection options ")" (RFC 5258 §3.1, RFC 6154 §2).
func (r *Request) readSelections(dec *imapwire.Decoder) error {
	err := dec.List(func() error {
		word, err := dec.Word()
		if err != nil {
			return err
		}
		switch word {
		case "SUBSCRIBED":
			r.Subscribed = true
		case "SPECIAL-USE":
			r.SpecialUse = true
		case "RECURSIVEMATCH":
			r.Recursive = true
		case "REMOTE": // there are none
		default:
			return imapwire.Bad("Unknown selection option")
		}
		return nil
	})
	if err == nil && r.Recursive && !r.Subscribed && !r.SpecialUse {
		return imapwire.Bad("RECURSIVEMATCH needs another selection option")
	}
	return err
}

// readReturn takes "RETURN" SP "(" options ")".
func (r *Request) readReturn(dec *imapwire.Decoder) error {
	word, err := dec.Word()
	if err != nil {
		return err
	}
	if word != "RETURN" {
		return imapwire.Bad("RETURN expected")
	}
	if err := dec.SP(); err != nil {
		return err
	}
	return dec.List(func() error { return r.readReturnOption(dec) })
}

func (r *Request) readReturnOption(dec *imapwire.Decoder) error {
	word, err := dec.Word()
	if err != nil {
		return err
	}
	switch word {
	case "SUBSCRIBED":
		r.ReturnSubscribed = true
	case "CHILDREN", "SPECIAL-USE": // told always
	case "MYRIGHTS":
		r.MyRights = true
	case "STATUS":
		if err := dec.SP(); err != nil {
			return err
		}
		r.Status, err = ParseStatusItems(dec)
		return err
	case "METADATA":
		if err := dec.SP(); err != nil {
			return err
		}
		r.Metadata, err = imapmeta.ParseEntries(dec)
		return err
	default:
		return imapwire.Bad("Unknown return option")
	}
	return nil
}

// ParseStatusItems takes "(" status-att *(SP status-att) ")". An item that comes
// twice is told once.
func ParseStatusItems(dec *imapwire.Decoder) (items []imap.StatusItem, err error) {
	var seen uint32
	err = dec.List(func() error {
		word, err := dec.Word()
		if err != nil {
			return err
		}
		item, ok := imap.ParseStatusItem(word)
		if !ok {
			return imapwire.Bad("Unknown item of STATUS")
		}
		if seen&(1<<item) == 0 {
			seen |= 1 << item
			items = append(items, item)
		}
		return nil
	})
	if err == nil && len(items) == 0 {
		return nil, imapwire.Bad("Nothing to tell")
	}
	return items, err
}
