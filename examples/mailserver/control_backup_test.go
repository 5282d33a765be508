package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/control"
)

// TestControlBackup: a running server is backed up, and a message comes back
// into an account in use.
func TestControlBackup(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	acct, err := s.engine.store.Open(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), acct, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m := store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader("Subject: x\r\n\r\nx"), BodySize: -1}
		if _, err := store.AppendMessage(t.Context(), s.engine.store, acct, "", m); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "archive")
	var made answer.BackedUp
	progress := 0
	err = c.Stream(t.Context(), "/v1/backup", answer.BackupRequest{Archive: dir}, &made, func(l control.Line) error {
		if l.Progress != nil {
			progress++
		}
		return nil
	})
	if err != nil || made.Full != 1 || made.Messages != 3 || made.Bodies != 1 || made.Backup == "" || progress == 0 {
		t.Fatalf("%+v, %v, %d lines of progress", made, err, progress)
	}
	a := &backup.Archive{Target: backup.NewDir(dir)}
	if _, err := a.Verify(t.Context(), backup.VerifyOptions{Store: s.engine.store, Problem: func(p *backup.Problem) { t.Error(p) }}); err != nil {
		t.Error(err)
	}
	var back answer.Restored
	in := answer.RestoreRequest{Archive: dir, Accounts: []string{"alice@example.org"}, Mailbox: store.Inbox, UIDs: [][2]uint32{{2, 3}}, Into: "Back"}
	if err := c.Stream(t.Context(), "/v1/restore", in, &back, nil); err != nil || back.Messages != 2 || back.Mailboxes != 1 {
		t.Errorf("%+v, %v", back, err)
	}
	for want, in := range map[string]any{
		"exists":               answer.RestoreRequest{Archive: dir},
		control.CodeNotFound:   answer.RestoreRequest{Archive: dir, Backup: "none"},
		control.CodeBadRequest: answer.RestoreRequest{Archive: "archive"},
	} {
		err := c.Stream(t.Context(), "/v1/restore", in, nil, nil)
		if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != want {
			t.Errorf("%+v: %v, want %s", in, err, want)
		}
	}
	held := false
	for _, h := range s.collector().Holders {
		held = held || h == blob.Holder(&s.backups)
	}
	if !held {
		t.Error("the collector does not ask the holder of backups")
	}
}
