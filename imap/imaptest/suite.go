package imaptest

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/imap"
)

// Visit is one use of the client that is judged: on conn it logs in as User with
// Password, lists all mailboxes, selects INBOX, fetches each message whole, and
// logs out. It returns the messages by UID. With tlsConfig it must use STARTTLS
// first, and the certificate must be one for Host.
//
// The timeouts of the client must be on, and what it takes of a message
// limited to a megabyte: ctx has no deadline. It must not use the network or
// goroutines that outlive it, as it runs in a synctest bubble.
type Visit func(ctx context.Context, conn net.Conn, tlsConfig *tls.Config) (map[imap.UID]string, error)

// MaxVisit is how long a visit to a server that hangs may last, in the time of
// the bubble.
const MaxVisit = 2 * time.Hour

// TestClient judges a client: against a server that hangs at each line, one that
// closes the connection after each number of octets, and each of Faults. It has
// to end in time, and return either an error or exactly what the server holds,
// as the Outcome of the fault says.
func TestClient(t *testing.T, visit Visit) {
	t.Run("clean", func(t *testing.T) { judge(t, visit, Fault{Outcome: MustWork}) })
	t.Run("clean with STARTTLS", func(t *testing.T) { judge(t, visit, Fault{Outcome: MustWork, TLS: true}) })
	pieces, octets := measure(t, visit)
	t.Run("hang", func(t *testing.T) {
		for n := range pieces {
			judge(t, visit, Fault{Name: fmt.Sprintf("hang behind %d pieces", n), New: HangAt(n)})
		}
	})
	t.Run("cut", func(t *testing.T) {
		step := max(1, octets/200)
		for n := 0; n < octets; n += step {
			judge(t, visit, Fault{Name: fmt.Sprintf("cut behind %d octets", n), New: CutAfter(n)})
		}
	})
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) { judge(t, visit, f) })
	}
}

// measure counts what a clean visit is sent.
func measure(t *testing.T, visit Visit) (pieces, octets int) {
	var p, o atomic.Int64
	judge(t, visit, Fault{Outcome: MustWork, New: func() Mangle {
		return func(s *Stream, piece Piece) error {
			p.Add(1)
			o.Add(int64(len(piece.Data)))
			return pass(s, piece)
		}
	}})
	return int(p.Load()), int(o.Load())
}

// testMessages are what INBOX holds.
func testMessages() map[imap.UID]string {
	return map[imap.UID]string{
		1: "From: a@example.org\r\nSubject: one\r\n\r\nHello.\r\n",
		2: "Subject: two\r\n\r\n" + strings.Repeat("* 1 FETCH (UID 9 BODY[] {3}\r\n) a1 OK done\r\n", 40),
		3: "Subject: three\r\n\r\n",
	}
}

// judge runs one visit.
func judge(t *testing.T, visit Visit, f Fault) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := &Server{Account: NewAccount(), Fault: &f}
		want := testMessages()
		for uid := imap.UID(1); int(uid) <= len(want); uid++ {
			srv.Account.Append(imap.Inbox, want[uid])
		}
		srv.Account.Create("Sent")
		var client *tls.Config
		if f.TLS {
			server, roots := Certificate(Host)
			srv.TLS, client = server, &tls.Config{RootCAs: roots, ServerName: Host}
		}
		if f.Setup != nil {
			f.Setup(srv)
		}
		conn, err := srv.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got, err := visit(context.WithoutCancel(t.Context()), conn, client)
		conn.Close()
		srv.Close()
		if took := time.Since(begin); took > MaxVisit {
			t.Errorf("%s: the visit lasted %v", f.Name, took)
		}
		switch {
		case err != nil && f.Outcome == MustWork:
			t.Errorf("%s: %v", f.Name, err)
		case err == nil && f.Outcome == MustFail:
			t.Errorf("%s: the client saw no error", f.Name)
		case err == nil && !maps.Equal(got, want):
			t.Errorf("%s: the client got %v, want %v", f.Name, got, want)
		}
	})
}
