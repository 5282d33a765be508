package login_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

var (
	log       = slog.New(slog.DiscardHandler)
	tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	pool      *x509.CertPool
	serials   map[string]string
	text      string
)

// mailboxes says who may use which mailbox of several people.
type mailboxes map[string][]string

// Has reports whether a member may use a mailbox.
func (m mailboxes) Has(mailbox, member string) bool {
	for _, name := range m[mailbox] {
		if name == member {
			return true
		}
	}
	return false
}

var shared mailboxes

// A service over a file of users.
func ExampleService() {
	svc := &login.Service{Backend: &filelogin.File{Path: "passwd"}, Logger: log}
	svc.Enable = []string{"LOGIN"}
	svc.Authorize = func(ctx context.Context, id login.Identity, account string) error {
		if shared.Has(account, id.Account) {
			return nil
		}
		return login.ErrRejected // any other error is a temporary failure
	}
	// Output:
}

// A user who can log in by SCRAM and by PLAIN.
func ExampleHashSCRAM() {
	ctx := context.Background()
	users := &filelogin.File{Path: "passwd"}
	hash, err := login.HashSCRAM("SCRAM-SHA-256", login.NewPassword(text), 0)
	if err != nil {
		return
	}
	err = users.Set(ctx, "alice@example.org", hash)
	_ = err
}

// Certificates that were issued to users.
func ExampleCertificateEmail() {
	tlsConfig.ClientAuth = tls.VerifyClientCertIfGiven
	tlsConfig.ClientCAs = pool // the authority that issues your users' certificates

	svc := &login.Service{}
	svc.Certificate = login.CertificateEmail // the one e-mail address in it

	svc.Certificate = func(ctx context.Context, c *x509.Certificate) (string, error) {
		name, ok := serials[c.SerialNumber.String()]
		if !ok {
			return "", login.ErrNoUser
		}
		return name, nil
	}
}

// Logging in to another server with the best mechanism that it offers.
func ExampleService_client() {
	ctx := context.Background()
	c, err := (&smtpclient.Dialer{}).Dial(ctx, "tcp", "mail.example.org:587")
	if err != nil {
		return
	}
	defer c.Close()
	client, err := saslmech.Choose(c.Capabilities().Mechanisms, saslmech.Credentials{
		Username: "alice@example.org", Password: text,
	}, saslmech.Policy{TLS: c.TLS()})
	if err != nil {
		return
	}
	err = c.Auth(ctx, client)
	_ = err
}
