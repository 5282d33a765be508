package main

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// hosts says that one host is the MX of every domain.
type hosts string

func (h hosts) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	switch t {
	case dnsx.MX:
		return &dnsx.Answer{Name: name, MX: []dnsx.Exchange{{Host: string(h), Preference: 10}}}, nil
	case dnsx.A:
		return &dnsx.Answer{Name: name, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNoData}
}

// dialer leads to one address, whatever is dialed.
type dialer string

func (d dialer) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, string(d))
}

// TestSendMail sends two messages, one of which is refused, and takes the
// report of that.
func TestSendMail(t *testing.T) {
	host := smtptest.NewServerWith(t, smtptest.Options{Reply: func(command string) string {
		if strings.HasPrefix(command, "RCPT TO:<nobody@") {
			return "550 5.1.1 Nobody"
		}
		return ""
	}})
	mx := &deliver.MX{Resolver: hosts("mx.example.net"), Relay: deliver.Relay{Dialer: &smtpclient.Dialer{Net: dialer(host.Addr)}}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- sendMail(ctx, t.TempDir(), mx, func(ctx context.Context, q *queue.Queue) error {
			for _, to := range []string{"ann", "nobody"} {
				env := &smtp.Envelope{
					Mail:       &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "bob", Domain: "example.org"}}},
					Recipients: []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: to, Domain: "example.net"}}}},
				}
				if err := q.Enqueue(ctx, env, strings.NewReader("Subject: hello\r\n\r\nhello\r\n")); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	got, err := host.Wait(ctx, 2)
	if err != nil {
		t.Fatalf("%d messages: %v", len(got), err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	reports := 0
	for _, m := range got {
		if m.ReversePath.IsNull() {
			reports++
			if !bytes.Contains(m.Data, []byte("Final-Recipient: rfc822; nobody@example.net\r\nAction: failed")) {
				t.Errorf("%s", m.Data)
			}
		}
	}
	if reports != 1 {
		t.Errorf("%d reports", reports)
	}
}

// TestLines: mail by MX, with a durable queue, retries and reports, takes no
// more than 40 lines.
func TestLines(t *testing.T) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "sendMail" {
			if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; n > 40 {
				t.Errorf("%d lines", n)
			}
		}
	}
}
