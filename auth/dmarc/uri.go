package dmarc

import (
	"math"
	"net/url"
	"strings"
)

// URI is a place that reports go to.
type URI struct {
	// Text is the URI without the size behind it.
	Text string
	// MaxBytes is the size of the largest report that is wanted; 0 = no limit,
	// math.MaxInt64 where the number is larger. RFC 9989 says to ignore it.
	MaxBytes int64
}

// Mailbox is the address of a mailto URI, percent-decoded: one that has a
// local-part and a domain and is printable ASCII without spaces. ok is false
// for any other URI.
func (u URI) Mailbox() (address string, ok bool) {
	scheme, rest, _ := strings.Cut(u.Text, ":")
	if !strings.EqualFold(scheme, "mailto") {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	address, err := url.PathUnescape(rest)
	if err != nil {
		return "", false
	}
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c > '~' || strings.IndexByte("<>,\"\\", c) >= 0 {
			return "", false
		}
	}
	local, domain, _ := strings.Cut(address, "@")
	if _, err := canonical(domain); err != nil || local == "" {
		return "", false
	}
	return address, true
}

// uris reads dmarc-urilist. Those that are not valid are left out; ok is false
// where none is.
func uris(s string) (list []URI, ok bool) {
	for text := range strings.SplitSeq(s, ",") {
		if len(list) == maxList {
			break
		}
		if u, ok := uri(strings.Trim(text, " \t")); ok {
			list = append(list, u)
		}
	}
	return list, len(list) > 0
}

// uri reads dmarc-uri or obs-dmarc-uri.
func uri(s string) (u URI, ok bool) {
	u.Text, s, ok = strings.Cut(s, "!")
	if ok {
		if u.MaxBytes, ok = size(s); !ok {
			return URI{}, false
		}
	}
	scheme, rest, _ := strings.Cut(u.Text, ":")
	if !schemeLike(scheme) || !uriLike(rest) {
		return URI{}, false
	}
	if strings.EqualFold(scheme, "mailto") {
		_, ok := u.Mailbox()
		return u, ok
	}
	return u, true
}

// schemeLike reports whether s is a scheme (RFC 3986 §3.1).
func schemeLike(s string) bool {
	for i := range len(s) {
		c := s[i]
		if alpha := c|0x20 >= 'a' && c|0x20 <= 'z'; !alpha && (i == 0 || strings.IndexByte("0123456789+-.", c) < 0) {
			return false
		}
	}
	return s != ""
}

// uriLike reports whether s has octets of a URI only, one or more (RFC 3986 §2).
func uriLike(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte("<>\"\\^`{|}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// size reads obs-dmarc-report-size without its "!".
func size(s string) (n int64, ok bool) {
	shift := 0
	if s != "" {
		if i := strings.IndexByte("kmgt", s[len(s)-1]|0x20); i >= 0 {
			shift, s = 10*(i+1), s[:len(s)-1]
		}
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(s[i]-'0')
	}
	if n > math.MaxInt64>>shift {
		return math.MaxInt64, s != ""
	}
	return n << shift, s != ""
}
