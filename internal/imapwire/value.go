package imapwire

import "io"

// SkipValue returns the length of the value at the start of b: an astring, a
// number, NIL, or a parenthesized list of values with single spaces between
// them (no space is needed between two lists, as in a body structure). Literals
// stand whole in b. maxDepth bounds the nesting. It is what a reader of stored
// forms and of unknown extension data (RFC 4466 tagged-ext-val) needs.
func SkipValue(b []byte, maxDepth int) (int, error) {
	depth, n := 0, 0
	first := true // nothing stands before b[n] in its list
	for {
		if n >= len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		switch c := b[n]; {
		case c == '(' && (first || b[n-1] == ')' || b[n-1] == ' '):
			if depth++; depth > maxDepth {
				return 0, &SyntaxError{Pos: int64(n), Reason: "nested too deeply", Err: ErrNesting}
			}
			n, first = n+1, true
			continue
		case c == ')' && depth > 0 && b[n-1] != ' ':
			depth--
			n++
		case c == ' ' && depth > 0 && !first && b[n-1] != ' ':
			n++
			continue
		case first || b[n-1] == ' ':
			m, err := skipString(b[n:])
			if err != nil {
				return 0, shift(err, n)
			}
			n += m
		default:
			return 0, syntax(n, "space expected")
		}
		first = false
		if depth == 0 {
			return n, nil
		}
	}
}

// skipString takes an astring, or the backslash form of a flag.
func skipString(b []byte) (int, error) {
	if b[0] == '\\' {
		_, n, err := ConsumeFlag(b)
		return n, err
	}
	if len(b) > 1 && b[0] == '~' && b[1] == '{' {
		_, n, err := ConsumeString(b)
		return n, err
	}
	_, n, err := ConsumeAString(b)
	return n, err
}
