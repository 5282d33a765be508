package imapwire

import "io"

// SkipValue returns the length of the value at the start of b: an astring, a
// number, NIL, or a parenthesized list of values with single spaces between
// them (no space is needed between two lists, as in a body structure). Literals
// stand whole in b. maxDepth bounds the nesting. It is what a reader of stored
// forms and of unknown extension data (RFC 4466 tagged-ext-val) needs.
func SkipValue(b []byte, maxDepth int) (int, error) {
	depth, n := 0, 0
	before := byte('(') // '(' ' ' or ')' in front of b[n]; 'a' behind a string
	for {
		if n >= len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		switch c := b[n]; {
		case c == '(' && before != 'a':
			if depth++; depth > maxDepth {
				return 0, &SyntaxError{Pos: int64(n), Reason: "nested too deeply", Err: ErrNesting}
			}
			n, before = n+1, '('
			continue
		case c == ')' && depth > 0 && before != ' ':
			depth--
			n, before = n+1, ')'
		case c == ' ' && (before == ')' || before == 'a'):
			n, before = n+1, ' '
			continue
		case before == '(' || before == ' ':
			m, err := skipString(b[n:])
			if err != nil {
				return 0, shift(err, n)
			}
			n, before = n+m, 'a'
		default:
			return 0, syntax(n, "space expected")
		}
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
