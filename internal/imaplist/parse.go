package imaplist

import "github.com/mailstead/mailstead/internal/imapwire"

// MaxPatterns bounds the patterns of one LIST (RFC 5258 §3.1).
const MaxPatterns = 100

// Request is what LIST asks for.
type Request struct {
	Patterns []string // with the reference in front, as the client wrote them
	Root     bool     // the empty pattern: only the delimiter is asked for

	// Selection options: only such mailboxes.
	Subscribed, SpecialUse bool

	// ReturnSubscribed is the return option SUBSCRIBED. The others are told
	// always.
	ReturnSubscribed bool
}

// Parse takes what LIST or LSUB asks for, up to the end of the line:
//
//	["(" selection options ")" SP] reference SP (pattern / "(" patterns ")") [SP "RETURN" SP "(" options ")"]
//
// Errors are *[imapwire.SyntaxError] and those of the Decoder.
func Parse(dec *imapwire.Decoder) (r Request, err error) {
	if dec.Peek() == '(' {
		if err = dec.List(func() error { return r.readSelection(dec) }); err != nil {
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
		err = r.readReturn(dec)
	}
	return r, err
}

// readPatterns takes pattern / "(" patterns ")".
func (r *Request) readPatterns(dec *imapwire.Decoder, reference string) error {
	pattern := func() error {
		p, err := dec.ListMailbox()
		if len(r.Patterns) == MaxPatterns {
			return bad("Too many patterns")
		}
		r.Root = p == ""
		r.Patterns = append(r.Patterns, reference+p)
		return err
	}
	if dec.Peek() != '(' {
		return pattern()
	}
	err := dec.List(pattern)
	r.Root = false
	return err
}

func bad(reason string) error { return &imapwire.SyntaxError{Reason: reason} }

// readSelection takes one selection option of RFC 5258 §3.1 or RFC 6154 §2.
func (r *Request) readSelection(dec *imapwire.Decoder) error {
	word, err := dec.Word()
	if err != nil {
		return err
	}
	switch word {
	case "SUBSCRIBED":
		r.Subscribed = true
	case "SPECIAL-USE":
		r.SpecialUse = true
	case "REMOTE": // there are none
	default:
		return bad("Unknown selection option")
	}
	return nil
}

// readReturn takes "RETURN" SP "(" options ")".
func (r *Request) readReturn(dec *imapwire.Decoder) error {
	word, err := dec.Word()
	if err != nil {
		return err
	}
	if word != "RETURN" {
		return bad("RETURN expected")
	}
	if err := dec.SP(); err != nil {
		return err
	}
	return dec.List(func() error {
		word, err := dec.Word()
		if err != nil {
			return err
		}
		switch word {
		case "SUBSCRIBED":
			r.ReturnSubscribed = true
		case "CHILDREN", "SPECIAL-USE": // told always
		default:
			return bad("Unknown return option")
		}
		return nil
	})
}
