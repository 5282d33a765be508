package foreign

import "strings"

// The kinds of tokens of a fetchmailrc.
type tokenKind uint8

const (
	tokenEnd     tokenKind = iota
	tokenKeyword           // a word of the grammar
	tokenString            // any other word, or a quoted string
	tokenNumber
	tokenStar // "*"
	tokenMap  // "="
)

// token is one of them. text is the keyword's long form, or the string with its
// escapes replaced.
type token struct {
	kind tokenKind
	text string
	line int
}

// lexState is what the token before asks for: behind some keywords a name
// stands, which may look like a keyword.
type lexState uint8

const (
	lexPlain lexState = iota
	lexName           // behind user, password, is, to and "="
	lexAuth           // behind auth, where "password" is a kind of login
)

// lexer cuts a fetchmailrc into tokens. What it reads is bounded by its input:
// each call takes at least one octet or is at the end.
type lexer struct {
	text  string
	at    int
	line  int
	state lexState

	pending *token // the second half of a word such as "nokeep"
}

// fault of the grammar; the line is in it.
type syntaxError struct {
	line int
	text string
}

func (e *syntaxError) Error() string { return e.text }

// next returns the next token; at the end of the text tokenEnd, again and again.
func (l *lexer) next() (token, error) {
	if t := l.pending; t != nil {
		l.pending = nil
		return l.seen(*t), nil
	}
	l.skip()
	if l.at >= len(l.text) {
		return token{line: l.line}, nil
	}
	start := l.line
	switch c := l.text[l.at]; {
	case c == '"' || c == '\'':
		s, err := l.quoted(c)
		l.state = lexPlain
		return token{kind: tokenString, text: s, line: start}, err
	case c == '=':
		l.at++
		l.state = lexName
		return token{kind: tokenMap, text: "=", line: start}, nil
	}
	return l.word(), nil
}

// skip passes white space, comments and what punctuation there is for people. A
// backslash before the end of a line is passed, too.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '\n':
			l.line++
			l.at++
		case strings.IndexByte(" \t\r;:,", c) >= 0:
			l.at++
		case c == '#':
			end := strings.IndexByte(l.text[l.at:], '\n')
			if end < 0 {
				l.at = len(l.text)
				return
			}
			l.at += end
		case strings.HasPrefix(l.text[l.at:], "\\\n"):
			l.at++
		default:
			return
		}
	}
}

// quoted reads a string in quotes, which may go over several lines.
func (l *lexer) quoted(quote byte) (string, error) {
	start := l.line
	end := strings.IndexByte(l.text[l.at+1:], quote)
	if end < 0 {
		l.at = len(l.text)
		return "", &syntaxError{start, "a quoted string does not end"}
	}
	raw := l.text[l.at+1 : l.at+1+end]
	l.at += end + 2
	l.line += strings.Count(raw, "\n")
	return unescape(raw), nil
}

// word reads up to white space or punctuation.
func (l *lexer) word() token {
	end := strings.IndexAny(l.text[l.at:], "=;:, \t\r\n")
	if end < 0 {
		end = len(l.text) - l.at
	}
	raw := l.text[l.at : l.at+end]
	l.at += end
	t := token{kind: tokenString, text: unescape(raw), line: l.line}
	switch state := l.state; {
	case raw == "*":
		t.kind = tokenStar
	case state == lexName || state == lexAuth:
	case isNumber(raw):
		t.kind = tokenNumber
	default:
		return l.keyword(t, raw)
	}
	l.state = lexPlain
	return t
}

// keyword makes one of t where raw is one. "nokeep" is "no" and "keep".
func (l *lexer) keyword(t token, raw string) token {
	if rest, ok := strings.CutPrefix(raw, "no"); ok && keywords[longForm(rest)].negatable() {
		l.pending = &token{kind: tokenKeyword, text: longForm(rest), line: t.line}
		return token{kind: tokenKeyword, text: "no", line: t.line}
	}
	if name := longForm(raw); keywords[name].args != argNone {
		t.kind, t.text = tokenKeyword, name
	}
	return l.seen(t)
}

// seen sets what the token asks of the next one.
func (l *lexer) seen(t token) token {
	l.state = lexPlain
	if t.kind == tokenKeyword {
		switch t.text {
		case "user", "password", "is", "to":
			l.state = lexName
		case "auth":
			l.state = lexAuth
		}
	}
	return t
}

func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// unescape replaces the escapes of a fetchmailrc: \n \t \b \r, decimal \ddd,
// octal \0ooo, \xhh; a backslash at the end of a line joins it with the next
// one, and any other character stands for itself.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch c := s[i]; c {
		case '\n':
		case 'n', 't', 'b', 'r':
			b.WriteByte("\n\t\b\r"[strings.IndexByte("ntbr", c)])
		case 'x', 'X':
			v, n := digits(s[i+1:], 16, 2)
			b.WriteByte(v)
			i += n
		case '0':
			v, n := digits(s[i:], 8, 3)
			b.WriteByte(v)
			i += n - 1
		default:
			if c < '1' || c > '9' {
				b.WriteByte(c)
				break
			}
			v, n := digits(s[i:], 10, 3)
			b.WriteByte(v)
			i += n - 1
		}
	}
	return b.String()
}

// digits reads at most limit digits of the base; beyond an octet it wraps.
func digits(s string, base, limit int) (value byte, n int) {
	v := 0
	for n < len(s) && n < limit {
		d := strings.IndexByte("0123456789abcdef", s[n]|0x20)
		if s[n] < '0' || d < 0 || d >= base {
			break
		}
		v = v*base + d
		n++
	}
	return byte(v), n
}
