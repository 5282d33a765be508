package pop3source_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

// flights is a server, and what the client wrote to it at a time.
type flights struct {
	*pop3test.Server
	mu     sync.Mutex // guards what follows
	writes []string
}

func (f *flights) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := f.Server.DialContext(ctx, network, addr)
	return &flightConn{c, f}, err
}

type flightConn struct {
	net.Conn
	f *flights
}

func (c *flightConn) Write(p []byte) (int, error) {
	c.f.mu.Lock()
	c.f.writes = append(c.f.writes, strings.ReplaceAll(strings.TrimSuffix(string(p), "\r\n"), "\r\n", ", "))
	c.f.mu.Unlock()
	return c.Conn.Write(p)
}

// since is what was written since it was asked last.
func (f *flights) since() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.writes
	f.writes = nil
	return w
}

// expecting opens a session that has listed, and has been told of all messages.
func expecting(t *testing.T, o pop3test.Options) (*flights, fetch.Session, []fetch.Item) {
	t.Helper()
	f := &flights{Server: pop3test.NewServer(t, o)}
	ses, err := pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: f, Login: login}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ses.Close() })
	var list []fetch.Item
	for it, err := range ses.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, it)
	}
	ses.(fetch.Expecter).Expect(list)
	f.since()
	return f, ses, list
}

func mails(n int) []pop3test.Message {
	var all []string
	for i := range n {
		all = append(all, text(i+1))
	}
	return pop3test.Texts(all...)
}

