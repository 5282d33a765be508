package ldap

import (
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// entry is what a search found of one entry. Names of attributes are in lower
// case; those with options other than a range are left out, since they are
// other attributes (a name in another language).
type entry struct {
	dn    string
	attrs map[string][]string
	more  map[string]int // attributes of which the server keeps values back: the index of the next one
}

func newEntry(found *goldap.Entry) *entry {
	e := &entry{dn: found.DN, attrs: make(map[string][]string, len(found.Attributes))}
	for _, a := range found.Attributes {
		name, options, _ := strings.Cut(strings.ToLower(a.Name), ";")
		switch next, ok := nextOfRange(options); {
		case ok:
			if e.more == nil {
				e.more = make(map[string]int)
			}
			e.more[name] = next
			fallthrough
		case options == "" || strings.HasSuffix(options, "-*"):
			e.attrs[name] = append(e.attrs[name], a.Values...)
		}
	}
	return e
}

// nextOfRange reads "range=LOW-HIGH", Active Directory's way to give many
// values in pieces. The last piece has "*" in place of HIGH.
func nextOfRange(options string) (next int, ok bool) {
	bounds, ok := strings.CutPrefix(options, "range=")
	if !ok {
		return 0, false
	}
	_, high, _ := strings.Cut(bounds, "-")
	n, err := strconv.Atoi(high)
	return n + 1, err == nil && n >= 0
}

// values are those of an attribute, named in any case.
func (e *entry) values(attribute string) []string { return e.attrs[strings.ToLower(attribute)] }

// value is the only value of an attribute, or "". ErrAmbiguous: it has
// several.
func (e *entry) value(attribute string) (string, error) {
	switch v := e.values(attribute); len(v) {
	case 0:
		return "", nil
	case 1:
		return v[0], nil
	}
	return "", ErrAmbiguous
}

// groupClasses are the object classes of groups; who has one is never an
// account.
var groupClasses = [...]string{
	"group", "groupofnames", "groupofuniquenames", "groupofmembers", "groupofurls", "posixgroup",
	"mailgroup", "nismailalias", "rfc822mailgroup", "ipausergroup",
}

// isGroup reports whether e stands for its members.
func (e *entry) isGroup() bool {
	for _, class := range e.values("objectClass") {
		for _, g := range groupClasses {
			if strings.EqualFold(class, g) {
				return true
			}
		}
	}
	return false
}
