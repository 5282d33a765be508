package itest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/files"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqlite"
)

// ourTargets are where the connector delivers to while it is cut and killed.
func ourTargets() []string { return []string{"store", "queue", "lmtp"} }

// connectorCollector is examples/connector with a target of this type.
func connectorCollector(target string) collector {
	return func(t *testing.T, protocol, addr, user string) collecting {
		t.Helper()
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		more, maildir := "", ""
		switch target {
		case "queue": // to nobody: it keeps what it was given
			more = fmt.Sprintf("address = %q\ntls = \"none\"\n", freeAddrs(t, []string{"smtp"})["smtp"])
		case "lmtp":
			maildir = newMaildir(t, filepath.Join(t.TempDir(), "mail"))
			more = fmt.Sprintf("address = %q\ntls = \"none\"\n", lmtpInto(t, maildir))
		}
		c := newConnector(t, fmt.Sprintf("[targets.t]\ntype = %q\n%s[[source]]\nname = \"remote\"\nprotocol = %q\nhost = %q\nport = %s\n"+
			"tls = \"none\"\nuser = %q\npassword = %q\nrecipient = %q\n", target, more, protocol, host, port, user, password, alice))
		got := collecting{
			name: "connector into " + target, ours: true, inFlight: target == "lmtp",
			command: func(ctx context.Context) *exec.Cmd {
				cmd := c.command("once")
				return exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
			},
			done: func(err error, _ []byte) bool { return err == nil },
		}
		switch target {
		case "store":
			got.arrived = func(t *testing.T) []string {
				return append(inAccount(t, c.dir, alice), inAccount(t, c.dir, "connector")...) // and its quarantine
			}
		case "queue":
			got.arrived = func(t *testing.T) []string { return inQueue(t, c.dir) }
		default:
			got.arrived = func(t *testing.T) []string { return arrivedIn(t, maildir) }
		}
		return got
	}
}

// lmtpInto is the address of an LMTP server whose mail goes into a Maildir.
func lmtpInto(t *testing.T, maildir string) string {
	t.Helper()
	path, err := files.Template(maildir+"/", "")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtpserver.New(smtpserver.Config{
		LMTP: true, Hostname: "lmtp.example.org", Receiver: &files.Target{Path: path}, Logger: slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(context.WithoutCancel(t.Context()), l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return l.Addr().String()
}

// openData opens the data directory of a connector that does not run.
func openData(t *testing.T, dir string) *sqlite.Engine {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), dir, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// inAccount are the messages of an account in the store, in all its mailboxes.
func inAccount(t *testing.T, dir string, id store.AccountID) (arrived []string) {
	t.Helper()
	ctx, engine := t.Context(), openData(t, dir)
	defer engine.Close()
	acct, err := engine.Store().Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	boxes, _, err := acct.Mailboxes(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, box := range boxes {
		for m, err := range acct.Messages(ctx, box.ID, store.Query{UIDs: store.AllUIDs()}) {
			if err != nil {
				t.Fatal(err)
			}
			c, err := acct.Content(ctx, box.ID, m.UID)
			if err != nil {
				t.Fatal(err)
			}
			arrived = append(arrived, readAll(t, c, c.Size()))
		}
	}
	return arrived
}

// inQueue are the messages that wait.
func inQueue(t *testing.T, dir string) (arrived []string) {
	t.Helper()
	ctx, engine := t.Context(), openData(t, dir)
	defer engine.Close()
	q, err := sqlqueue.New(ctx, engine.DB(), sqlqueue.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for j, err := range q.List(ctx, queue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		text := string(j.Prefix)
		if j.Blob != "" { // else all of it is in front
			b, err := blob.OpenKeyed(ctx, engine.Blobs(), j.Blob, j.Key)
			if err != nil {
				t.Fatal(err)
			}
			text += readAll(t, b, b.Size())
		}
		arrived = append(arrived, text)
	}
	return arrived
}

func readAll(t *testing.T, r interface {
	io.ReaderAt
	io.Closer
}, size int64,
) string {
	t.Helper()
	var text strings.Builder
	_, err := io.Copy(&text, io.NewSectionReader(r, 0, size))
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// chosenTargets are those of our runs: all of them with MAILSTEAD_CUTS, else one,
// another one for each server, protocol and kind of fault.
func chosenTargets(turn int) []string {
	if os.Getenv("MAILSTEAD_CUTS") != "" {
		return ourTargets()
	}
	return ourTargets()[turn%3 : turn%3+1]
}
