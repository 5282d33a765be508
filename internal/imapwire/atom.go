package imapwire

import "io"

// consumeRun takes 1*k. The token ends at the first octet of another class,
// which must be in b.
func consumeRun(b []byte, k class, what string) ([]byte, int, error) {
	n := run(b, k)
	switch {
	case n == len(b):
		return nil, 0, io.ErrUnexpectedEOF
	case n == 0:
		return nil, 0, syntax(0, what)
	}
	return b[:n], n, nil
}

// ConsumeAtom takes
//
//	atom = 1*ATOM-CHAR
//
// The result is a part of b.
func ConsumeAtom(b []byte) ([]byte, int, error) {
	return consumeRun(b, atomChar, "atom expected")
}

// ConsumeTag takes
//
//	tag = 1*<any ASTRING-CHAR except "+">
//
// The result is a part of b.
func ConsumeTag(b []byte) ([]byte, int, error) {
	return consumeRun(b, tagChar, "tag expected")
}

// ConsumeFlag takes
//
//	flag           = "\Answered" / … / flag-keyword / flag-extension
//	flag-keyword   = atom
//	flag-extension = "\" atom
//
// and, for a client that reads PERMANENTFLAGS, "\*". It does not judge which
// flags a client may set. The result is a part of b.
func ConsumeFlag(b []byte) ([]byte, int, error) {
	if len(b) == 0 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if b[0] != '\\' {
		return consumeRun(b, atomChar, "flag expected")
	}
	if len(b) > 1 && b[1] == '*' {
		return b[:2], 2, nil
	}
	_, n, err := ConsumeAtom(b[1:])
	if err != nil {
		return nil, 0, shift(err, 1)
	}
	return b[:n+1], n + 1, nil
}

// ConsumeAString takes
//
//	astring = 1*ASTRING-CHAR / string
//
// where a literal stands whole in b. The result is a part of b, or a copy
// where escapes had to be removed.
func ConsumeAString(b []byte) ([]byte, int, error) {
	if startsString(b) {
		return ConsumeString(b)
	}
	return consumeRun(b, astringChar, "astring expected")
}

// ConsumeListMailbox takes
//
//	list-mailbox = 1*list-char / string
//
// in the same way as ConsumeAString.
func ConsumeListMailbox(b []byte) ([]byte, int, error) {
	if startsString(b) {
		return ConsumeString(b)
	}
	return consumeRun(b, listChar, "mailbox pattern expected")
}

func startsString(b []byte) bool { return len(b) > 0 && (b[0] == '"' || b[0] == '{') }

// shift moves the position of a syntax error of a nested token.
func shift(err error, by int) error {
	if s, ok := err.(*SyntaxError); ok {
		return &SyntaxError{Pos: s.Pos + int64(by), Reason: s.Reason, Err: s.Err}
	}
	return err
}
