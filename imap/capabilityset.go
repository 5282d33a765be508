package imap

import (
	"slices"
	"strconv"
	"strings"
)

// CapabilitySet is what a server has announced (RFC 9051 §7.2.2), in upper
// case. The zero value is nothing. It does not change: copies share what they hold,
// and many goroutines may use them.
type CapabilitySet struct {
	list []Capability // as they came
	has  map[Capability]bool
}

// ParseCapabilities reads the words of a CAPABILITY response or code, any number of
// them. It never fails: what is no capability is one that nobody asks for.
func ParseCapabilities(words string) CapabilitySet {
	var s CapabilitySet
	for w := range strings.FieldsSeq(words) {
		if c := ParseCapability(w); !s.has[c] {
			if s.has == nil {
				s.has = map[Capability]bool{}
			}
			s.has[c] = true
			s.list = append(s.list, c)
		}
	}
	return s
}

// ParseCapability is a word in upper case, those apart whose names this module
// writes in another way.
func ParseCapability(word string) Capability {
	switch up := strings.ToUpper(word); up {
	case "IMAP4REV1":
		return CapIMAP4rev1
	case "IMAP4REV2":
		return CapIMAP4rev2
	default:
		if strings.HasPrefix(up, "RIGHTS=") {
			return Capability("RIGHTS=" + word[len("RIGHTS="):])
		}
		return Capability(up)
	}
}

// List is the capabilities in the order in which they came, each once.
func (s CapabilitySet) List() []Capability { return slices.Clone(s.list) }

// Announced reports whether a capability was announced by this very name.
func (s CapabilitySet) Announced(c Capability) bool { return s.has[c] }

// inRev2 is what IMAP4rev2 has without saying so (RFC 9051 appendix E).
func inRev2(c Capability) bool {
	switch c {
	case CapNamespace, CapUnselect, CapUIDPlus, CapESearch, CapSearchRes, CapEnable, CapIdle, CapSASLIR, CapListExtended,
		CapListStatus, CapMove, CapLiteralMinus, CapSpecialUse, CapStatusSize, CapChildren:
		return true
	}
	return false
}

// Rev2Only reports whether IMAP4rev2 is all that the server speaks.
func (s CapabilitySet) Rev2Only() bool { return s.has[CapIMAP4rev2] && !s.has[CapIMAP4rev1] }

// Has reports whether the server has a capability: it announces it, or another
// that has it too (LITERAL+ what LITERAL- has, QRESYNC what CONDSTORE has,
// UTF8=ONLY what UTF8=ACCEPT has), or it is part of IMAP4rev2 and the session is
// one of that.
func (s CapabilitySet) Has(c Capability, rev2 bool) bool {
	rev2 = rev2 || s.Rev2Only()
	switch {
	case s.has[c]:
		return true
	case c == CapLiteralMinus:
		return s.has[CapLiteralPlus] || rev2
	case c == CapCondStore:
		return s.has[CapQResync]
	case c == CapUTF8Accept:
		return s.has[CapUTF8Only]
	}
	return rev2 && inRev2(c)
}

// Value is what stands behind "=" of a capability such as APPENDLIMIT; ok: it is
// announced, with a value or without.
func (s CapabilitySet) Value(name Capability) (value string, ok bool) {
	for _, w := range s.list {
		if w == name {
			return "", true
		}
		if rest, found := strings.CutPrefix(string(w), string(name)+"="); found {
			return rest, true
		}
	}
	return "", false
}

// Mechanisms are the SASL mechanisms of AUTHENTICATE, in the server's order.
func (s CapabilitySet) Mechanisms() []string {
	var list []string
	for _, w := range s.list {
		if m, ok := strings.CutPrefix(string(w), "AUTH="); ok && m != "" {
			list = append(list, m)
		}
	}
	return list
}

// Number is the Value of a capability such as SAVELIMIT; 0 = it has none.
func (s CapabilitySet) Number(name Capability) int64 {
	v, _ := s.Value(name)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
