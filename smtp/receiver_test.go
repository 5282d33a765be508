package smtp

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func rcpts(t *testing.T, addrs ...string) []*Recipient {
	var rs []*Recipient
	for _, a := range addrs {
		p, err := ParseForwardPath("<"+a+">", true)
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, &Recipient{ForwardPath: p})
	}
	return rs
}

// collect keeps what it is given; refuse names local-parts that fail in Data.
type collect struct {
	refuse map[string]error
	bodies []string
	rcpts  [][]string
}

func (c *collect) receiver() Receiver {
	return EachRcpt(func(_ context.Context, env *Envelope, b *Body) ([]RcptStatus, error) {
		body, err := io.ReadAll(b)
		if err != nil {
			return nil, err
		}
		c.bodies = append(c.bodies, string(b.Trace())+string(body))
		st := Accepted(len(env.Recipients))
		var names []string
		for i, r := range env.Recipients {
			names = append(names, r.ForwardPath.Local)
			st[i].Err = c.refuse[r.ForwardPath.Local]
		}
		c.rcpts = append(c.rcpts, names)
		return st, nil
	})
}

func TestUniform(t *testing.T) {
	full := Errorf(452, EnhancedCode{4, 2, 2}, "full")
	gone := Errorf(550, EnhancedCode{5, 1, 1}, "gone")
	tests := []struct {
		name       string
		refuse     map[string]error
		losersFail error
		want       error // of every status, or of Data
		lost       string
	}{
		{name: "all accepted"},
		{name: "one lost", refuse: map[string]error{"b": gone}, lost: "b"},
		{name: "all permanent", refuse: map[string]error{"a": gone, "b": gone, "c": gone}, want: gone},
		{name: "all refused, one temporary", refuse: map[string]error{"a": gone, "b": full, "c": gone}, want: full},
		{name: "losers fail", refuse: map[string]error{"b": gone}, losersFail: gone, want: gone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := &collect{refuse: tt.refuse}
			second := &collect{refuse: map[string]error{"b": tt.losersFail}}
			u := Uniform(first.receiver(), second.receiver())
			tx, err := u.Begin(t.Context(), &Mail{ID: "1"})
			if err != nil {
				t.Fatal(err)
			}
			rs := rcpts(t, "a@x", "b@x", "c@x")
			tx.Rcpt(t.Context(), rs[:1])
			tx.Rcpt(t.Context(), rs[1:])
			b := NewBody(strings.NewReader("text"), -1)
			b.Prepend([]byte("X: 1\r\n"))
			st, err := tx.Data(t.Context(), b)
			if tt.losersFail != nil {
				if err == nil || IsPermanent(err) {
					t.Fatalf("want a temporary error, got %v", err)
				}
				return
			}
			if err != nil || len(st) != 3 {
				t.Fatal(st, err)
			}
			for _, s := range st {
				if !errors.Is(s.Err, tt.want) {
					t.Errorf("status %v, want %v", s.Err, tt.want)
				}
			}
			if tt.lost != "" && (len(second.rcpts) != 1 || second.rcpts[0][0] != tt.lost || second.bodies[0] != "X: 1\r\ntext") {
				t.Errorf("losers got %v %q", second.rcpts, second.bodies)
			}
		})
	}
}

func TestSpool(t *testing.T) {
	for _, memory := range []int{0, -1, 5} {
		text := strings.Repeat("0123456789", 1000)
		b := NewBody(strings.NewReader(text), -1)
		b.Prepend([]byte("A: 1\r\n"))
		s, err := Spool(b, SpoolOptions{Dir: t.TempDir(), Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			body := s.Body()
			if string(body.Trace()) != "A: 1\r\n" || body.Size() != int64(len(text)) {
				t.Errorf("trace %q, size %d", body.Trace(), body.Size())
			}
			if got, err := io.ReadAll(body); err != nil || string(got) != text {
				t.Errorf("memory %d: %d octets, %v", memory, len(got), err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	broken := NewBody(io.MultiReader(strings.NewReader("x"), brokenReader{}), -1)
	if _, err := Spool(broken, SpoolOptions{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("truncated body: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, ErrTruncated }

func TestAppendReceived(t *testing.T) {
	m := &Mail{
		ID: "ID1", Received: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Peer: &Peer{Hello: "client.example", Protocol: "ESMTPA", Addr: netip.MustParseAddrPort("[2001:db8::1]:25")},
	}
	got := string(AppendReceived(nil, m, "mx.example", rcpts(t, "a@b")))
	want := "Received: from client.example ([IPv6:2001:db8::1])\r\n\tby mx.example with ESMTPA id ID1\r\n" +
		"\tfor <a@b>;\r\n\tFri, 02 Jan 2026 03:04:05 +0000\r\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	m.Peer.Hello = "evil) by x; (\r\n"
	m.Params.UTF8 = true
	got = string(AppendReceived(nil, m, "mx.example", rcpts(t, "a@b", "c@d")))
	if !strings.HasPrefix(got, "Received: from unknown (") || strings.Contains(got, "for <") || !strings.Contains(got, "with UTF8SMTPA ") {
		t.Errorf("got %q", got)
	}
}

func TestPeerClone(t *testing.T) {
	p := &Peer{Hello: "a"}
	p.SetValue(1, "x")
	q := p.Clone()
	q.Hello = "b"
	q.SetValue(1, "y")
	if p.Hello != "a" || p.Value(1) != "x" || q.Value(1) != "y" {
		t.Error(p.Value(1), q.Value(1))
	}
}
