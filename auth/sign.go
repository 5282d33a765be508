package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/smtp"
)

// Signer puts DKIM signatures in front of messages on their way out, on the port
// where users submit them. A message is read once, as it streams by; what stands
// in front of it is known at its end, where smtp.Body keeps it. A Signer may be
// used from any number of goroutines.
type Signer struct {
	// Keys finds the keys that sign for an author's domain, which is in A-labels
	// and lower case; none = the message goes on unsigned. An error refuses the
	// message for now. KeysOf finds them in a list, and dkim.ActiveKeys in a
	// store. Required.
	Keys func(ctx context.Context, domain string) ([]dkim.Key, error)

	// DKIM is how messages are signed; its Keys are not used.
	DKIM dkim.Signer

	// Unsigned is told which messages go on without a signature though their
	// author has keys or cannot be known; err is why. It must not block. nil =
	// nobody is told.
	Unsigned func(ctx context.Context, m *smtp.Mail, err error)
}

// KeysOf finds keys of a list for Signer.Keys: those of the domain; else those of
// the nearest domain above it; else those of the first domain in the list that
// has the same Organizational Domain by the list of public suffixes. So what
// signs is aligned (RFC 9989 §4.10.2, relaxed).
func KeysOf(keys []dkim.Key) func(ctx context.Context, domain string) ([]dkim.Key, error) {
	of := func(domain string) (list []dkim.Key) {
		for _, k := range keys {
			if strings.EqualFold(k.Domain, domain) {
				list = append(list, k)
			}
		}
		return list
	}
	return func(_ context.Context, domain string) ([]dkim.Key, error) {
		for up := domain; up != ""; _, up, _ = strings.Cut(up, ".") {
			if list := of(up); list != nil {
				return list, nil
			}
		}
		org := dmarc.OrganizationalDomain(nil, domain)
		i := slices.IndexFunc(keys, func(k dkim.Key) bool { return org != "" && dmarc.OrganizationalDomain(nil, k.Domain) == org })
		if i < 0 {
			return nil, nil
		}
		return of(keys[i].Domain), nil
	}
}

// Middleware signs what the receiver behind it gets. Edits of the header stand
// in front of it.
func (s *Signer) Middleware() smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &signingReceiver{s, next} }
}

type signingReceiver struct {
	s    *Signer
	next smtp.Receiver
}

// Begin implements smtp.Receiver.
func (r *signingReceiver) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := r.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &signingTransaction{tx, r.s, m}, nil
}

type signingTransaction struct {
	smtp.Transaction
	s    *Signer
	mail *smtp.Mail
}

// Data implements smtp.Transaction.
func (t *signingTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	b.Wrap(func(r io.Reader) io.Reader {
		return &signingReader{ctx: ctx, s: t.s, mail: t.mail, body: b, src: r}
	})
	return t.Transaction.Data(ctx, b)
}

// signingReader passes a body on, and signs it.
type signingReader struct {
	ctx  context.Context
	s    *Signer
	mail *smtp.Mail
	body *smtp.Body
	src  io.Reader

	head   []byte // until it has ended
	inBody bool
	m      *dkim.Signing // nil = the message is not signed
	err    error         // sticky
}

// Read returns io.EOF when the signatures stand in front.
func (r *signingReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.src.Read(p)
	if n > 0 {
		r.err = r.feed(p[:n])
	}
	switch {
	case r.err != nil:
		return 0, r.err
	case err == io.EOF:
		r.err = r.finish()
	case err != nil:
		r.err = err
	}
	return n, r.err
}

// maxSignedHeader is the header that is kept until its author is known.
const maxSignedHeader = 4 << 20

// feed takes the next octets. The error refuses the message.
func (r *signingReader) feed(p []byte) error {
	if r.inBody {
		if r.m != nil {
			r.m.Write(p)
		}
		return nil
	}
	from := max(0, len(r.head)-2)
	r.head = append(r.head, p...)
	if !headerEnds(r.head, from) && len(r.head) <= maxSignedHeader {
		return nil
	}
	return r.begin()
}

// headerEnds reports whether there is an empty line, looked for from an octet
// on.
func headerEnds(b []byte, from int) bool {
	if bytes.HasPrefix(b, []byte("\n")) || bytes.HasPrefix(b, []byte("\r\n")) {
		return true
	}
	b = b[from:]
	return bytes.Contains(b, []byte("\n\n")) || bytes.Contains(b, []byte("\n\r\n"))
}

// begin finds the keys of the author, when the header is there.
func (r *signingReader) begin() error {
	head := r.head
	r.inBody, r.head = true, nil
	keys, err := r.keys(head)
	if err != nil || len(keys) == 0 {
		return err
	}
	signer := r.s.DKIM
	signer.Keys = keys
	m, err := signer.Start()
	if err != nil {
		return errCannotSign(err)
	}
	m.Write(head)
	r.m = m
	return nil
}

// keys are those of the first author that has any.
func (r *signingReader) keys(head []byte) ([]dkim.Key, error) {
	domains, err := dmarc.AuthorDomains(head)
	if _, one := dmarc.AuthorDomain(head); errors.Is(one, dmarc.ErrManyFrom) || errors.Is(one, dmarc.ErrNoAuthor) {
		err = one
	}
	if err != nil {
		r.unsigned(err)
		return nil, nil
	}
	for _, domain := range domains {
		keys, err := r.s.Keys(r.ctx, domain)
		if err != nil {
			return nil, errCannotSign(err)
		}
		if len(keys) > 0 {
			return keys, nil
		}
	}
	return nil, nil
}

func (r *signingReader) unsigned(err error) {
	if r.s.Unsigned != nil {
		r.s.Unsigned(r.ctx, r.mail, err)
	}
}

// finish puts the signatures in front, and returns io.EOF.
func (r *signingReader) finish() error {
	if !r.inBody {
		if err := r.begin(); err != nil {
			return err
		}
	}
	if r.m == nil {
		return io.EOF
	}
	fields, err := r.m.Finish()
	switch {
	case errors.Is(err, dkim.ErrFrom), errors.Is(err, dkim.ErrHeader):
		r.unsigned(err)
	case err != nil:
		return errCannotSign(err)
	default:
		r.body.Prepend(fields)
	}
	return io.EOF
}

// errCannotSign refuses a message for now: its receivers may take it for a
// forgery if it goes on.
func errCannotSign(err error) error {
	return &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 5}, "Message cannot be signed now"), Err: err}
}
