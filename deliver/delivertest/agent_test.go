package delivertest_test

import (
	"crypto/tls"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// agent is delivery by MX into the internet of w.
func (w *world) agent() *deliver.MX {
	d := &smtpclient.Dialer{
		Net: w.net, Hello: hostname,
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, // opportunistic: any certificate is better than none
	}
	if w.verify {
		d.TLS, d.TLSConfig = smtpclient.TLSRequired, &tls.Config{RootCAs: w.net.Roots()}
	}
	return &deliver.MX{
		Resolver: w.net.DNS,
		Self:     []string{hostname},
		Relay:    deliver.Relay{Dialer: d, PlaintextRetry: true, Pool: &w.pool},
	}
}
