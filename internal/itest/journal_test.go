package itest

import (
	"strings"
	"testing"
	"time"
)

// TestJournalKill kills the server under load: each message that is in a mailbox
// then has one report in that of the journal, and no report is of a message that
// was not accepted.
func TestJournalKill(t *testing.T) {
	const journal = "journal@example.org"
	s := newServer(t, "-user", journal+":"+password, "-journal", journal)
	l := &killLoad{s: s, acked: map[int]string{}}
	killRound(t, l)

	want := map[int]int{}
	for _, user := range []string{alice, bob} {
		for _, body := range s.login(t, user, "INBOX").bodies() {
			id, _ := messageID([]byte(body))
			want[id]++
		}
	}
	ic := s.login(t, journal, "INBOX")
	got := map[int]int{}
	eventually(t, 30*time.Second, "reports are missing", func() bool {
		clear(got)
		for _, body := range ic.bodies() {
			_, enclosed, _ := strings.Cut(body, "\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
			text, whole := strings.CutSuffix(enclosed, "--\r\n")
			text = text[:max(0, strings.LastIndex(text, "\r\n--"))]
			id, ok := messageID([]byte(text))
			if !ok || !whole {
				t.Fatalf("not a report: %.2000q", body)
			}
			if _, err := front([]byte("Return-Path: <sender@remote.example>\r\n"+text), message(id), "sender@remote.example"); err != nil {
				t.Fatalf("report on message %d: %v", id, err)
			}
			got[id]++
		}
		return len(got) >= len(want)
	})
	for id, n := range got {
		if n != 1 || want[id] == 0 {
			t.Errorf("message %d: %d reports, %d in mailboxes", id, n, want[id])
		}
	}
	t.Logf("%d messages, %d reports", len(want), len(got))
}
