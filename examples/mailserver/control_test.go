package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
)

// controlled is a test server without listeners, and a client of its socket.
func controlled(t *testing.T, args ...string) (*server, *control.Client) {
	t.Helper()
	s, err := newTestServer(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.parts) != 1 || s.parts[0].name != controlName {
		t.Skip("no control socket on this system")
	}
	done := make(chan error, 1)
	go func() { done <- s.parts[0].serve(s.parts[0].l) }()
	c := control.NewClient(s.o.data)
	t.Cleanup(func() {
		c.Close()
		if err := s.parts[0].shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, c
}

// asks sends one short request and returns the code of its error, "" for none.
func asks(t *testing.T, c *control.Client, method, path string, in, out any) string {
	t.Helper()
	err := c.Do(t.Context(), method, path, in, out)
	if e, ok := errors.AsType[*control.Error](err); ok {
		return e.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

type fields = map[string]any

func TestControlStatus(t *testing.T) {
	_, c := controlled(t, "-user", "alice@example.org:x")
	var st statusAnswer
	if code := asks(t, c, "GET", "/v1/status", nil, &st); code != "" {
		t.Fatal(code)
	}
	if st.PID != os.Getpid() || st.Version == "" || st.Bodies.Poisoned || st.Bodies.Free == 0 || len(st.Listen) != 1 {
		t.Errorf("%+v", st)
	}
	if code := asks(t, c, "GET", "/v1/nothing", nil, nil); code != control.CodeNotFound {
		t.Errorf("unknown path: %q", code)
	}
	if code := asks(t, c, "POST", "/v1/status", nil, nil); code != control.CodeNotFound {
		t.Errorf("wrong method: %q", code)
	}
}

func TestControlAccounts(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	for _, tt := range []struct {
		method, path string
		in           any
		code         string
	}{
		{"POST", "/v1/accounts", fields{"name": "Carol@example.org", "password": "secret", "quota": fields{"bytes": 1000}}, ""},
		{"POST", "/v1/accounts", fields{"name": "carol@example.org", "password": "secret"}, "exists"},
		{"POST", "/v1/accounts", fields{"name": "carol", "password": "secret"}, control.CodeBadRequest},
		{"POST", "/v1/accounts", fields{"name": "a b@example.org", "password": "secret"}, control.CodeBadRequest},
		{"POST", "/v1/accounts", fields{"name": "dave@example.org"}, control.CodeBadRequest},
		{"POST", "/v1/accounts", fields{"name": "dave@example.org", "password": "x", "quota": fields{"bytes": -1}}, control.CodeBadRequest},
		{"POST", "/v1/accounts", fields{"name": "dave@example.org", "passwort": "x"}, control.CodeBadRequest},
		{"PUT", "/v1/accounts/alice%40example.org/quota", fields{"messages": 7}, ""},
		{"PUT", "/v1/accounts/nobody@example.org/quota", fields{"messages": 7}, control.CodeNotFound},
		{"PUT", "/v1/accounts/alice@example.org/quota", fields{"messages": -7}, control.CodeBadRequest},
		{"PUT", "/v1/accounts/alice@example.org/password", fields{"password": "other"}, ""},
		{"PUT", "/v1/accounts/alice@example.org/password", fields{"password": ""}, control.CodeBadRequest},
		{"PUT", "/v1/accounts/nobody@example.org/password", fields{"password": "other"}, control.CodeNotFound},
		{"GET", "/v1/accounts?limit=0", nil, control.CodeBadRequest},
		{"GET", "/v1/accounts?limit=1001", nil, control.CodeBadRequest},
	} {
		if code := asks(t, c, tt.method, tt.path, tt.in, nil); code != tt.code {
			t.Errorf("%s %s %v: code %q, want %q", tt.method, tt.path, tt.in, code, tt.code)
		}
	}
	var got []string
	for after := ""; ; {
		var list answer.Accounts
		if code := asks(t, c, "GET", "/v1/accounts?limit=1&after="+after, nil, &list); code != "" {
			t.Fatal(code)
		}
		for _, a := range list.Accounts {
			got = append(got, fmt.Sprintf("%s %s %d %d %d", a.Name, a.State, a.Mailboxes, a.Quota.Bytes, a.Quota.Messages))
		}
		if after = list.Next; after == "" {
			break
		}
	}
	if s := strings.Join(got, "; "); s != "alice@example.org active 6 0 7; carol@example.org active 6 1000 0" {
		t.Error(s)
	}
	users := &filelogin.File{Path: filepath.Join(s.o.data, "passwd")}
	for name, password := range map[string]string{"alice@example.org": "other", "carol@example.org": "secret"} {
		rec, err := users.Lookup(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := login.Verify(rec.Hash, login.NewPassword(password)); !ok || err != nil {
			t.Errorf("%s: the password does not fit: %v", name, err)
		}
	}
}

// putJobs puts n jobs for foreign hosts.
func putJobs(t *testing.T, s *server, n int) {
	t.Helper()
	for i := range n {
		to := smtp.ForwardPath{Path: smtp.Path{Local: fmt.Sprintf("u%d", i), Domain: "foreign.example"}}
		env := &smtp.Envelope{Mail: &smtp.Mail{ID: fmt.Sprintf("m%d", i)}, Recipients: []*smtp.Recipient{{ForwardPath: to}}}
		if err := s.queue.Enqueue(t.Context(), env, strings.NewReader("A: b\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestControlQueue(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	putJobs(t, s, 5)
	var ids []string
	for after := ""; ; {
		var list answer.Jobs
		if code := asks(t, c, "GET", "/v1/queue/jobs?limit=2&after="+after, nil, &list); code != "" {
			t.Fatal(code)
		}
		for _, j := range list.Jobs {
			ids = append(ids, j.ID)
		}
		if after = list.Next; after == "" {
			break
		}
	}
	if len(ids) != 5 {
		t.Fatalf("listed %q", ids)
	}
	var job answer.Job
	if code := asks(t, c, "GET", "/v1/queue/jobs/"+ids[0], nil, &job); code != "" || job.ID != ids[0] ||
		len(job.Recipients) != 1 || job.Destination != "foreign.example" || job.Size != 8 || job.Expires != nil {
		t.Errorf("%q %+v", code, job)
	}
	if code := asks(t, c, "GET", "/v1/queue/jobs/none", nil, nil); code != control.CodeNotFound {
		t.Errorf("no such job: %q", code)
	}
	edit := func(verb string, in fields, code string, want int) {
		t.Helper()
		var out struct{ Jobs int }
		if got := asks(t, c, "POST", "/v1/queue/"+verb, in, &out); got != code || out.Jobs != want {
			t.Errorf("%s %v: %q, %d jobs; want %q, %d", verb, in, got, out.Jobs, code, want)
		}
	}
	edit("drop", fields{}, control.CodeBadRequest, 0)
	edit("drop", fields{"all": true, "message": "m1"}, control.CodeBadRequest, 0)
	edit("hold", fields{"ids": ids[:2], "reason": "wait"}, "", 2)
	var held answer.Jobs
	asks(t, c, "GET", "/v1/queue/jobs?held=true", nil, &held)
	if len(held.Jobs) != 2 || held.Jobs[0].Hold != "wait" {
		t.Errorf("held %+v", held)
	}
	edit("release", fields{"held": true}, "", 2)
	edit("retry", fields{"destination": "foreign.example"}, "", 5)
	edit("drop", fields{"message": "m1"}, "", 1)
	edit("drop", fields{"all": true}, "", 4)
	var st answer.QueueStats
	if asks(t, c, "GET", "/v1/queue/stats", nil, &st); st.Jobs != 0 {
		t.Errorf("%+v", st)
	}
}

func TestControlUpkeep(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	acct, err := s.engine.store.Open(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), acct, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.engine.blobs.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	body := "A: b\r\n\r\n" + strings.Repeat("text of a message\r\n", 100)
	io.WriteString(w, body)
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	op := store.Append{Mailbox: inbox.ID, EmailID: store.NewEmailID(), Blob: ref, Size: int64(len(body))}
	if _, err := acct.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
		t.Fatal(err)
	}
	var v answer.Verified
	var items []string
	keep := func(l control.Line) error {
		if l.Item != nil {
			items = append(items, string(l.Item))
		}
		return nil
	}
	if err := c.Stream(t.Context(), "/v1/verify", nil, &v, keep); err != nil || v.Bodies != 1 || v.Problems != 0 || len(items) > 0 {
		t.Errorf("%+v %q %v", v, items, err)
	}
	var col collectAnswer
	if err := c.Stream(t.Context(), "/v1/collect", nil, &col, nil); err != nil || col.Seen != 1 || col.Deleted != 0 {
		t.Errorf("%+v %v", col, err)
	}
	damageSegment(t, s, "text of a message")
	if err := c.Stream(t.Context(), "/v1/verify", nil, &v, keep); err != nil || v.Bodies != 0 || v.Problems != 2 || len(items) != 2 {
		t.Errorf("after damage: %+v %q %v", v, items, err)
	}
}

// damageSegment flips a bit of text in a file of bodies.
func damageSegment(t *testing.T, s *server, text string) {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(s.o.data, "blobs", "*.seg"))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.Index(string(b), text); i >= 0 {
			b[i] ^= 1
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("the text is in no segment")
}

func TestControlIsAlone(t *testing.T) {
	s, _ := controlled(t, "-user", "alice@example.org:x")
	c := newControls(s, nil)
	f := c.alone(nil)
	c.upkeep.Lock()
	defer c.upkeep.Unlock()
	if _, err := f(nil, nil); !errors.Is(err, errBusy) {
		t.Error(err)
	}
}

// TestControlErrors: every code of an error of the packages below.
func TestControlErrors(t *testing.T) {
	for err, code := range map[error]string{
		store.ErrNoAccount: control.CodeNotFound, store.ErrExists: "exists", store.ErrCorrupt: "damaged",
		queue.ErrClosed: control.CodeStopping, store.ErrTemporary: "temporary",
	} {
		e, ok := errors.AsType[*control.Error](controlError(fmt.Errorf("wrapped: %w", err)))
		if !ok || e.Code != code {
			t.Errorf("%v: %v", err, e)
		}
	}
	if err := errors.New("other"); controlError(err) != err || controlError(nil) != nil {
		t.Error("an error without a code is changed")
	}
}

// TestWithoutSocket: a server whose directory has no room for a socket runs.
func TestWithoutSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	s, err := newTestServer(t, "-data", dir, "-user", "alice@example.org:x")
	if err != nil {
		t.Fatal(err)
	}
	if s.o.data != dir {
		t.Fatalf("data in %s", s.o.data)
	}
	if len(s.parts) != 0 {
		t.Error("there is a socket")
	}
}
