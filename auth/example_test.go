package auth_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// records is a resolver over TXT records.
type records map[string]string

func (r records) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if text, ok := r[name]; ok && t == dnsx.TXT {
		return &dnsx.Answer{Texts: []string{text}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

var dns = records{
	"example.org":        "v=spf1 ip4:192.0.2.0/24 -all",
	"_dmarc.example.org": "v=DMARC1; p=quarantine",
}

const message = "From: Joe <joe@example.org>\r\nSubject: Hello\r\n\r\nHello.\r\n"

// A message that is at hand is judged as it is read.
func ExampleVerifier() {
	v := &auth.Verifier{Resolver: dns}
	m := v.Start(context.Background(), auth.Session{IP: netip.MustParseAddr("192.0.2.1"), Helo: "mx.example.org", MailFrom: "joe@example.org"})
	io.Copy(m, strings.NewReader(message))
	result := m.Finish(context.Background())
	fmt.Println(result.DMARC.Result, result.Weak)
	fmt.Print(strings.ReplaceAll(result.Field("mx.example.net").String(), "\r\n", "\n"))
	// Output:
	// pass only-spf
	// Authentication-Results: mx.example.net;
	// 	spf=pass smtp.mailfrom=example.org;
	// 	spf=none smtp.helo=mx.example.org;
	// 	iprev=permerror policy.iprev=192.0.2.1;
	// 	dkim=none;
	// 	dmarc=pass header.from=example.org policy.dmarc=none
}

// An Inspector stands in front of what takes responsibility for mail.
func ExampleInspector() {
	store := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		if _, err := io.Copy(io.Discard, b); err != nil {
			return nil, err
		}
		if reason, ok := auth.Quarantined(b.Trace()); ok {
			fmt.Println("into Junk:", reason)
		}
		return smtp.Accepted(len(env.Recipients)), nil
	})
	inspector := &auth.Inspector{Verifier: &auth.Verifier{Resolver: dns}, ID: "mx.example.net", Logger: slog.New(slog.DiscardHandler)}
	receiver := smtp.Chain(store, inspector.Middleware())

	ctx := context.Background()
	tx, _ := receiver.Begin(ctx, &smtp.Mail{ID: smtp.NewID(), Peer: &smtp.Peer{Addr: netip.MustParseAddrPort("198.51.100.9:4711")}})
	tx.Rcpt(ctx, []*smtp.Recipient{{}})
	_, err := tx.Data(ctx, smtp.NewBody(strings.NewReader(message), int64(len(message))))
	fmt.Println(err)
	// Output:
	// into Junk: DMARC policy of example.org
	// <nil>
}
