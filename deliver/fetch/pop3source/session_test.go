package pop3source_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

func login(ctx context.Context, _ []string, _ *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	return exchange(ctx, sasl.NewPlainClient("", "ann", "secret"))
}

func text(n int) string { return fmt.Sprintf("Subject: %d\r\n\r\nHello.\r\n", n) }

// open opens a session with a server of three messages, and lists.
func open(t *testing.T, o pop3test.Options, src pop3source.Source) (*pop3test.Server, fetch.Session, []fetch.Item) {
	t.Helper()
	if o.Messages == nil {
		o.Messages = pop3test.Texts(text(1), text(2), text(3))
	}
	srv := pop3test.NewServer(t, o)
	src.Addr, src.Dialer = "pop.example:110", &pop3client.Dialer{Net: srv, Login: login}
	ses, err := src.Open(t.Context())
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
	return srv, ses, list
}

func retrieve(t *testing.T, ses fetch.Session, it *fetch.Item) (string, error) {
	t.Helper()
	rc, err := ses.Retrieve(t.Context(), it)
	if err != nil {
		return "", err
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	return string(b), err
}

func TestSession(t *testing.T) {
	srv, ses, list := open(t, pop3test.Options{}, pop3source.Source{})
	if len(list) != 3 || list[1].ID == "" || list[1].ID == list[0].ID || list[1].Size != int64(len(text(2))) {
		t.Fatalf("%+v", list)
	}
	for i := range list {
		if got, err := retrieve(t, ses, &list[i]); got != text(i+1) || err != nil {
			t.Errorf("%q %v", got, err)
		}
		if got, err := ses.Head(t.Context(), &list[i]); string(got) != fmt.Sprintf("Subject: %d\r\n", i+1) || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}
	if _, err := ses.Head(t.Context(), &fetch.Item{Handle: 9}); !errors.Is(err, fetch.ErrGone) {
		t.Errorf("Head: %v", err)
	}
	if _, err := retrieve(t, ses, &fetch.Item{Handle: 9}); !errors.Is(err, fetch.ErrGone) {
		t.Errorf("Retrieve: %v", err)
	}
	if err := ses.Delete(t.Context(), []fetch.Item{list[0], list[2]}); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(srv.Commands(), func(c string) bool { return strings.HasPrefix(c, "DELE") }) {
		t.Error("DELE before Commit")
	}
	if err := ses.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := srv.Messages(); len(left) != 1 || left[0].Text != text(2) {
		t.Errorf("left: %+v", left)
	}
	if err := ses.Wait(t.Context(), time.Hour); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Wait: %v", err)
	}
}

// Heads of a server without TOP, of messages that have nothing else, of one
// whose lines end in LF.
func TestHead(t *testing.T) {
	huge := strings.Repeat("X: "+strings.Repeat("y", 95)+"\r\n", 4000)
	for _, caps := range [][]string{nil, {"UIDL", "USER"}, {}} {
		for in, want := range map[string]string{
			text(1): "Subject: 1\r\n", "\r\nonly text\r\n": "", "A: b\r\n": "A: b\r\n", "": "", "A: b\nC: d\n\nx\n": "A: b\r\nC: d\r\n",
			huge: huge[:256<<10],
		} {
			_, ses, list := open(t, pop3test.Options{Messages: pop3test.Texts(in), Capabilities: caps, Reply: func(_ int, c string) string {
				if caps != nil && strings.HasPrefix(c, "TOP") {
					return "-ERR unknown command"
				}
				return ""
			}}, pop3source.Source{})
			got, err := ses.Head(t.Context(), &list[0])
			if err != nil || strings.TrimSuffix(string(got), "\r\n") != strings.TrimSuffix(want, "\r\n") {
				t.Errorf("%q: %.100q %v", in[:min(len(in), 50)], got, err)
			}
		}
	}
}

