package foreign

import (
	"fmt"
	"strings"
)

// iniFile is a file of sections, as getmail's: lines "name = value" or "name:
// value", further lines of a value begin with white space, comments with "#" or
// ";" at the beginning of a line.
type iniFile struct {
	sections []*iniSection
}

type iniSection struct {
	name   string
	line   int
	values []iniValue
}

type iniValue struct {
	name, value string
	line        int
}

// parseINI reads a file; the error is a *syntaxError.
func parseINI(text string) (*iniFile, error) {
	f := &iniFile{}
	var section *iniSection
	var last *iniValue
	n := 0
	for line := range strings.Lines(text) {
		n++
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "", trimmed[0] == '#', trimmed[0] == ';':
			continue
		case last != nil && (line[0] == ' ' || line[0] == '\t'):
			last.value += "\n" + trimmed
			continue
		case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
			section, last = &iniSection{name: trimmed[1 : len(trimmed)-1], line: n}, nil
			if f.section(section.name) != nil {
				return nil, &syntaxError{n, fmt.Sprintf("a second section [%s]", section.name)}
			}
			f.sections = append(f.sections, section)
			continue
		case section == nil:
			return nil, &syntaxError{n, "want a section such as [retriever] first"}
		}
		cut := strings.IndexAny(trimmed, "=:")
		if cut <= 0 {
			return nil, &syntaxError{n, "want NAME = VALUE"}
		}
		name := strings.ToLower(strings.TrimSpace(trimmed[:cut]))
		if section.find(name) != nil {
			return nil, &syntaxError{n, fmt.Sprintf("a second %s in [%s]", name, section.name)}
		}
		section.values = append(section.values, iniValue{name, strings.TrimSpace(trimmed[cut+1:]), n})
		last = &section.values[len(section.values)-1]
	}
	return f, nil
}

func (f *iniFile) section(name string) *iniSection {
	for _, s := range f.sections {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (s *iniSection) find(name string) *iniValue {
	if s == nil {
		return nil
	}
	for i := range s.values {
		if s.values[i].name == name {
			return &s.values[i]
		}
	}
	return nil
}

// get is the value of a name; "" where it is not there.
func (s *iniSection) get(name string) string {
	if v := s.find(name); v != nil {
		return v.value
	}
	return ""
}

// tuple is a value that is a Python tuple: strings, numbers, and tuples of
// them.
type tuple []tupleItem

type tupleItem struct {
	text  string
	inner tuple // nil = text
}

// maxDepth bounds tuples in tuples.
const maxDepth = 4

// parseTuple reads one; false: it is none.
func parseTuple(text string) (tuple, bool) {
	p := &tupleParser{text: text}
	t, ok := p.tuple(0)
	p.space()
	return t, ok && p.text == ""
}

// strings are the items of a tuple of strings or numbers.
func (t tuple) strings() []string {
	var out []string
	for _, i := range t {
		if i.inner == nil {
			out = append(out, i.text)
		}
	}
	return out
}

// tupleParser is what is left of a value.
type tupleParser struct{ text string }

// space passes white space, and comments that stand in a value of several lines.
func (p *tupleParser) space() {
	p.text = strings.TrimLeft(p.text, " \t\r\n")
	for strings.HasPrefix(p.text, "#") {
		_, p.text, _ = strings.Cut(p.text, "\n")
		p.text = strings.TrimLeft(p.text, " \t\r\n")
	}
}

func (p *tupleParser) take(c byte) bool {
	p.space()
	if p.text == "" || p.text[0] != c {
		return false
	}
	p.text = p.text[1:]
	return true
}

func (p *tupleParser) tuple(depth int) (tuple, bool) {
	if depth > maxDepth || !p.take('(') {
		return nil, false
	}
	t := tuple{}
	for !p.take(')') {
		if len(t) > 0 && !p.take(',') {
			return nil, false
		}
		if p.take(')') {
			break
		}
		item, ok := p.item(depth)
		if !ok {
			return nil, false
		}
		t = append(t, item)
	}
	return t, true
}

func (p *tupleParser) item(depth int) (tupleItem, bool) {
	p.space()
	if strings.HasPrefix(p.text, "(") {
		inner, ok := p.tuple(depth + 1)
		return tupleItem{inner: inner}, ok
	}
	raw := len(p.text) > 1 && (p.text[0] == 'r' || p.text[0] == 'R') && strings.IndexByte(`"'`, p.text[1]) >= 0
	if raw {
		p.text = p.text[1:]
	}
	if p.text != "" && strings.IndexByte(`"'`, p.text[0]) >= 0 {
		s, ok := p.quoted(raw)
		return tupleItem{text: s}, ok
	}
	end := strings.IndexAny(p.text, ",) \t\r\n")
	if end <= 0 || !isNumber(p.text[:end]) {
		return tupleItem{}, false
	}
	number := p.text[:end]
	p.text = p.text[end:]
	return tupleItem{text: number}, true
}

// quoted reads a string of Python; in a raw one backslashes stand for
// themselves.
func (p *tupleParser) quoted(raw bool) (string, bool) {
	quote := p.text[0]
	var b strings.Builder
	for i := 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == quote:
			p.text = p.text[i+1:]
			return b.String(), true
		case c != '\\' || i+1 == len(p.text):
			b.WriteByte(c)
		default:
			i++
			if raw || strings.IndexByte("\\'\"", p.text[i]) < 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(p.text[i])
		}
	}
	return "", false
}
