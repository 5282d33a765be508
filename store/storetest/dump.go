package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

// dump is all that an account shows, a line each. RecentFrom is left out of
// it: ClaimRecent may be lost.
func (e *env) dump(h *handle) []string {
	e.r.Helper()
	boxes, now, err := h.Mailboxes(e.ctx, 0)
	e.ok("Mailboxes", err)
	usage, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	out := []string{fmt.Sprintf("modseq %d usage %+v", now, usage)}
	for _, m := range boxes {
		m.RecentFrom = 0
		out = append(out, fmt.Sprintf("mailbox %+v", m))
		for _, q := range []store.Query{{Fields: allFields}, {Since: 1}} {
			for _, msg := range h.query(m.ID, q) {
				out = append(out, messageLine(m.Name, msg))
			}
		}
	}
	for _, q := range []store.EntryQuery{{All: true}, {All: true, Since: 1}} {
		for entry, err := range h.Entries(e.ctx, q) {
			e.ok("Entries", err)
			entry.Expires = entry.Expires.UTC().Round(time.Second)
			out = append(out, fmt.Sprintf("entry %+v", entry))
		}
	}
	return out
}

func messageLine(box string, m store.Message) string {
	if m.Gone {
		return fmt.Sprintf("message %s %d gone at %d", box, m.UID, m.ModSeq)
	}
	return fmt.Sprintf("message %s %d at %d: %05b %v size %d received %s saved %s ids %s %s blob %s key %x prefix %q meta %x",
		box, m.UID, m.ModSeq, m.Flags, m.Keywords, m.Size, m.Received.Format(time.RFC3339), m.Saved.UTC().Format(time.RFC3339),
		m.EmailID, m.ThreadID, m.Blob, m.Key, m.Prefix, m.Meta)
}

// sameDump reports the lines that differ.
func (e *env) sameDump(what string, got, want []string) {
	e.r.Helper()
	if slices.Equal(got, want) {
		return
	}
	var diff []string
	for _, l := range want {
		if !slices.Contains(got, l) {
			diff = append(diff, "- "+l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			diff = append(diff, "+ "+l)
		}
	}
	e.errorf("%s differs:\n\t%s", what, strings.Join(diff[:min(len(diff), 20)], "\n\t"))
}
