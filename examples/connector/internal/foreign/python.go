package foreign

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values of getmail are expressions of Python. What is read of them are strings
// (raw ones too, and several in a row), whole numbers, and tuples of them.

// tuple is a tuple of Python.
type tuple []tupleItem

type tupleItem struct {
	text   string
	number bool  // text is one, in decimal
	inner  tuple // nil = text
}

// maxDepth bounds tuples in tuples.
const maxDepth = 4

// parseTuple reads one, with or without parentheses around it; "" is an empty
// one. false: it is none.
func parseTuple(text string) (tuple, bool) {
	if text == "" {
		return tuple{}, true
	}
	item, ok := parseLiteral(text)
	return item.inner, ok && item.inner != nil
}

// parseLiteral reads one value; false: it is none that is known here.
func parseLiteral(text string) (tupleItem, bool) {
	p := &literalParser{text: strings.TrimLeft(text, " \t\n")}
	item, ok := p.list(0)
	return item, ok && p.text == ""
}

// strings are the items of a tuple of strings and numbers; false: there are
// others.
func (t tuple) strings() (out []string, ok bool) {
	for _, i := range t {
		if i.inner != nil {
			return nil, false
		}
		out = append(out, i.text)
	}
	return out, true
}

// isString tells whether it is one, and no number and no tuple.
func (i tupleItem) isString() bool { return i.inner == nil && !i.number }

// parseInteger is int() of a string.
func parseInteger(text string) (int64, bool) {
	text = strings.TrimFunc(text, isSpace)
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 || strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
	return n, err == nil
}

// integer is int() of a value, whose text may be in quotes.
func (i tupleItem) integer() (int64, bool) {
	if i.inner != nil {
		return 0, false
	}
	return parseInteger(i.text)
}

// literalParser is what is left of a value.
type literalParser struct{ text string }

// space passes white space and comments; line ends only in parentheses.
func (p *literalParser) space(depth int) {
	for {
		p.text = strings.TrimLeft(p.text, " \t\f")
		switch {
		case strings.HasPrefix(p.text, "#"):
			end := strings.IndexByte(p.text, '\n')
			if end < 0 {
				end = len(p.text)
			}
			p.text = p.text[end:]
		case strings.HasPrefix(p.text, "\\\n"):
			p.text = p.text[2:]
		case depth > 0 && strings.HasPrefix(p.text, "\n"):
			p.text = p.text[1:]
		default:
			return
		}
	}
}

func (p *literalParser) take(c byte, depth int) bool {
	p.space(depth)
	if p.text == "" || p.text[0] != c {
		return false
	}
	p.text = p.text[1:]
	return true
}

// ends tells whether a list ends here, and passes its parenthesis.
func (p *literalParser) ends(depth int) bool {
	if depth > 0 {
		return p.take(')', depth)
	}
	p.space(0)
	return p.text == ""
}

// list reads items with commas between them up to the end: that of the value at
// depth 0, else a parenthesis. One without a comma stands for itself.
func (p *literalParser) list(depth int) (tupleItem, bool) {
	t, comma := tuple{}, true
	for !p.ends(depth) {
		if !comma {
			return tupleItem{}, false
		}
		item, ok := p.item(depth)
		if !ok {
			return tupleItem{}, false
		}
		t = append(t, item)
		comma = p.take(',', depth)
	}
	switch {
	case len(t) == 1 && !comma:
		return t[0], true
	case len(t) == 0 && depth == 0:
		return tupleItem{}, false
	}
	return tupleItem{inner: t}, true
}

func (p *literalParser) item(depth int) (tupleItem, bool) {
	if p.take('(', depth) {
		if depth == maxDepth {
			return tupleItem{}, false
		}
		return p.list(depth + 1)
	}
	text, ok := p.quoted()
	if !ok {
		return p.number()
	}
	for { // strings in a row are one
		p.space(depth)
		more, ok := p.quoted()
		if !ok {
			return tupleItem{text: text}, true
		}
		text += more
	}
}

func (p *literalParser) number() (tupleItem, bool) {
	const digits = "0123456789"
	body := strings.TrimLeft(p.text, "+-")
	end := len(body) - len(strings.TrimLeft(body, digits+"_abcdefxoABCDEFXO"))
	word, sign := body[:end], p.text[:len(p.text)-len(body)]
	zeros := strings.HasPrefix(word, "0") && strings.Trim(word, "0_") != "" && strings.IndexByte(digits+"_", word[1]) >= 0
	n, err := strconv.ParseInt(word, 0, 64)
	if err != nil || zeros || len(sign) > 1 || word[0] == '_' {
		return tupleItem{}, false
	}
	if sign == "-" {
		n = -n
	}
	p.text = body[end:]
	return tupleItem{text: strconv.FormatInt(n, 10), number: true}, true
}

// quoted reads a string; in a raw one backslashes stand for themselves. false:
// there is none here, or none that is known.
func (p *literalParser) quoted() (string, bool) {
	text := p.text
	raw := false
	if text != "" && strings.IndexByte("rRuU", text[0]) >= 0 {
		raw = text[0] == 'r' || text[0] == 'R'
		text = text[1:]
	}
	if text == "" || text[0] != '"' && text[0] != '\'' {
		return "", false
	}
	quote := text[:1]
	if three := strings.Repeat(quote, 3); strings.HasPrefix(text, three) {
		quote = three
	}
	text = text[len(quote):]
	var b strings.Builder
	for !strings.HasPrefix(text, quote) {
		n := 1
		switch {
		case text == "", text[0] == 0, text[0] == '\n' && len(quote) == 1:
			return "", false
		case text[0] != '\\':
			b.WriteByte(text[0])
		case len(text) == 1:
			return "", false
		case raw:
			n = 2
			b.WriteString(text[:n])
		default:
			var s string
			if s, n = escape(text); n == 0 {
				return "", false
			}
			b.WriteString(s)
		}
		text = text[n:]
	}
	p.text = text[len(quote):]
	return b.String(), true
}

// escapes of one letter.
const (
	escapeLetters = "\n\\'\"abfnrtv"
	escapeValues  = "\x00\\'\"\a\b\f\n\r\t\v"
)

// escape reads what begins with a backslash, in n octets; n = 0: it is faulty, or
// the name of a character.
func escape(text string) (value string, n int) {
	c := text[1]
	if i := strings.IndexByte(escapeLetters, c); i > 0 {
		return escapeValues[i : i+1], 2
	} else if i == 0 { // a line end is left out
		return "", 2
	}
	base, begin, end := 16, 2, 0
	switch c {
	case 'x':
		end = 4
	case 'u':
		end = 6
	case 'U':
		end = 10
	case 'N':
		return "", 0
	case '0', '1', '2', '3', '4', '5', '6', '7':
		base, begin, end = 8, 1, 2
		for end < min(4, len(text)) && text[end] >= '0' && text[end] <= '7' {
			end++
		}
	default: // it stands for itself
		return `\`, 1
	}
	if len(text) < end {
		return "", 0
	}
	code, err := strconv.ParseUint(text[begin:end], base, 31)
	if err != nil || !utf8.ValidRune(rune(code)) {
		return "", 0
	}
	return string(rune(code)), end
}
