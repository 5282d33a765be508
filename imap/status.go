package imap

// StatusItem is what STATUS asks for (RFC 3501 §6.3.10).
type StatusItem uint8

// The items of STATUS.
const (
	StatusMessages StatusItem = iota
	StatusRecent
	StatusUIDNext
	StatusUIDValidity
	StatusUnseen
	StatusHighestModSeq // RFC 7162 §3.1.7
)

// statusNames are the words of the items.
var statusNames = [...]string{"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ"}

// String is the item's word.
func (i StatusItem) String() string { return statusNames[i] }

// ParseStatusItem returns the item of a word in upper case.
func ParseStatusItem(word string) (StatusItem, bool) {
	for i, n := range statusNames {
		if n == word {
			return StatusItem(i), true
		}
	}
	return 0, false
}
