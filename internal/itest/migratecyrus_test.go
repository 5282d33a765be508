package itest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/imapaccount"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

// migrateIMAP is alice's account of a server.
func migrateIMAP(t *testing.T, name string, f *foreign) *imapaccount.Account {
	t.Helper()
	d := &imapclient.Dialer{TLS: imapclient.TLSNever, Auth: login.Client{
		Credentials: saslmech.Credentials{Username: f.user, Password: password}, Policy: saslmech.Policy{AllowPlaintext: true},
	}}
	a, err := imapaccount.New(t.Context(), imapaccount.Options{
		Name: "imap://" + name + "/", Dial: func(ctx context.Context) (*imapclient.Client, error) { return d.Dial(ctx, "tcp", f.imap) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// TestMigrateCyrus migrates an account into Cyrus, out of it, and from it into
// Dovecot; Python's imaplib says what each server then has. Cyrus joins levels by "/", or by "."
// with all below INBOX.
func TestMigrateCyrus(t *testing.T) {
	for name, more := range map[string]string{"/": "", ".": "unixhierarchysep: no\naltnamespace: no\n"} {
		t.Run("levels joined by "+name, func(t *testing.T) {
			f := newCyrusWith(t, more)
			cyrus := migrateIMAP(t, "cyrus", f)
			s := memstore.New(memblob.New())
			from, into := migrateAccount(t, s, "from"), migrateAccount(t, s, "into")
			total := fillVaried(t, s)
			want := storeDump(t, s, "from", name)

			state := &migrate.DirKeeper{Dir: t.TempDir()}
			migratePass(t, from, cyrus, migrate.Options{State: state, Verify: migrate.VerifyBodies}, total)
			migratePass(t, from, cyrus, migrate.Options{State: state}, 0)
			sameDump(t, imapDump(t, f), want)

			migratePass(t, cyrus, into, migrate.Options{Verify: migrate.VerifyBodies}, total)
			migratePass(t, cyrus, into, migrate.Options{}, 0)
			sameDump(t, storeDump(t, s, "into", name), want)

			df, _ := newDovecot(t)
			dovecot := migrateIMAP(t, "dovecot", df)
			state = &migrate.DirKeeper{Dir: t.TempDir()}
			migratePass(t, cyrus, dovecot, migrate.Options{State: state, Verify: migrate.VerifyBodies}, total)
			migratePass(t, cyrus, dovecot, migrate.Options{State: state}, 0)
			for path, box := range want { // Dovecot of Debian has no roles that a client may set, and joins by "."
				delete(want, path)
				box.Role = ""
				want[strings.ReplaceAll(path, ".", "_")] = box
			}
			got := imapDump(t, df)
			for path, box := range got {
				box.Role = ""
				got[path] = box
			}
			sameDump(t, got, want)
		})
	}
}

// dumped is a mailbox as imap_dump.py tells of it.
type dumped struct {
	Subscribed bool    `json:"subscribed"`
	Role       string  `json:"role"`
	Messages   [][]any `json:"messages"`
}

func imapDump(t *testing.T, f *foreign) map[string]dumped {
	t.Helper()
	_, port, _ := net.SplitHostPort(f.imap)
	cmd := exec.CommandContext(t.Context(), peer(t, "python3"), "testdata/imap_dump.py", port, f.user, password)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("imap_dump.py: %v: %s", err, &errs)
	}
	m := make(map[string]dumped)
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// sameDump compares what has messages, a role or a subscription.
func sameDump(t *testing.T, got, want map[string]dumped) {
	t.Helper()
	plain := func(m map[string]dumped) map[string]string {
		out := make(map[string]string)
		for path, box := range m {
			if len(box.Messages) > 0 || box.Role != "" {
				out[path] = fmt.Sprintf("%v %s %v", box.Subscribed || path == "INBOX", box.Role, box.Messages)
			}
		}
		return out
	}
	g, w := plain(got), plain(want)
	if maps.Equal(g, w) {
		return
	}
	for path := range w {
		if g[path] != w[path] {
			t.Errorf("mailbox %q has\n%.600s\nwant\n%.600s", path, g[path], w[path])
		}
	}
	t.Errorf("mailboxes %q, want %q", slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w)))
}

// storeDump is the same of an account of a store, as a server that joins levels by delimiter has it.
func storeDump(t *testing.T, s store.Store, id store.AccountID, delimiter string) map[string]dumped {
	t.Helper()
	a, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]dumped)
	boxes, _, err := a.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, box := range boxes {
		d := dumped{Subscribed: box.Subscribed, Role: strings.ToLower(box.Role)}
		for m, err := range a.Messages(t.Context(), box.ID, store.Query{Fields: store.FieldDates}) {
			if err != nil {
				t.Fatal(err)
			}
			c, err := a.Content(t.Context(), box.ID, m.UID)
			if err != nil {
				t.Fatal(err)
			}
			h := sha256.New()
			n, err := io.Copy(h, io.NewSectionReader(c, 0, c.Size()))
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			d.Messages = append(d.Messages, []any{strings.Join(flagNames(m), " "), float64(m.Received.Unix()), float64(n), fmt.Sprintf("%x", h.Sum(nil))})
		}
		slices.SortFunc(d.Messages, func(a, b []any) int { return strings.Compare(dumpKey(a), dumpKey(b)) })
		name := strings.NewReplacer("&", "_", "<", "_", ">", "_").Replace(box.Name) // Cyrus refuses some
		if delimiter != "/" {
			name = strings.ReplaceAll(name, delimiter, "_")
		}
		out[name] = d
	}
	return out
}

