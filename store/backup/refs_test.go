package backup_test

import (
	"context"
	"iter"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob"
)

// refless yields messages with another Ref than the one that opens them.
type refless struct {
	store.Store
	ref blob.Ref
}

func (s refless) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return reflessAccount{a, s}, err
}

type reflessAccount struct {
	store.Account
	s refless
}

func (a reflessAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		for m, err := range a.Account.Messages(ctx, id, q) {
			if m != nil && m.Blob != "" {
				m.Blob = a.s.ref
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// OpenContent is that of a store that goes by the Ref alone.
func (a reflessAccount) OpenContent(ctx context.Context, _ store.MailboxID, m *store.Message) (store.Content, error) {
	b, err := blob.OpenKeyed(ctx, a.s.Blobs(), m.Blob, m.Key)
	if err != nil {
		return nil, err
	}
	return store.NewContent(m.Prefix, b), nil
}

// TestBackupByContent: where a message has no Ref, or one that does not open,
// its account has the octets.
func TestBackupByContent(t *testing.T) {
	for _, ref := range []blob.Ref{"", "nowhere"} {
		t.Run(string(ref), func(t *testing.T) {
			s, a := newStore(t), newArchive(t)
			u := newUser(t, s, "alice", 1)
			for range 10 {
				u.put(u.inbox, u.text())
			}
			problem := func(p *backup.Problem) { t.Error(p) }
			must(a.Backup(t.Context(), refless{s, ref}, backup.BackupOptions{Problem: problem}))(t)
			to := newStore(t)
			must(a.Restore(t.Context(), to, backup.RestoreOptions{Problem: problem}))(t)
			same(t, "restored", facts(t, must(to.Open(t.Context(), "alice"))(t)), facts(t, u.a))
		})
	}
}
