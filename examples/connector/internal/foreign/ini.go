package foreign

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// iniFile is a file of sections as Python's configparser reads it, which is what
// getmail uses: lines "name = value" or "name: value", comments with "#" or ";"
// at the beginning of a line. A line that stands deeper than that of its option
// goes on with the value, and so does an empty one between such lines.
type iniFile struct {
	sections []*iniSection
	defaults *iniSection // [DEFAULT]; it may stand several times
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
	p := &iniParser{file: &iniFile{defaults: &iniSection{name: "DEFAULT"}}}
	for line := range strings.Lines(newlines.Replace(text)) {
		p.n++
		if err := p.line(line); err != nil {
			return nil, err
		}
	}
	for _, s := range append(p.file.sections, p.file.defaults) {
		for i := range s.values {
			s.values[i].value = strings.TrimRightFunc(s.values[i].value, isSpace)
		}
	}
	return p.file, nil
}

// newlines makes one kind of line end of all, as Python does in text files.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// isSpace is str.isspace of Python.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

type iniParser struct {
	file    *iniFile
	section *iniSection
	last    *iniValue // whose value may go on; nil = none
	indent  int       // of the last line that began something, in characters
	n       int       // of the line
}

func (p *iniParser) line(line string) error {
	trimmed := strings.TrimFunc(line, isSpace)
	indent := utf8.RuneCountInString(line[:len(line)-len(strings.TrimLeftFunc(line, isSpace))])
	switch {
	case !utf8.ValidString(line):
		return &syntaxError{p.n, "it is not UTF-8"}
	case trimmed == "":
		if p.last != nil {
			p.last.value += "\n"
		}
		return nil
	case trimmed[0] == '#', trimmed[0] == ';':
		return nil
	case p.last != nil && indent > p.indent:
		p.last.value += "\n" + trimmed
		return nil
	}
	p.indent = indent
	// What stands behind the last bracket is left out, so that a comment may.
	if end := strings.LastIndexByte(trimmed, ']'); trimmed[0] == '[' && end > 1 {
		return p.header(trimmed[1:end])
	}
	if p.section == nil {
		return &syntaxError{p.n, "want a section such as [retriever] first"}
	}
	return p.option(trimmed)
}

func (p *iniParser) header(name string) error {
	p.last = nil
	if name == p.file.defaults.name {
		p.section = p.file.defaults
		return nil
	}
	if p.file.section(name) != nil {
		return &syntaxError{p.n, fmt.Sprintf("a second section [%s]", name)}
	}
	p.section = &iniSection{name: name, line: p.n}
	p.file.sections = append(p.file.sections, p.section)
	return nil
}

func (p *iniParser) option(line string) error {
	cut := strings.IndexAny(line, "=:")
	if cut <= 0 {
		return &syntaxError{p.n, "want NAME = VALUE"}
	}
	s := p.section
	name := strings.ToLower(strings.TrimRightFunc(line[:cut], isSpace))
	if s.find(name) != nil {
		return &syntaxError{p.n, fmt.Sprintf("a second %s in [%s]", name, s.name)}
	}
	s.values = append(s.values, iniValue{name, strings.TrimFunc(line[cut+1:], isSpace), p.n})
	p.last = &s.values[len(s.values)-1]
	return nil
}

func (f *iniFile) section(name string) *iniSection {
	for _, s := range f.sections {
		if s.name == name {
			return s
		}
	}
	return nil
}

// withDefaults is a section with what [DEFAULT] has besides; nil where the
// section is not there.
func (f *iniFile) withDefaults(name string) *iniSection {
	s := f.section(name)
	if s == nil {
		return nil
	}
	all := &iniSection{s.name, s.line, append([]iniValue(nil), s.values...)}
	for _, v := range f.defaults.values {
		if s.find(v.name) == nil {
			all.values = append(all.values, v)
		}
	}
	return all
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
