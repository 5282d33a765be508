package store

import (
	"slices"
	"strings"
)

// MaxKeyword is the greatest length of a keyword in octets, MaxKeywords how
// many of them one message may have.
const (
	MaxKeyword  = 255
	MaxKeywords = 256
)

// ValidKeyword reports whether s can be a keyword: an atom (flag-keyword,
// RFC 9051 §9) of at most MaxKeyword octets.
func ValidKeyword(s string) bool {
	if s == "" || len(s) > MaxKeyword {
		return false
	}
	for i := range len(s) {
		if !isAtomChar(s[i]) {
			return false
		}
	}
	return true
}

// isAtomChar: ATOM-CHAR of RFC 9051 §9.
func isAtomChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`(){%*"\]`, c) < 0
}

// SameKeyword reports whether a and b are one keyword: case does not count
// (RFC 9051 §2.3.2). Keywords are ASCII.
func SameKeyword(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// HasKeyword reports whether list holds kw in any case.
func HasKeyword(list []string, kw string) bool {
	return slices.ContainsFunc(list, func(have string) bool { return SameKeyword(have, kw) })
}

// CleanKeywords returns list sorted by octets without duplicates in any case;
// the first spelling stays. list is not changed. ErrName: one of them cannot
// be a keyword; ErrLimit: more than MaxKeywords.
func CleanKeywords(list []string) ([]string, error) {
	var out []string
	for _, kw := range list {
		if !ValidKeyword(kw) {
			return nil, ErrName
		}
		if !HasKeyword(out, kw) {
			if len(out) == MaxKeywords {
				return nil, ErrLimit
			}
			out = append(out, kw)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Flagging is the state that SetFlags changes: flags and keywords.
type Flagging struct {
	Flags    Flags
	Keywords []string // as Message.Keywords
}

// On computes the state of a message that had the state old. It is the one
// place of the rules that every backend uses: keywords are compared in any
// case, a keyword that stays keeps its spelling, and changed is false when
// the state already is as wanted. old.Keywords is not changed. ErrName and
// ErrLimit as CleanKeywords.
func (op SetFlags) On(old Flagging) (now Flagging, changed bool, err error) {
	now = old
	switch op.Mode {
	case FlagsAdd:
		now.Flags |= op.Flags
		now.Keywords, err = addKeywords(old.Keywords, op.Keywords)
	case FlagsRemove:
		now.Flags &^= op.Flags
		now.Keywords = removeKeywords(old.Keywords, op.Keywords)
	case FlagsReplace:
		now.Flags = op.Flags
		now.Keywords, err = replaceKeywords(old.Keywords, op.Keywords)
	}
	if err != nil {
		return old, false, err
	}
	return now, now.Flags != old.Flags || !slices.Equal(now.Keywords, old.Keywords), nil
}

func addKeywords(have, add []string) ([]string, error) {
	if !slices.ContainsFunc(add, func(kw string) bool { return !HasKeyword(have, kw) }) {
		return have, nil
	}
	return CleanKeywords(slices.Concat(have, add))
}

func removeKeywords(have, remove []string) []string {
	if len(remove) == 0 || len(have) == 0 {
		return have
	}
	var out []string
	for _, kw := range have {
		if !HasKeyword(remove, kw) {
			out = append(out, kw)
		}
	}
	return out
}

func replaceKeywords(have, want []string) ([]string, error) {
	kept := slices.DeleteFunc(slices.Clone(have), func(kw string) bool { return !HasKeyword(want, kw) })
	if len(kept) == 0 && len(want) == 0 {
		return nil, nil
	}
	return CleanKeywords(slices.Concat(kept, want))
}
