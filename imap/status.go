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
	StatusDeleted        // messages with \Deleted (RFC 9051 §6.3.11, RFC 9208 §4.1.4)
	StatusSize           // octets of all messages (RFC 8438)
	StatusHighestModSeq  // RFC 7162 §3.1.7
	StatusAppendLimit    // RFC 7889 §3
	StatusMailboxID      // RFC 8474 §4.3
	StatusDeletedStorage // octets of the messages with \Deleted (RFC 9208 §4.1.4)
)

// statusNames are the words of the items.
var statusNames = [...]string{
	"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "HIGHESTMODSEQ", "APPENDLIMIT",
	"MAILBOXID", "DELETED-STORAGE",
}

// String is the item's word; "" = there is no such item.
func (i StatusItem) String() string {
	if int(i) >= len(statusNames) {
		return ""
	}
	return statusNames[i]
}

// ParseStatusItem returns the item of a word in upper case.
func ParseStatusItem(word string) (StatusItem, bool) {
	for i, n := range statusNames {
		if n == word {
			return StatusItem(i), true
		}
	}
	return 0, false
}
