package submission

import (
	"context"
	"io"
	"strings"

	"golang.org/x/net/idna"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

// Fixes completes and corrects the header of submitted messages. Hostname is
// required; the zero values of the others are the rules named. The fields are
// set before the first use. Any number of goroutines may use it.
//
// The header block is buffered up to its limit, the body streams by.
type Fixes struct {
	// Hostname is the domain of a Message-ID that is added.
	Hostname string

	// Author is the address of an account, for a From or Sender field that is
	// added; ok false = it has none. nil = the name of the account, where that
	// is an address.
	Author func(ctx context.Context, account string) (address smtp.Path, ok bool, err error)

	// RequireFrom refuses a message without an address in From, with 554 5.6.0;
	// else From is added: the reverse-path, or the Author's address.
	RequireFrom bool

	// Owns says which addresses are an account's own, as deliver.MaySend does;
	// nil = From and Sender are not judged.
	Owns func(ctx context.Context, account string, address smtp.ReversePath) (bool, error)

	// Foreign is what is done where From is not the account's own.
	Foreign Foreign

	// KeepBcc leaves Bcc and Resent-Bcc in the message. Whom a client forgot to
	// hide is told to all recipients then.
	KeepBcc bool

	// Remove are further fields that leave with nobody, by name in any case:
	// "Received" and "X-Originating-IP" for what tells where a user is,
	// "User-Agent" for what with.
	Remove []string

	// Map rewrites the addresses in From, Sender and Reply-To, after they were
	// judged; nil = none. See Maps.
	Map Map

	// LongLines is what is done with header lines of more than 998 octets.
	LongLines LongLines

	// RefuseEightBit refuses 8-bit octets of a client that did not declare them
	// (BODY=8BITMIME, BODY=BINARYMIME, SMTPUTF8), with 554 5.6.1; else they pass,
	// see Declare.
	RefuseEightBit bool

	// Limits are those of the header block.
	Limits smtppolicy.Limits
}

// Foreign is what is done with a message whose From is not its submitter's own.
type Foreign uint8

// The rules for a foreign From. A Sender field that is not the account's own is
// replaced, or refused, likewise.
const (
	AddSender     Foreign = iota // say who submitted it (RFC 6409 §8.1)
	RefuseForeign                // refuse it with 550 5.7.1
)

// LongLines is what is done with header lines of more than 998 octets (RFC 5322
// §2.1.1).
type LongLines uint8

// The rules for long lines. A line without white space cannot be folded and is
// refused.
const (
	FoldLines   LongLines = iota // fold at white space
	RefuseLines                  // refuse the message with 554 5.6.0
)

// Middleware puts the fixes in front of a receiver.
func (f *Fixes) Middleware() smtp.Middleware {
	edit := smtppolicy.EditHeader(f.Limits, f.edit)
	return func(next smtp.Receiver) smtp.Receiver { return &recorder{f, edit(next)} }
}

// record is what the fixes know of a message that others need: Sent and Declare.
// It travels in the context of Data, and is complete when the body was read.
type record struct {
	bcc      []byte // whole fields, as the sender wrote them
	eightBit bool   // octets that were not declared
}

type recordKey struct{}

func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return new(record)
}

// recorder gives each message its record.
type recorder struct {
	f    *Fixes
	next smtp.Receiver
}

// Begin implements smtp.Receiver.
func (r *recorder) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := r.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &recorded{tx, r.f, m}, nil
}

type recorded struct {
	smtp.Transaction
	f    *Fixes
	mail *smtp.Mail
}

// Data implements smtp.Transaction.
func (t *recorded) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	rec := new(record)
	if p := &t.mail.Params; p.Body < smtp.Body8BitMIME && !p.UTF8 {
		b.Wrap(func(r io.Reader) io.Reader {
			return &eightBitReader{src: r, rec: rec, refuse: t.f.RefuseEightBit}
		})
	}
	return t.Transaction.Data(context.WithValue(ctx, recordKey{}, rec), b)
}

// edit is all that is done to a header.
func (f *Fixes) edit(ctx context.Context, m *smtp.Mail, h *smtppolicy.Header) error {
	f.remove(recordOf(ctx), h)
	missing := lacksOf(h)
	if err := f.sender(ctx, m, h); err != nil {
		return err
	}
	f.date(m, h, missing)
	if err := f.rewrite(ctx, h); err != nil {
		return err
	}
	return f.fold(h)
}

// remove takes out what does not leave: Return-Path (RFC 5321 §4.4), Bcc, and
// what the operator says.
func (f *Fixes) remove(rec *record, h *smtppolicy.Header) {
	h.Rewrite(func(name string, field []byte) []byte {
		switch {
		case name == "return-path":
			return nil
		case name == "bcc" || name == "resent-bcc":
			if f.KeepBcc {
				return field
			}
			rec.bcc = append(rec.bcc, field...)
			if field[len(field)-1] != '\n' {
				rec.bcc = append(rec.bcc, "\r\n"...)
			}
			return nil
		}
		for _, r := range f.Remove {
			if strings.EqualFold(r, name) {
				return nil
			}
		}
		return field
	})
}

// asciiPath is an address for a message without SMTPUTF8: its domain in
// A-labels. A local-part in UTF-8 has no such form.
func asciiPath(p smtp.Path, utf8 bool) (smtp.Path, bool) {
	if utf8 || !p.NeedsUTF8() {
		return p, true
	}
	domain, err := idna.Lookup.ToASCII(p.Domain)
	p.Domain = domain
	return p, err == nil && !p.NeedsUTF8()
}
