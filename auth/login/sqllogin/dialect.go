package sqllogin

import (
	"strconv"
	"strings"
)

// Dialect says which SQL the database speaks.
type Dialect int

const (
	// SQLite numbers its parameters ?1, ?2, …
	SQLite Dialect = iota
	// PostgreSQL numbers its parameters $1, $2, …
	PostgreSQL
)

// maxPrefix leaves room for the table names in PostgreSQL's 63 octets.
const maxPrefix = 40

// rewrite puts the table prefix in the place of '~', the dialect's parameters
// in the place of '?', and the comparison by octets in the place of '@'.
func (d Dialect) rewrite(query, prefix string) string {
	mark, octets := "?", "" // SQLite compares by octets unless told otherwise
	if d == PostgreSQL {
		mark, octets = "$", ` COLLATE "C"`
	}
	var b strings.Builder
	n := 0
	for i := range len(query) {
		switch c := query[i]; c {
		case '~':
			b.WriteString(prefix)
		case '@':
			b.WriteString(octets)
		case '?':
			n++
			b.WriteString(mark + strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// validPrefix reports whether prefix can stand in front of a table name
// without quoting.
func validPrefix(prefix string) bool {
	for i := range len(prefix) {
		c := prefix[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(prefix) <= maxPrefix
}
