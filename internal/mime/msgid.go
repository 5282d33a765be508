package mime

import (
	"bytes"
	"iter"
)

// MessageIDs gives the message ids of an unfolded Message-ID, In-Reply-To or
// References field without their angle brackets, in their order, normalised as
// RFC 5256 §3 (REFERENCES) asks: quotes that nothing needs are removed. Phrases
// and comments between them are passed over (RFC 5322 §4.5.4). A field without
// any bracket that is one word with an "@" gives that word. The slices are
// valid until the next id.
func MessageIDs(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var buf []byte
		rest, any := value, false
		for {
			i := bytes.IndexByte(rest, '<')
			if i < 0 {
				break
			}
			rest = rest[i+1:]
			n := bytes.IndexAny(rest, "<>")
			if n < 0 {
				break
			}
			if rest[n] == '<' {
				continue
			}
			any = true
			if buf = appendID(buf[:0], rest[:n]); len(buf) > 0 && !yield(buf) {
				return
			}
			rest = rest[n+1:]
		}
		word := bytes.TrimSpace(value)
		if !any && bytes.IndexByte(word, '@') > 0 && !bytes.ContainsAny(word, "<> \t\r\n") {
			yield(word)
		}
	}
}

// appendID adds an id without white space and quoting.
func appendID(dst, id []byte) []byte {
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case isSpace(c) || c == '"':
		case c == '\\' && i+1 < len(id):
			i++
			dst = append(dst, id[i])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
