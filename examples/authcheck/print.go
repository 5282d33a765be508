package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mailstead/mailstead/auth/authres"
)

// line is one verdict: METHOD=RESULT and what it rests on.
type line struct {
	method authres.Method
	result authres.Result
	pairs  []pair
}

// pair is name=value. What anybody may have written stands in quotes.
type pair struct {
	name   string
	value  string
	quoted bool
}

// add adds a pair unless it is empty.
func (l *line) add(name, value string) {
	if value != "" {
		l.pairs = append(l.pairs, pair{name: name, value: value})
	}
}

// text adds a pair in quotes unless it is empty.
func (l *line) text(name, value string) {
	if value != "" {
		l.pairs = append(l.pairs, pair{name, value, true})
	}
}

// String is the line without its end.
func (l *line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s=%s", l.method, l.result)
	for _, p := range l.pairs {
		if b.WriteString(" " + p.name + "="); p.quoted || !plain(p.value) {
			b.WriteString(quote(p.value))
		} else {
			b.WriteString(p.value)
		}
	}
	return b.String()
}

// plain reports whether a value can be told from what stands around it.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' || s[i] == '=' {
			return false
		}
	}
	return true
}

// quote is s in quotes, with a backslash in front of quotes and backslashes, and
// "\xhh" for an octet that is not printable ASCII.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// verdicts are all of one message.
type verdicts struct {
	lines []line
	field authres.Field
}

// print writes the lines and the field, or one JSON object of the same names.
func (v *verdicts) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return v.printJSON(w)
	}
	var b bytes.Buffer
	for i := range v.lines {
		fmt.Fprintln(&b, v.lines[i].String())
	}
	b.Write(bytes.ReplaceAll(v.field.Append(nil), []byte("\r\n"), []byte("\n")))
	_, err := b.WriteTo(w)
	return err
}

// printJSON: a method is an object; dkim is a list of them, one a signature.
func (v *verdicts) printJSON(w io.Writer) error {
	object := map[string]any{}
	for _, l := range v.lines {
		m := map[string]string{"result": string(l.result)}
		for _, p := range l.pairs {
			m[p.name] = p.value
		}
		if l.method != authres.DKIM {
			object[string(l.method)] = m
			continue
		}
		list, _ := object[string(l.method)].([]map[string]string)
		object[string(l.method)] = append(list, m)
	}
	_, value, _ := strings.Cut(v.field.String(), ":")
	object["authentication-results"] = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", ""))
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(object)
}
