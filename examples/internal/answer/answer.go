// Package answer has the requests and answers of the owner of a data directory,
// as docs/guide/control.md has them: what a server answers on its control socket,
// and what mailctl reads there or, where no server runs, finds out itself.
package answer

import "time"

// Known is t in UTC, or nil for a time that is not known and is left out.
func Known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Problem is something that a long request has found: of a message, a mailbox, or
// a place in a file.
type Problem struct {
	Account string `json:"account,omitempty"`
	Mailbox string `json:"mailbox,omitempty"`
	UID     uint32 `json:"uid,omitempty"`
	File    string `json:"file,omitempty"`
	Offset  int64  `json:"offset,omitempty"`
	Octets  int64  `json:"octets,omitempty"`
	Text    string `json:"text"`
}

// Phase is the progress of verify and collect.
type Phase struct {
	Phase string `json:"phase"`
}

// Verified is the result of verify. It succeeds with problems, too.
type Verified struct {
	Bodies   int64 `json:"bodies"` // good ones
	Bytes    int64 `json:"bytes"`
	Problems int   `json:"problems"`
}
