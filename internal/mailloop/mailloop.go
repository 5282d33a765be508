// Package mailloop recognises mail that has been here before, by its trace
// fields (RFC 5321 §4.4, §6.3).
package mailloop

import (
	"bytes"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
)

// HeadBytes is how much of a message Returned wants to see at least, if there is
// as much: trace fields stand in front.
const HeadBytes = 16 << 10

// Returned reports that this host has delivered the message to the address
// before: there is a Delivered-To field that is same, and the Received field next
// below it is one of host. The Delivered-To of another host says nothing about
// this one: it is there when a mailbox moved here from that host, or is fetched
// from it. An empty host has delivered nothing.
func Returned(head []byte, host string, same func(address string) bool) bool {
	if host == "" {
		return false
	}
	delivered := false
	for f := range mime.Fields(head) {
		switch {
		case f.Is("delivered-to"):
			delivered = delivered || same(string(bytes.TrimSpace(f.Value)))
		case f.Is("received"):
			if delivered && by(f.Value, host) {
				return true
			}
			delivered = false
		}
	}
	return false
}

// by reports a Received field whose "by" clause names host.
func by(value []byte, host string) bool {
	words := bytes.Fields(value)
	for i, w := range words[:max(len(words)-1, 0)] {
		if len(w) == 2 && strings.EqualFold(string(w), "by") {
			return strings.EqualFold(strings.TrimSuffix(string(words[i+1]), ";"), host)
		}
	}
	return false
}
