package route_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/route"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// scripted is a Receiver that answers by a word for each recipient's local-part,
// or for all: "begin", "data" fail as a whole.
type scripted struct {
	whole string
	by    map[string]string
	seen  []string
	body  string
}

func reply(word string) error {
	switch word {
	case "":
		return nil
	case "unknown":
		return fmt.Errorf("%w: lost", queue.ErrOutcomeUnknown)
	case "raw":
		return errors.New("disk")
	}
	var code int
	var e smtp.EnhancedCode
	if n, _ := fmt.Sscanf(word, "%d %d.%d.%d", &code, &e.Class, &e.Subject, &e.Detail); n == 0 {
		panic(word)
	}
	return smtp.Errorf(code, e, "scripted")
}

func (s *scripted) Begin(context.Context, *smtp.Mail) (smtp.Transaction, error) {
	if rest, ok := strings.CutPrefix(s.whole, "begin "); ok {
		return nil, reply(rest)
	}
	return &scriptedTransaction{s: s}, nil
}

type scriptedTransaction struct {
	s     *scripted
	rcpts []string
}

func (t *scriptedTransaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		t.s.seen = append(t.s.seen, r.ForwardPath.Local)
		if rest, ok := strings.CutPrefix(t.s.by[r.ForwardPath.Local], "rcpt "); ok {
			errs[i] = reply(rest)
		} else {
			t.rcpts = append(t.rcpts, r.ForwardPath.Local)
		}
	}
	return errs
}

func (t *scriptedTransaction) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	body, err := io.ReadAll(b)
	if err != nil {
		return nil, err
	}
	t.s.body = string(b.Trace()) + string(body)
	if rest, ok := strings.CutPrefix(t.s.whole, "data "); ok {
		return nil, reply(rest)
	}
	out := make([]smtp.RcptStatus, len(t.rcpts))
	for i, r := range t.rcpts {
		out[i].Err = reply(t.s.by[r])
	}
	if t.s.whole == "short" {
		return out[1:], nil
	}
	return out, nil
}

func (t *scriptedTransaction) Abort() {}

// send sends to these local-parts, and returns a word each.
func send(t *testing.T, r smtp.Receiver, b *smtp.Body, to ...string) string {
	t.Helper()
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	for _, a := range to {
		if err := tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: path(a + "@example.org")}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	statuses, err := tx.Data(t.Context(), b)
	if err != nil || len(statuses) != len(to) {
		t.Fatalf("%v, %v", statuses, err)
	}
	var out []string
	for _, s := range statuses {
		switch {
		case s.Err == nil:
			out = append(out, "ok")
		case errors.Is(s.Err, queue.ErrOutcomeUnknown):
			out = append(out, "unknown")
		default:
			out = append(out, fmt.Sprint(smtp.ReplyOf(s.Err).Code))
		}
	}
	return strings.Join(out, " ")
}

func TestFailover(t *testing.T) {
	for _, test := range []struct {
		whole   string            // of the first
		by      map[string]string // of the first
		second  string            // whose it is then
		results string
	}{
		{"", nil, "", "ok ok"},
		{"begin 421 4.3.0", nil, "a b", "ok ok"},
		{"begin 550 5.1.2", nil, "", "550 550"},
		{"data 450 4.4.1", nil, "a b", "ok ok"},
		{"data 450 4.7.0", nil, "a b", "ok ok"}, // no recipient was spoken of
		{"data raw", nil, "a b", "ok ok"},
		{"data unknown", nil, "", "unknown unknown"},
		{"data 556 5.1.10", nil, "", "556 556"},
		{"short", nil, "a b", "ok ok"},
		{"", map[string]string{"a": "550 5.1.1"}, "", "550 ok"},
		{"", map[string]string{"a": "rcpt 550 5.1.1", "b": "450 4.4.2"}, "b", "550 ok"},
		{"", map[string]string{"a": "450 4.2.0"}, "", "450 ok"},
		{"", map[string]string{"a": "rcpt 452 4.2.2", "b": "rcpt 421 4.2.0"}, "b", "452 ok"},
		{"", map[string]string{"b": "unknown"}, "", "ok unknown"},
		{"", map[string]string{"b": "raw"}, "b", "ok ok"},
		{"", map[string]string{"a": "451 4.4.3", "b": "550 4.4.2"}, "a", "ok 550"},
	} {
		first, second := &scripted{whole: test.whole, by: test.by}, &scripted{}
		f := &route.Failover{Receivers: []smtp.Receiver{first, second}}
		got := send(t, f, smtp.NewBody(strings.NewReader("Subject: x\r\n\r\n"), -1), "a", "b")
		if seen := strings.Join(second.seen, " "); got != test.results || seen != test.second {
			t.Errorf("%s %v: %s, the second had %q; want %s, %q", test.whole, test.by, got, seen, test.results, test.second)
		}
	}
}

func TestFailoverOnDeferral(t *testing.T) {
	first, second := &scripted{by: map[string]string{"a": "450 4.2.0", "b": "550 5.1.1", "c": "unknown"}}, &scripted{by: map[string]string{"a": "451 4.3.0"}}
	f := &route.Failover{Receivers: []smtp.Receiver{first, second}, OnDeferral: true}
	if got := send(t, f, smtp.NewBody(strings.NewReader("x"), -1), "a", "b", "c"); got != "451 550 unknown" || strings.Join(second.seen, "") != "a" {
		t.Errorf("%s, %v", got, second.seen)
	}
	if got := send(t, &route.Failover{}, smtp.NewBody(strings.NewReader("x"), -1), "a"); got != "451" {
		t.Errorf("without receivers: %s", got)
	}
}

