package authres

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of Parse.
const (
	maxField      = 64 << 10
	maxStatements = 200
	maxProperties = 1000 // of all statements
)

// Why a field cannot be parsed; tested with errors.Is.
var (
	// ErrSyntax: it is no field of RFC 8601 §2.2.
	ErrSyntax = errors.New("authres: syntax error")
	// ErrTooLong: it has more than 64 KiB, 200 statements or 1000 properties.
	ErrTooLong = errors.New("authres: too long")
)

// Parse parses what stands behind "Authentication-Results:", folded or not,
// with or without the CRLF at its end. Comments are passed over. Beyond the
// grammar a value may have any octet but white space, ";", quotes and
// parentheses, as base64 stands there unquoted in practice, and ";" may stand
// at the end. Method, result and the names of properties are made lower-case.
func Parse(value string) (*Field, error) {
	if len(value) > maxField {
		return nil, ErrTooLong
	}
	p := parser{s: strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")}
	f := &Field{}
	if err := p.field(f); err != nil {
		return nil, err
	}
	return f, nil
}

type parser struct {
	s          string
	i          int
	properties int
}

func (p *parser) syntax(what string) error {
	return fmt.Errorf("%w: octet %d: %s expected", ErrSyntax, p.i, what)
}

// field = [CFWS] authserv-id [CFWS version] (no-result / 1*resinfo) [CFWS]
func (p *parser) field(f *Field) (err error) {
	if err = p.cfws(); err != nil {
		return err
	}
	if f.ID, err = p.value("/"); err != nil || f.ID == "" {
		return errors.Join(err, p.syntaxIf(err == nil, "an authserv-id"))
	}
	if err = p.cfws(); err != nil {
		return err
	}
	p.take('/') // an older form of the version
	if f.Version, err = p.number(); err != nil {
		return err
	}
	for p.i < len(p.s) {
		if !p.take(';') {
			return p.syntax(`";"`)
		}
		if err = p.cfws(); err != nil {
			return err
		}
		if p.i == len(p.s) {
			break // behind the last ";"
		}
		if len(f.Statements) == maxStatements {
			return ErrTooLong
		}
		s, none, err := p.statement()
		if err != nil {
			return err
		}
		if !none {
			f.Statements = append(f.Statements, s)
		} else if p.i < len(p.s) || len(f.Statements) > 0 {
			return p.syntax(`nothing behind or in front of "none"`)
		}
	}
	return nil
}

func (p *parser) syntaxIf(is bool, what string) error {
	if !is {
		return nil
	}
	return p.syntax(what)
}

// statement = method [ "/" version ] "=" result [reasonspec] *propspec, or none
func (p *parser) statement() (s Statement, none bool, err error) {
	method, err := p.name()
	if err != nil {
		return s, false, err
	}
	s.Method = Method(method)
	if p.take('/') {
		if err = p.cfws(); err != nil {
			return s, false, err
		}
		if s.Version, err = p.number(); err != nil {
			return s, false, err
		}
	}
	if method == "none" && (p.i == len(p.s) || p.s[p.i] == ';') {
		return s, true, nil
	}
	if !p.take('=') {
		return s, false, p.syntax(`"="`)
	}
	if err = p.cfws(); err != nil {
		return s, false, err
	}
	result, err := p.name()
	s.Result = Result(result)
	for err == nil && p.i < len(p.s) && p.s[p.i] != ';' {
		err = p.property(&s)
	}
	return s, false, err
}

// property = "reason" "=" value / ptype "." property "=" pvalue
func (p *parser) property(s *Statement) (err error) {
	if p.properties++; p.properties > maxProperties {
		return ErrTooLong
	}
	var prop Property
	if prop.Type, err = p.name(); err != nil {
		return err
	}
	reason := prop.Type == "reason" && p.i < len(p.s) && p.s[p.i] == '='
	if !reason {
		if !p.take('.') {
			return p.syntax(`"."`)
		}
		if err = p.cfws(); err != nil {
			return err
		}
		if prop.Name, err = p.name(); err != nil {
			return err
		}
	}
	if !p.take('=') {
		return p.syntax(`"="`)
	}
	if err = p.cfws(); err != nil {
		return err
	}
	if prop.Value, err = p.value(""); err != nil {
		return err
	}
	if reason {
		s.Reason = prop.Value
	} else {
		s.Properties = append(s.Properties, prop)
	}
	return p.cfws()
}

func (p *parser) take(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// name is a keyword in lower case, with the CFWS behind it.
func (p *parser) name() (string, error) {
	start := p.i
	for p.i < len(p.s) && isKeyword(p.s[p.i]) {
		p.i++
	}
	if p.i == start {
		return "", p.syntax("a keyword")
	}
	name := strings.ToLower(p.s[start:p.i])
	return name, p.cfws()
}

// number is an optional version with the CFWS behind it.
func (p *parser) number() (n int, err error) {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	if p.i == start {
		return 0, nil
	}
	if n, err = strconv.Atoi(p.s[start:p.i]); err != nil {
		return 0, p.syntax("a version")
	}
	return n, p.cfws()
}

// value is a quoted-string, or octets up to white space, a comment, ";" or one
// of end. A quoted local-part with a domain behind it keeps its quotes.
func (p *parser) value(end string) (string, error) {
	start := p.i
	if p.take('"') {
		v, err := p.quoted()
		if err != nil || p.i == len(p.s) || p.s[p.i] != '@' {
			return v, err
		}
	}
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n;()\"", p.s[p.i]) < 0 && strings.IndexByte(end, p.s[p.i]) < 0 {
		if p.s[p.i] < ' ' || p.s[p.i] == 0x7f {
			return "", p.syntax("a printable octet")
		}
		p.i++
	}
	return p.s[start:p.i], nil
}

// quoted is the content of a quoted-string, from behind its first quote.
func (p *parser) quoted() (string, error) {
	var b strings.Builder
	rest := p.s[p.i:]
	if n := strings.IndexByte(rest, '"'); n >= 0 {
		rest = rest[:n]
	}
	b.Grow(len(rest))
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			return b.String(), nil
		case c == '\r' || c == '\n':
			p.i--
			if !p.folding() {
				return "", p.syntax("white space behind a line end")
			}
			continue
		case c == '\\' && p.i < len(p.s):
			c = p.s[p.i]
			p.i++
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			return "", p.syntax("a printable octet")
		}
		b.WriteByte(c)
	}
	return "", p.syntax("a closing quote")
}

// folding passes over a line end with white space behind it.
func (p *parser) folding() bool {
	rest := strings.TrimPrefix(p.s[p.i:], "\r")
	if len(rest) < 2 || rest[0] != '\n' || rest[1] != ' ' && rest[1] != '\t' {
		return false
	}
	p.i = len(p.s) - len(rest) + 1
	return true
}

// cfws passes over comments and folding white space (RFC 5322 §3.2.2).
func (p *parser) cfws() error {
	for depth := 0; p.i < len(p.s); {
		switch c := p.s[p.i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ' ' || c == '\t':
		case c == '\r' || c == '\n':
			if !p.folding() {
				return p.syntax("white space behind a line end")
			}
			continue
		case depth == 0:
			return nil
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
		case c == 0:
			return p.syntax("a printable octet")
		}
		p.i++
		if p.i == len(p.s) && depth > 0 {
			return p.syntax("the end of a comment")
		}
	}
	return nil
}
