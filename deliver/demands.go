package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// demands are what a message asks of the host that it goes to.
type demands struct {
	requireTLS bool // REQUIRETLS (RFC 8689 §4.2.1)
	deliverBy  bool // BY= with "return", which only a host with DELIVERBY keeps (RFC 2852)
	tlsNotMust bool // "TLS-Required: No" (RFC 8689 §4.2.2)
}

// demandsOf are the demands of the envelope.
func demandsOf(m *smtp.Mail) demands {
	return demands{requireTLS: m.Params.RequireTLS, deliverBy: m.Params.DeliverBy.Mode == smtp.ByReturn}
}

// dialer is d as a rule and the demands want it, and the name of that for the
// Pool.
func (w demands) dialer(d smtpclient.Dialer, rule *TLSRule) (smtpclient.Dialer, string) {
	d = ruled(d, rule)
	switch {
	case w.requireTLS:
		if d.TLS != smtpclient.TLSImplicit {
			d.TLS = smtpclient.TLSRequired
		}
		d.TLSConfig = judging(d.TLSConfig, rule)
		return d, "REQUIRETLS"
	case w.tlsNotMust && d.TLS == smtpclient.TLSRequired:
		d.TLS = smtpclient.TLSIfOffered
		d.TLSConfig = unverified(d.TLSConfig)
		return d, "TLS-Required: No"
	}
	return d, ""
}

// judging is a config that verifies, also where the rule demands nothing.
func judging(c *tls.Config, rule *TLSRule) *tls.Config {
	if c = verifying(c); rule != nil && rule.Identity == "" && c != nil {
		c = c.Clone() // its VerifyConnection looks on, and verifies nothing
		c.InsecureSkipVerify = false
	}
	return c
}

// verifying is a config that takes no certificate unseen. Who verifies by a
// function of its own, as for DANE, goes on doing so.
func verifying(c *tls.Config) *tls.Config {
	if c == nil || !c.InsecureSkipVerify || c.VerifyConnection != nil || c.VerifyPeerCertificate != nil {
		return c
	}
	c = c.Clone()
	c.InsecureSkipVerify = false
	return c
}

// unverified is a config that takes any certificate.
func unverified(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.InsecureSkipVerify, c.VerifyConnection, c.VerifyPeerCertificate = true, nil, nil
	return c
}

// met says what a host lacks; nil = nothing.
func (w demands) met(c smtpclient.Capabilities) error {
	switch {
	case w.requireTLS && !c.RequireTLS:
		return lack{smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 30}, "REQUIRETLS support required")}
	case w.deliverBy && !c.DeliverBy:
		return lack{smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 3}, "DELIVERBY support required")}
	}
	return nil
}

// refusal is the error of a host that cannot be used for a message that
// requires TLS; another error, as of a host that is down, stays.
func (w demands) refusal(err error) error {
	if !w.requireTLS || !errors.Is(err, smtpclient.ErrTLSRequired) && !handshakeFailed(err) {
		return err
	}
	return encryptionNeeded(err)
}

// handshakeFailed tells a host that cannot do TLS right from one that is lost.
func handshakeFailed(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	return record || alert || cert
}

func encryptionNeeded(cause error) error {
	return lack{&smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 10}, "Encryption needed"), Err: cause}}
}

// lack is the error of a host that does not meet the demands, and will not
// meet them if asked again.
type lack struct{ refusal *smtp.Error }

func (l lack) Error() string { return l.refusal.Error() }
func (l lack) Unwrap() error { return l.refusal }

var errNotVouched = errors.New("deliver: nobody vouches for the name of this mail host")

// vouched asks whether the name of a host may be believed. One with the name of
// the domain itself cannot be the wrong one, for its certificate is for that name.
func (r *Relay) vouched(ctx context.Context, to target) error {
	ok, err := to.vouched, error(nil)
	switch {
	case r.route != nil:
	case r.Vouch == nil:
		ok = true
	default:
		ok, err = r.Vouch(ctx, to.addr)
	}
	if err == nil && !ok {
		err = encryptionNeeded(errNotVouched)
	}
	return err
}

// logsIn reports that credentials are sent to each host.
func (r *Relay) logsIn() bool {
	return r.Auth != nil || r.Login != nil || r.Dialer != nil && r.Dialer.Auth != nil
}

var errLoginUnverified = errors.New("deliver: nobody vouches for the name of this mail host: it gets no credentials")

// forLogin is d for a host that the DNS names and that is to get credentials. Who
// answers there may be anybody, unless its name is beyond doubt and the
// certificate is for it (RFC 4954 §14). Nobody says a password to it in clear,
// either: where the DNS leads is not what the operator has looked at.
func forLogin(d smtpclient.Dialer, to target) (smtpclient.Dialer, error) {
	if !to.vouched {
		return d, passedOver{errPolicy(errLoginUnverified)}
	}
	if d.TLS != smtpclient.TLSImplicit {
		d.TLS = smtpclient.TLSRequired
	}
	d.TLSConfig = judging(d.TLSConfig, to.rule)
	return d, nil
}

// waives reports whether a message with "TLS-Required: No" gets around the
// policy for a target: where it is the recipient's, and no password is at stake.
func (r *Relay) waives(to target) bool {
	switch {
	case r.logsIn():
		return false
	case to.rule != nil:
		return to.rule.Waivable && to.rule.Required
	}
	return r.RecipientTLS && r.Dialer != nil && r.Dialer.TLS == smtpclient.TLSRequired
}

var errPeek = errors.New("deliver: a stored body cannot be read again")

// peekHeader is how many octets of a message are searched for TLS-Required.
const peekHeader = 256 << 10

// saysNoTLS reads the beginning of the message for "TLS-Required: No"
// (RFC 8689 §3), and puts it back.
func saysNoTLS(b *smtp.Body) (bool, error) {
	if b.Stored() != nil { // its size and place stay known
		head, err := io.ReadAll(io.LimitReader(b, peekHeader))
		if err != nil || b.Rewind() {
			return tlsRequiredNo(head), err
		}
		return false, errPeek
	}
	var head []byte
	var err error
	b.Wrap(func(r io.Reader) io.Reader {
		head, err = io.ReadAll(io.LimitReader(r, peekHeader))
		return io.MultiReader(bytes.NewReader(head), r)
	})
	return tlsRequiredNo(head), err
}

// tlsRequiredNo: requiretls-field = "TLS-Required:" [FWS] "No" CRLF, once.
func tlsRequiredNo(head []byte) bool {
	found, said := 0, false
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(head))
	for line := range strings.Lines(unfolded) {
		text := strings.TrimRight(line, "\r\n")
		if text == "" {
			break
		}
		name, value, ok := strings.Cut(text, ":")
		if ok && strings.EqualFold(strings.TrimRight(name, " \t"), "TLS-Required") {
			found++
			said = strings.EqualFold(strings.TrimSpace(value), "No")
		}
	}
	return found == 1 && said
}
