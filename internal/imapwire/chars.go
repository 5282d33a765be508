package imapwire

// class is a set of character classes of RFC 9051 §9.
type class uint8

const (
	atomChar    class = 1 << iota // ATOM-CHAR
	astringChar                   // ASTRING-CHAR = ATOM-CHAR / resp-specials
	listChar                      // list-char = ATOM-CHAR / list-wildcards / resp-specials
	tagChar                       // ASTRING-CHAR except "+"
	quotedChar                    // QUOTED-CHAR without an escape, 7 bits
)

// classes maps each octet to its classes; it is never written after init.
var classes = makeClasses()

func makeClasses() (t [256]class) {
	for c := 1; c < 0x80; c++ {
		b := byte(c)
		if b != '\r' && b != '\n' && b != '"' && b != '\\' {
			t[c] |= quotedChar
		}
		if b <= ' ' || b == 0x7f {
			continue
		}
		switch b {
		case '(', ')', '{', '"', '\\':
		case '%', '*':
			t[c] |= listChar
		case ']':
			t[c] |= astringChar | listChar | tagChar
		case '+':
			t[c] |= atomChar | astringChar | listChar
		default:
			t[c] |= atomChar | astringChar | listChar | tagChar
		}
	}
	return t
}

func is(c byte, k class) bool { return classes[c]&k != 0 }

// run returns the length of the longest prefix of b whose octets are all of
// class k.
func run(b []byte, k class) int {
	for i, c := range b {
		if classes[c]&k == 0 {
			return i
		}
	}
	return len(b)
}
