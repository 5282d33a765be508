package imapserver

// maxPatterns bounds the patterns of one LIST (RFC 5258 §3.1).
const maxPatterns = 100

// readList takes
//
//	[SP "(" selection options ")"] SP reference SP (pattern / "(" patterns ")") [SP "RETURN" SP "(" options ")"] CRLF
func (s *session) readList() (a listArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if s.dec.Peek() == '(' {
		if err = s.dec.List(func() error { return s.readSelection(&a) }); err != nil {
			return a, err
		}
		if err = s.dec.SP(); err != nil {
			return a, err
		}
	}
	reference, err := s.dec.AString()
	if err != nil {
		return a, err
	}
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	pattern := func() error {
		p, err := s.dec.ListMailbox()
		if len(a.patterns) == maxPatterns {
			return bad("Too many patterns")
		}
		a.root = p == ""
		a.patterns = append(a.patterns, reference+p)
		return err
	}
	if s.dec.Peek() == '(' {
		err = s.dec.List(pattern)
		a.root = false
	} else {
		err = pattern()
	}
	if err != nil {
		return a, err
	}
	if s.dec.Accept(' ') {
		if err = s.readReturn(&a); err != nil {
			return a, err
		}
	}
	return a, s.dec.End()
}

// readSelection takes one selection option of RFC 5258 §3.1 or RFC 6154 §2.
func (s *session) readSelection(a *listArgs) error {
	word, err := s.dec.Word()
	if err != nil {
		return err
	}
	switch word {
	case "SUBSCRIBED":
		a.subscribed = true
	case "SPECIAL-USE":
		a.special = true
	case "REMOTE": // there are none
	default:
		return bad("Unknown selection option")
	}
	return nil
}

// readReturn takes "RETURN" SP "(" options ")".
func (s *session) readReturn(a *listArgs) error {
	word, err := s.dec.Word()
	if err != nil {
		return err
	}
	if word != "RETURN" {
		return bad("RETURN expected")
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	return s.dec.List(func() error {
		word, err := s.dec.Word()
		if err != nil {
			return err
		}
		switch word {
		case "SUBSCRIBED":
			a.tellSubscribed = true
		case "CHILDREN", "SPECIAL-USE": // told always
		default:
			return bad("Unknown return option")
		}
		return nil
	})
}
