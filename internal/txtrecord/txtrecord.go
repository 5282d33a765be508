// Package txtrecord reads the TXT records that begin with a version, followed by
// fields: those of MTA-STS and TLSRPT (RFC 8461 §3.1, RFC 8460 §3).
//
//	record = version 1*(*WSP ";" *WSP name "=" value) [*WSP ";"]
package txtrecord

import (
	"iter"
	"strings"
)

const wsp = " \t"

// Find returns the first record of a version, such as "v=STSv1", and how many
// there are. Other records do not count.
func Find(texts []string, version string) (first string, n int) {
	for _, text := range texts {
		if _, ok := cut(text, version); !ok {
			continue
		}
		if n == 0 {
			first = text
		}
		n++
	}
	return first, n
}

// Fields are the names and values of a record, in order; the name of what has
// no "=" is "". ok is false for another version, which has none.
func Fields(text, version string) (fields iter.Seq2[string, string], ok bool) {
	rest, ok := cut(text, version)
	return func(yield func(name, value string) bool) {
		for rest := rest; rest != ""; {
			var field string
			field, rest, _ = strings.Cut(rest, ";")
			rest = strings.TrimLeft(rest, wsp)
			name, value, found := strings.Cut(strings.Trim(field, wsp), "=")
			if !found {
				name = ""
			}
			if !yield(name, value) {
				return
			}
		}
	}, ok
}

// cut returns what stands behind the version and its delimiter.
func cut(text, version string) (string, bool) {
	rest, ok := strings.CutPrefix(text, version)
	if !ok {
		return "", false
	}
	if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, wsp), ";"); !ok {
		return "", false
	}
	return strings.TrimLeft(rest, wsp), true
}
