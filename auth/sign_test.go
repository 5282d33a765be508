package auth_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// keyZone is a resolver over the keys of a test, by name.
type keyZone map[string]string

func (z keyZone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if text, ok := z[name]; ok && t == dnsx.TXT {
		return &dnsx.Answer{Texts: []string{text}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

// newKeys makes keys "selector@domain" and their zone.
func newKeys(t *testing.T, names ...string) (keys []dkim.Key, zone keyZone) {
	t.Helper()
	zone = keyZone{}
	for _, name := range names {
		selector, domain, _ := strings.Cut(name, "@")
		make := dkim.GenerateEd25519
		if selector == "rsa" {
			make = func() (crypto.Signer, error) { return dkim.GenerateRSA(1024) }
		}
		signer, err := make()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, dkim.Key{Domain: domain, Selector: selector, Signer: signer})
		if zone[selector+"._domainkey."+domain], err = dkim.Record(signer.Public()); err != nil {
			t.Fatal(err)
		}
	}
	return keys, zone
}

// submitTo sends a body through a Signer, and returns the message with what
// stands in front.
func submitTo(t *testing.T, s *auth.Signer, body io.Reader) (string, error) {
	t.Helper()
	var got string
	sink := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		rest, err := io.ReadAll(b)
		got = string(b.Trace()) + string(rest)
		return smtp.Accepted(len(env.Recipients)), err
	})
	tx, err := smtp.Chain(sink, s.Middleware()).Begin(t.Context(), &smtp.Mail{ID: "id1"})
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
	_, err = tx.Data(t.Context(), smtp.NewBody(body, -1))
	return got, err
}

func TestSigner(t *testing.T) {
	keys, zone := newKeys(t, "rsa@example.org", "ed@example.org", "s@sub.example.org", "s@mail.other.example")
	const rest = "Subject: x\r\nTo: b@example.net\r\n\r\n.text\r\n"
	tests := []struct {
		name, in string
		want     string // who signs: "domain/selector ..."
		unsigned error
	}{
		{"two keys", "From: a@example.org\r\n" + rest, "example.org/rsa example.org/ed", nil},
		{"in another case", "FROM: a@EXAMPLE.org\r\n" + rest, "example.org/rsa example.org/ed", nil},
		{"below", "From: a@x.y.example.org\r\n" + rest, "example.org/rsa example.org/ed", nil},
		{"nearest", "From: a@x.sub.example.org\r\n" + rest, "sub.example.org/s", nil},
		{"beside", "From: a@other.example\r\n" + rest, "mail.other.example/s", nil},
		{"foreign", "From: a@example.com\r\n" + rest, "", nil},
		{"no similar name", "From: a@notexample.org\r\n" + rest, "", nil},
		{"the second author", "From: a@example.com, b@example.org\r\n" + rest, "example.org/rsa example.org/ed", nil},
		{"two From", "From: a@example.org\r\nFrom: b@example.org\r\n" + rest, "", dmarc.ErrManyFrom},
		{"no From", rest, "", dmarc.ErrNoAuthor},
		{"no body", "From: a@example.org\r\n\r\n", "example.org/rsa example.org/ed", nil},
		{"no end of header", "From: a@example.org", "example.org/rsa example.org/ed", nil},
		{"bare LF", "From: a@example.org\n\ntext\n", "example.org/rsa example.org/ed", nil},
		{"nothing", "", "", dmarc.ErrNoAuthor},
		{"empty header", "\r\nFrom: a@example.org\r\n", "", dmarc.ErrNoAuthor},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in)), iotest.DataErrReader(strings.NewReader(test.in))} {
				var told error
				s := &auth.Signer{Keys: auth.KeysOf(keys), Unsigned: func(_ context.Context, _ *smtp.Mail, err error) { told = err }}
				got, err := submitTo(t, s, src)
				if err != nil || !strings.HasSuffix(got, test.in) || !errors.Is(told, test.unsigned) {
					t.Fatalf("%q, %v, unsigned %v", got, err, told)
				}
				report, err := (&dkim.Verifier{Resolver: zone}).Verify(t.Context(), strings.NewReader(got))
				var by []string
				for _, r := range report.Results {
					by = append(by, r.Domain+"/"+r.Selector)
					if r.Result != authres.Pass {
						t.Errorf("%s %s: %s", r.Domain, r.Result, r.Reason)
					}
				}
				if strings.Join(by, " ") != test.want || err != nil {
					t.Errorf("signed by %q, %v; want %q", by, err, test.want)
				}
			}
		})
	}
}

var errBroken = errors.New("broken")

// brokenKey is a key whose hardware fails.
type brokenKey struct{ crypto.Signer }

func (brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errBroken }

// What cannot be signed now is refused for now, and nobody has it.
func TestSignerFails(t *testing.T) {
	keys, _ := newKeys(t, "s@example.org")
	const in = "From: a@example.org\r\n\r\ntext\r\n"
	keys[0].Signer = brokenKey{keys[0].Signer}
	for name, s := range map[string]*auth.Signer{
		"key":   {Keys: auth.KeysOf(keys)},
		"store": {Keys: func(context.Context, string) ([]dkim.Key, error) { return nil, errBroken }},
		"no key": {Keys: func(context.Context, string) ([]dkim.Key, error) {
			return []dkim.Key{{Domain: "example.org", Selector: "s"}}, nil
		}},
	} {
		_, err := submitTo(t, s, strings.NewReader(in))
		if reply := smtp.ReplyOf(err); reply.Code != 451 || strings.Contains(reply.String(), "broken") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A body that does not end cleanly does not look as if it did.
	s := &auth.Signer{Keys: auth.KeysOf(nil)}
	if _, err := submitTo(t, s, io.MultiReader(strings.NewReader(in), iotest.ErrReader(smtp.ErrTruncated))); !errors.Is(err, smtp.ErrTruncated) {
		t.Errorf("truncated: %v", err)
	}
}