// TestFlights: what leaves together, and that it is not too much.
func TestFlights(t *testing.T) {
	large := pop3test.Message{Text: text(3), Size: 100 << 10}
	huge := pop3test.Message{Text: text(3), Size: 129 << 10}
	for _, tc := range []struct {
		name string
		o    pop3test.Options
		want string
	}{
		{
			"pipelining",
			pop3test.Options{Messages: mails(5)},
			"RETR 1, UIDL 1, RETR 2, UIDL 2, RETR 3, UIDL 3; RETR 4, UIDL 4; RETR 5, UIDL 5",
		},
		{
			"no pipelining",
			pop3test.Options{Messages: mails(2), Capabilities: []string{"UIDL"}},
			"RETR 1; UIDL 1; RETR 2; UIDL 2",
		},
		{
			"what is retrieved is deleted",
			pop3test.Options{Messages: mails(2), Capabilities: []string{"UIDL", "PIPELINING", "EXPIRE 0"}},
			"RETR 1, UIDL 1; RETR 2, UIDL 2",
		},
		{
			"it stays for a while",
			pop3test.Options{Messages: mails(2), Capabilities: []string{"UIDL", "PIPELINING", "EXPIRE 1"}},
			"RETR 1, UIDL 1, RETR 2, UIDL 2",
		},
		{
			"one that is huge",
			pop3test.Options{Messages: slices.Concat(mails(2), []pop3test.Message{huge}, mails(2))},
			"RETR 1, UIDL 1, RETR 2, UIDL 2; RETR 3, UIDL 3, RETR 4, UIDL 4, RETR 5, UIDL 5",
		},
		{
			"two that are large",
			pop3test.Options{Messages: slices.Concat(mails(1), []pop3test.Message{large, large}, mails(1))},
			"RETR 1, UIDL 1, RETR 2, UIDL 2; RETR 3, UIDL 3, RETR 4, UIDL 4",
		},
		{
			"no UIDL",
			pop3test.Options{Messages: mails(3), Reply: func(_ int, c string) string {
				if strings.HasPrefix(c, "UIDL") {
					return "-ERR"
				}
				return ""
			}},
			"RETR 1, RETR 2, RETR 3",
		},
		{
			"UIDL of all alone",
			pop3test.Options{Messages: mails(5), Reply: func(_ int, c string) string {
				if strings.HasPrefix(c, "UIDL ") {
					return "-ERR"
				}
				return ""
			}},
			"RETR 1, UIDL 1, RETR 2, UIDL 2, RETR 3, UIDL 3; RETR 4; RETR 5",
		},
		{
			"the same one by one",
			pop3test.Options{Messages: mails(3), Capabilities: []string{"UIDL"}, Reply: func(_ int, c string) string {
				if strings.HasPrefix(c, "UIDL ") {
					return "-ERR"
				}
				return ""
			}},
			"RETR 1; UIDL 1; RETR 2; RETR 3",
		},
		{
			"refusals",
			pop3test.Options{Messages: mails(4), Reply: func(_ int, c string) string {
				if c == "RETR 2" || c == "UIDL 2" {
					return "-ERR"
				}
				return ""
			}},
			"RETR 1, UIDL 1, RETR 2, UIDL 2, RETR 3, UIDL 3; RETR 4, UIDL 4",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, ses, list := expecting(t, tc.o)
			for i := range list {
				got, err := retrieve(t, ses, &list[i])
				if tc.name == "refusals" && i == 1 {
					if !errors.Is(err, fetch.ErrGone) {
						t.Errorf("refused: %v", err)
					}
					continue
				}
				if err != nil || got != tc.o.Messages[i].Text {
					t.Errorf("%d: %q %v", i+1, got, err)
				}
			}
			if got := strings.Join(f.since(), "; "); got != tc.want {
				t.Errorf("flights:\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestUnwanted: other commands than the expected ones find the session in order,
// and what was asked for in vain is neither mixed up nor deleted.
func TestUnwanted(t *testing.T) {
	ask := map[string]func(t *testing.T, ses fetch.Session, list []fetch.Item) error{
		"another message": func(t *testing.T, ses fetch.Session, list []fetch.Item) error {
			got, err := retrieve(t, ses, &list[4])
			if got != text(5) {
				t.Errorf("%q", got)
			}
			return err
		},
		"the same message": func(t *testing.T, ses fetch.Session, list []fetch.Item) error {
			got, err := retrieve(t, ses, &list[0])
			if got != text(1) {
				t.Errorf("%q", got)
			}
			return err
		},
		"a head": func(t *testing.T, ses fetch.Session, list []fetch.Item) error {
			_, err := ses.Head(t.Context(), &list[1])
			return err
		},
		"a listing": func(t *testing.T, ses fetch.Session, _ []fetch.Item) error {
			for _, err := range ses.List(t.Context()) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"a body that is not read": func(t *testing.T, ses fetch.Session, list []fetch.Item) error {
			rc, err := ses.Retrieve(t.Context(), &list[1])
			if err == nil {
				err = rc.Close()
			}
			if got, _ := retrieve(t, ses, &list[2]); got != text(3) {
				t.Errorf("%q", got)
			}
			return err
		},
		"nothing": func(*testing.T, fetch.Session, []fetch.Item) error { return nil },
	}
	for name, other := range ask {
		for _, caps := range [][]string{nil, {"UIDL", "TOP"}} {
			f, ses, list := expecting(t, pop3test.Options{Messages: mails(5), Capabilities: caps})
			if got, err := retrieve(t, ses, &list[0]); got != text(1) || err != nil {
				t.Fatalf("%s: %q %v", name, got, err)
			}
			err := other(t, ses, list)
			err = errors.Join(err, ses.Delete(t.Context(), list[:1]), ses.Commit(t.Context()))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			f.Close()
			if left := f.Messages(); len(left) != 4 || left[0].Text != text(2) {
				t.Errorf("%s: left: %+v", name, left)
			}
		}
	}
}

// TestUnwantedFlood: what was announced as little, is not, and is not wanted: the
// session ends, and deletes nothing.
func TestUnwantedFlood(t *testing.T) {
	flood := pop3test.Message{Text: strings.Repeat(strings.Repeat("x", 98)+"\r\n", 4000), Size: 10}
	f, ses, list := expecting(t, pop3test.Options{Messages: append(mails(1), flood)})
	if got, err := retrieve(t, ses, &list[0]); got != text(1) || err != nil {
		t.Fatalf("%q %v", got, err)
	}
	if err := errors.Join(ses.Delete(t.Context(), list[:1]), ses.Commit(t.Context())); !errors.Is(err, pop3client.ErrAbandoned) {
		t.Errorf("Commit: %v", err)
	}
	f.Close()
	if n := len(f.Messages()); n != 2 {
		t.Errorf("%d left", n)
	}
}

// TestRenumberedAhead: a server that pipelines, and numbers its messages anew, or
// mixes its replies up: no message is taken for another one.
func TestRenumberedAhead(t *testing.T) {
	for name, replies := range map[string]map[string]string{
		"moved up":          {"RETR 2": "+OK\r\n" + text(3) + ".", "UIDL 2": "+OK 2 c", "RETR 3": "-ERR", "UIDL 3": "-ERR"},
		"behind the body":   {"UIDL 2": "+OK 2 c"},
		"of the one before": {"UIDL 2": "+OK 1 a"},
		"in another order":  {"RETR 2": "+OK 2 b", "UIDL 2": "+OK\r\n" + text(2) + "."},
		"one too many":      {"RETR 2": "+OK\r\n" + text(1) + ".\r\n+OK 1 a\r\n+OK\r\n" + text(2) + "."},
		"an end too early":  {"RETR 2": "+OK\r\n.\r\n" + text(2) + "."},
	} {
		f, ses, list := expecting(t, pop3test.Options{
			Messages: []pop3test.Message{{ID: "a", Text: text(1)}, {ID: "b", Text: text(2)}, {ID: "c", Text: text(3)}},
			Reply:    func(_ int, c string) string { return replies[c] },
		})
		if got, err := retrieve(t, ses, &list[0]); got != text(1) || err != nil {
			t.Errorf("%s: %q %v", name, got, err)
		}
		for i := range list[1:] {
			if got, err := retrieve(t, ses, &list[i+1]); err == nil && got != text(i+2) {
				t.Errorf("%s: %d is %q", name, i+2, got)
			} else if err == nil && i == 0 {
				t.Errorf("%s: it is believed", name)
			}
		}
		ses.Close()
		f.Close()
		if n := len(f.Messages()); n != 3 {
			t.Errorf("%s: %d left", name, n)
		}
	}
}

// TestCutAhead: bodies that are on their way when the connection ends are whole
// or an error, and nothing is deleted but what was retrieved.
func TestCutAhead(t *testing.T) {
	const n = 5
	whole := 0
	for cut := 1; cut < 1000; cut++ {
		srv := pop3test.NewServer(t, pop3test.Options{
			Messages: mails(n),
			Wire:     func(_ int, c net.Conn) net.Conn { return pop3test.CutAfter(c, cut) },
		})
		whole = collect(t, srv, cut)
		srv.Close()
	}
	if whole != n-1 {
		t.Errorf("not even the last session was whole: %d", whole)
	}
}

// collect retrieves and deletes what a server gives.
func collect(t *testing.T, srv *pop3test.Server, cut int) (whole int) {
	t.Helper()
	ses, err := pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: login}}.Open(t.Context())
	if err != nil {
		return 0
	}
	defer ses.Close()
	var list, have []fetch.Item
	for it, err := range ses.List(t.Context()) {
		if err != nil {
			return 0
		}
		list = append(list, it)
	}
	ses.(fetch.Expecter).Expect(list)
	for i := range list {
		got, err := retrieve(t, ses, &list[i])
		if err != nil {
			break
		}
		if got != text(i+1) {
			t.Errorf("cut behind %d octets: %d is %q", cut, i+1, got)
		}
		if i != 3 { // one is not committed
			have = append(have, list[i])
		}
	}
	err = errors.Join(ses.Delete(t.Context(), have), ses.Commit(t.Context()))
	srv.Close()
	left := len(srv.Messages())
	switch {
	case err == nil && left != len(list)-len(have):
		t.Errorf("cut behind %d octets: %d fetched, %d left", cut, len(have), left)
	case left != len(list) && left != len(list)-len(have), err != nil && !errors.Is(err, pop3client.ErrUnknown) && left != len(list):
		t.Errorf("cut behind %d octets: %v, %d left", cut, err, left)
	}
	return len(have)
}