// A receiver that was not reached is asked last for a while.
func TestFailoverPause(t *testing.T) {
	now := time.Unix(1e9, 0)
	first, second := &scripted{whole: "begin 421 4.3.0"}, &scripted{}
	f := &route.Failover{Receivers: []smtp.Receiver{first, second}, Now: func() time.Time { return now }}
	body := func() *smtp.Body { return smtp.NewBody(strings.NewReader("x"), -1) }
	send(t, f, body(), "a")
	first.whole, second.whole = "", "data 450 4.4.1"
	now = now.Add(59 * time.Second)
	if send(t, f, body(), "b"); strings.Join(second.seen, "") != "ab" || strings.Join(first.seen, "") != "b" {
		t.Errorf("first %v, second %v: the first has to be tried last", first.seen, second.seen)
	}
	second.whole = ""
	if send(t, f, body(), "c"); strings.Join(first.seen, "") != "bc" {
		t.Errorf("first %v: it answers again", first.seen)
	}
	first.whole = "begin 421 4.3.0"
	send(t, f, body(), "d")
	first.whole, now = "", now.Add(time.Minute)
	if send(t, f, body(), "e"); strings.Join(first.seen, "") != "bce" {
		t.Errorf("first %v: its time away is over", first.seen)
	}
}

// hopsOf sends all to one receiver.
type hopsOf struct{ to smtp.Receiver }

func (h hopsOf) Key(p smtp.ForwardPath) string               { return p.Domain }
func (h hopsOf) Receiver(key string) (smtp.Receiver, string) { return h.to, key }

// A Fallback keeps in mind for each key who was not reached, from one message to
// the next.
func TestFallbackPause(t *testing.T) {
	now := time.Unix(1e9, 0)
	first, second := &scripted{whole: "begin 421 4.3.0"}, &scripted{}
	f := &route.Fallback{First: hopsOf{first}, Rest: []smtp.Receiver{second}, Now: func() time.Time { return now }}
	to := func(key, rcpt string) {
		r, _ := f.Receiver(key)
		send(t, r, smtp.NewBody(strings.NewReader("x"), -1), rcpt)
	}
	to("a.example", "a")
	first.whole = ""
	to("a.example", "b")
	to("b.example", "c")
	if strings.Join(second.seen, "") != "ab" || strings.Join(first.seen, "") != "c" {
		t.Errorf("first %v, second %v", first.seen, second.seen)
	}
	now = now.Add(time.Minute)
	if to("a.example", "d"); strings.Join(first.seen, "") != "cd" {
		t.Errorf("first %v: its time away is over", first.seen)
	}
}

// A body in a blob store is read from there again, and known to lie there.
func TestFailoverStored(t *testing.T) {
	blobs := memblob.New()
	w, _ := blobs.Create(t.Context(), -1)
	io.WriteString(w, "Subject: x\r\n\r\n")
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var stored any
	last := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		stored = b.Stored()
		return smtp.Accepted(len(env.Recipients)), nil
	})
	first, second := &scripted{whole: "data 421 4.4.2"}, &scripted{whole: "data 421 4.4.2"}
	b := smtp.NewStoredBody(strings.NewReader("not to be read"), 14, blob.Stored{In: blobs, Ref: ref}, []byte("Received: by us\r\n"))
	got := send(t, &route.Failover{Receivers: []smtp.Receiver{first, second, last}}, b, "a")
	const want = "Received: by us\r\nSubject: x\r\n\r\n"
	if s, ok := stored.(blob.Stored); got != "ok" || first.body != want || second.body != want || !ok || s.Ref != ref {
		t.Errorf("%s: %q, %q, %v", got, first.body, second.body, stored)
	}
}

// keeper is a Failover whose second receiver keeps what it takes.
type keeper struct {
	*route.Failover
	mu   sync.Mutex
	kept []string
}

func (k *keeper) keep(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
	body, err := io.ReadAll(b)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, string(body))
	return smtp.Accepted(len(env.Recipients)), nil
}

func TestFailoverIsReceiver(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(*testing.T) smtp.Receiver {
			k := &keeper{}
			away := smtp.EachRcpt(func(_ context.Context, _ *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
				io.Copy(io.Discard, b)
				return nil, reply("421 4.4.2")
			})
			k.Failover = &route.Failover{Receivers: []smtp.Receiver{away, smtp.EachRcpt(k.keep)}, Pause: -1}
			return k
		},
		Stored: func(_ *testing.T, r smtp.Receiver) []string {
			k := r.(*keeper)
			k.mu.Lock()
			defer k.mu.Unlock()
			return slices.Clone(k.kept)
		},
	})
}

// refused fails to connect to one address.
type refused struct{ addr string }

func (r refused) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if addr == r.addr {
		return nil, errors.New("connection refused")
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// The mail hosts of a domain, and a smart host behind them.
func TestFallback(t *testing.T) {
	fallback := smtptest.NewServer(t)
	dialer := &smtpclient.Dialer{Net: refused{"127.0.0.1:25"}, Hello: "a.example"}
	relay := &deliver.Relay{Dialer: dialer, Hosts: func(context.Context) ([]string, error) { return []string{fallback.Addr}, nil }}
	hops := &route.Fallback{First: &deliver.MX{Permit: func(netip.Addr) bool { return true }, Relay: deliver.Relay{Dialer: dialer}}, Rest: []smtp.Receiver{relay}}
	key := hops.Key(path("x@[127.0.0.1]"))
	r, name := hops.Receiver(key)
	if key != "[127.0.0.1]" || name != key {
		t.Errorf("key %s, name %s", key, name)
	}
	if got := send(t, r, smtp.NewBody(strings.NewReader("Subject: x\r\n\r\n"), -1), "a"); got != "ok" || len(fallback.Messages()) != 1 {
		t.Errorf("%s, %d messages", got, len(fallback.Messages()))
	}
}