// Commit is only good where the server has confirmed all of it.
func TestCommit(t *testing.T) {
	for _, tc := range []struct {
		name    string
		replies map[string]string
		caps    []string
		left    int
		want    error // nil = any
		works   bool
	}{
		{name: "works", works: true},
		{name: "works without pipelining", caps: []string{"UIDL"}, works: true},
		{name: "one refused", replies: map[string]string{"DELE 2": "-ERR no"}, left: 1},
		{name: "QUIT refused", replies: map[string]string{"QUIT": "-ERR some not removed"}, left: 3},
		{name: "QUIT without an answer", replies: map[string]string{"QUIT": "lose"}, want: pop3client.ErrUnknown},
		{name: "cut before QUIT", replies: map[string]string{"DELE 3": "close"}, left: 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv, ses, list := open(t, pop3test.Options{Capabilities: tc.caps, Reply: func(_ int, c string) string { return tc.replies[c] }}, pop3source.Source{})
			ses.Delete(t.Context(), list)
			err := ses.Commit(t.Context())
			if (err == nil) != tc.works || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("Commit: %v", err)
			}
			srv.Close()
			if left := srv.Messages(); len(left) != tc.left {
				t.Errorf("%d left", len(left))
			}
		})
	}
}

// A server whose numbers mean other messages in the end deletes none.
func TestRenumbered(t *testing.T) {
	for name, second := range map[string]string{
		"moved up": "+OK\r\n1 b\r\n2 c\r\n.", "gone": "+OK\r\n1 a\r\n.", "refused": "-ERR later",
	} {
		asked := 0
		srv, ses, list := open(t, pop3test.Options{
			Messages: []pop3test.Message{{ID: "a", Text: text(1)}, {ID: "b", Text: text(2)}, {ID: "c", Text: text(3)}},
			Reply: func(_ int, c string) string {
				if c == "UIDL" {
					if asked++; asked > 1 {
						return second
					}
				}
				return ""
			},
		}, pop3source.Source{})
		ses.Delete(t.Context(), list[1:2])
		err := ses.Commit(t.Context())
		if err == nil || name != "refused" && !errors.Is(err, pop3source.ErrRenumbered) {
			t.Errorf("%s: %v", name, err)
		}
		ses.Close()
		if n := len(srv.Messages()); n != 3 {
			t.Errorf("%s: %d left", name, n)
		}
	}
}

// A server that is not to be believed: its unique-ids are no IDs, but checked.
func TestNoIDs(t *testing.T) {
	_, ses, list := open(t, pop3test.Options{Reply: func(_ int, c string) string {
		if c == "UIDL 2" {
			return "+OK 2 other"
		}
		return ""
	}}, pop3source.Source{NoIDs: true})
	for i := range list {
		if list[i].ID != "" {
			t.Errorf("%+v", list[i])
		}
	}
	if _, err := retrieve(t, ses, &list[1]); !errors.Is(err, pop3source.ErrRenumbered) {
		t.Errorf("Retrieve: %v", err)
	}
}

// A body is whole or ends with an error.
func TestCut(t *testing.T) {
	n := 0
	for cut := 1; cut < 400; cut++ {
		srv := pop3test.NewServer(t, pop3test.Options{
			Messages: pop3test.Texts(text(1)),
			Wire:     func(_ int, c net.Conn) net.Conn { return pop3test.CutAfter(c, cut) },
		})
		ses, err := pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: login}}.Open(t.Context())
		if err != nil {
			continue
		}
		for it, err := range ses.List(t.Context()) {
			if err != nil {
				break
			}
			got, err := retrieve(t, ses, &it)
			if err == nil {
				n++
			}
			if err == nil && got != text(1) {
				t.Errorf("cut behind %d octets: %q", cut, got)
			}
		}
		ses.Close()
	}
	if n == 0 {
		t.Error("none is whole")
	}
}

// What refusals of a login mean.
func TestLogin(t *testing.T) {
	for answer, want := range map[string]error{
		"-ERR [AUTH] no": fetch.ErrAuth, "-ERR [IN-USE] no": fetch.ErrBusy, "-ERR [LOGIN-DELAY] no": fetch.ErrBusy, "-ERR [SYS/TEMP] no": nil,
	} {
		srv := pop3test.NewServer(t, pop3test.Options{Reply: func(_ int, c string) string {
			if strings.HasPrefix(c, "PASS") || strings.HasPrefix(c, "AUTH") {
				return answer
			}
			return ""
		}})
		_, err := pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: login}}.Open(t.Context())
		if err == nil || errors.Is(err, fetch.ErrAuth) != (want == fetch.ErrAuth) || errors.Is(err, fetch.ErrBusy) != (want == fetch.ErrBusy) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
