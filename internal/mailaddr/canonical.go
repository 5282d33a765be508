package mailaddr

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/mailstead/mailstead/smtp"
)

// maxUnicode is the octets of the longest domain that may have a form in other
// labels; converting takes time that grows with the square of a label.
const maxUnicode = smtp.MaxDomain * utf8.UTFMax

// Domain is the one form in which domains are compared: lower case, U-labels,
// NFC, without a final dot. An address literal is only lowered.
func Domain(d string) string {
	d = strings.TrimSuffix(d, ".")
	if plain(d) || len(d) > maxUnicode || strings.HasPrefix(d, "[") {
		return strings.ToLower(d)
	}
	if u, err := idna.Lookup.ToUnicode(d); err == nil && u != "" {
		d = u
	}
	return norm.NFC.String(strings.ToLower(d))
}

// plain reports a domain of ASCII that has no A-label.
func plain(d string) bool {
	for i := range len(d) {
		if d[i] >= utf8.RuneSelf || d[i]|0x20 == 'x' && i+4 <= len(d) && strings.EqualFold(d[i:i+4], "xn--") {
			return false
		}
	}
	return true
}

// Local is the form in which local-parts are compared: lower case and NFC.
func Local(s string) string { return norm.NFC.String(strings.ToLower(s)) }

// Address is the form of a whole address.
func Address(p smtp.Path) string { return Local(p.Local) + "@" + Domain(p.Domain) }