// dumpKey orders messages as Python orders the lists.
func dumpKey(m []any) string { return fmt.Sprintf("%s\x00%020.0f", m[0], m[1]) }

func flagNames(m *store.Message) (list []string) {
	for flag, name := range map[store.Flags]string{
		store.Seen: `\seen`, store.Answered: `\answered`, store.Flagged: `\flagged`, store.Deleted: `\deleted`, store.Draft: `\draft`,
	} {
		if m.Flags&flag != 0 {
			list = append(list, name)
		}
	}
	for _, k := range m.Keywords {
		list = append(list, strings.ToLower(k))
	}
	slices.Sort(list)
	return list
}

// fillVaried fills the account "from" with names, roles, subscriptions, flags, keywords and
// dates of all kinds, and tells how many messages there are.
func fillVaried(t *testing.T, s store.Store) (total int64) {
	t.Helper()
	a, err := s.Open(t.Context(), "from")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	ids := []store.MailboxID{inbox.ID}
	yes := true
	for name, role := range map[string]string{
		"Sent Items": `\Sent`, "Entwürfe": `\Drafts`, "Papierkorb": `\Trash`, "Archive 2.0/Grüße & <1>": "", "a/b/c d": "", "日本語": "",
	} {
		id := store.NewMailboxID()
		op := store.PutMailbox{ID: id, Create: true, Name: name, Role: &role}
		if len(name)%2 == 0 {
			op.Subscribed = &yes
		}
		if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for b, id := range ids {
		for n := range 40 {
			body := fmt.Sprintf("Message-ID: <%d.%d@a.example>\r\nFrom: a@a.example\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: %d\r\n\r\n%s", b, n, n, strings.Repeat("a line of text\r\n", n))
			var keywords []string
			if n%3 == 0 {
				keywords = []string{"$Forwarded", fmt.Sprintf("k%d", n%5)}
			}
			_, err := store.AppendMessage(t.Context(), s, a, "", store.NewMessage{
				Mailbox: id, Flags: store.Flags(n) & store.AllFlags, Keywords: keywords,
				Received: time.Unix(1_500_000_000+int64(n)*86_400*30, 0), Body: strings.NewReader(body), BodySize: int64(len(body)),
			})
			if err != nil {
				t.Fatal(err)
			}
			total++
		}
	}
	return total
}
