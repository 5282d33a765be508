package imapresp

import (
	"github.com/mailstead/mailstead/imap"
)

// ConsumeFlags takes a list of flags into f, whose Keywords are used again.
// intern makes a string of a keyword; nil = a new one. Flags beyond limit are
// ErrTooMany.
func ConsumeFlags(b []byte, f *imap.FlagList, intern func([]byte) string, limit int) (int, error) {
	*f = imap.FlagList{Keywords: f.Keywords[:0]}
	return ConsumeList(b, func(b []byte) (int, error) {
		word, n, err := ConsumeAString(b)
		if err != nil || len(word) == 0 {
			return n, err
		}
		if word[0] == '\\' && noteSystem(f, word) {
			return n, nil
		}
		if len(f.Keywords) >= limit {
			return 0, ErrTooMany
		}
		if intern != nil {
			f.Keywords = append(f.Keywords, intern(word))
		} else {
			f.Keywords = append(f.Keywords, string(word))
		}
		return n, nil
	})
}

// noteSystem puts a flag with a backslash into f; false: it is not known.
func noteSystem(f *imap.FlagList, word []byte) bool {
	if len(word) == 2 && word[1] == '*' {
		f.Any = true
		return true
	}
	if len(word) > len(`\Answered`) {
		return false
	}
	bit, ok := imap.SystemFlag(string(word))
	if ok {
		f.System |= bit
		return true
	}
	if equalWord(word, imap.FlagRecent) {
		f.Recent = true
		return true
	}
	return false
}

// equalWord compares without regard to case.
func equalWord(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		d := word[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if 'A' <= d && d <= 'Z' {
			d |= 0x20
		}
		if c != d {
			return false
		}
	}
	return true
}
