package auth

import (
	"bytes"
	"strings"
)

// QuarantineField is the name of the header field of a message that is to be put
// aside; its value is why.
const QuarantineField = "X-Quarantine"

// quarantineField is that field, of one line.
func quarantineField(reason string) []byte {
	return []byte(QuarantineField + ": " + printable(reason) + "\r\n")
}

// Quarantined reports whether a message is to be put aside, and why. prefix are
// the fields that this host has put in front of it (smtp.Body.Trace,
// deliver.LocalMessage.Prefix); what the sender wrote is no part of them. It is
// for the function of a delivery that chooses the mailbox.
func Quarantined(prefix []byte) (reason string, ok bool) {
	for line := range bytes.Lines(prefix) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if found && strings.EqualFold(string(name), QuarantineField) {
			return string(bytes.TrimSpace(value)), true
		}
	}
	return "", false
}
