package deliver_test

import (
	"context"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// Credentials go to a host of the DNS only where its name is beyond doubt and its
// certificate is for it, also where TLS is opportunistic.
func TestMXLogin(t *testing.T) {
	opportunistic := func(vouched bool) func(*delivertest.Internet) *rules {
		return func(inet *delivertest.Internet) *rules {
			c := trusting(inet)
			c.InsecureSkipVerify = true
			return &rules{rule: deliver.TLSRule{Config: c, PlaintextRetry: true, Vouched: vouched, Source: "opportunistic"}}
		}
	}
	for _, test := range []struct {
		name        string
		rules       func(*delivertest.Internet) *rules // nil = no TLSPolicies
		certificate string                             // of mx1; "" = no STARTTLS
		want        string
		logins      int
	}{
		{"verified and vouched for", opportunistic(true), "mx1.dest.test", "ok", 1},
		{"the DNS alone names the host", opportunistic(false), "mx1.dest.test", "451 4.7.5", 0},
		{"a certificate of somebody else", opportunistic(true), "other.test", "450 4.4.1", 0},
		{"no TLS", opportunistic(true), "", "450 4.4.1", 0},
		{"without policies", nil, "mx1.dest.test", "451 4.7.5", 0},
		{"the operator says none", func(*delivertest.Internet) *rules {
			return &rules{rule: deliver.TLSRule{Source: "none", Vouched: true}}
		}, "", "450 4.4.1", 0},
	} {
		inInternet(t, func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, mx1, _ *delivertest.Host) {
			if test.certificate != "" {
				mx1.SetTLS(inet.Certificate(time.Time{}, test.certificate))
			}
			if test.rules != nil {
				m.TLS = test.rules(inet)
			}
			logins := 0
			m.Relay.PlaintextAuth = true
			m.Relay.Login = func(context.Context, *smtpclient.Client) error {
				logins++
				return nil
			}
			if got := sendOne(t.Context(), m, "a@sister.test"); got != test.want || logins != test.logins {
				t.Errorf("%s: %s and %d logins, want %s and %d", test.name, got, logins, test.want, test.logins)
			}
		})
	}
}

// A host with the name of the domain itself is the right one, if its certificate
// says so.
func TestMXLoginOwnName(t *testing.T) {
	inInternet(t, func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, _, _ *delivertest.Host) {
		own := inet.Host("own.test", "192.0.2.9")
		own.SetTLS(inet.Certificate(time.Time{}, "own.test"))
		logins := 0
		m.Relay.Login = func(context.Context, *smtpclient.Client) error { logins++; return nil }
		if got := sendOne(t.Context(), m, "a@own.test"); got != "450 4.4.1" || logins != 0 {
			t.Errorf("nobody knows who signed it: %s, %d logins", got, logins)
		}
		m.Relay.Dialer.TLSConfig = trusting(inet)
		m.Limits = deliver.HostLimits{}
		if got := sendOne(t.Context(), m, "a@own.test"); got != "ok" || logins != 1 {
			t.Errorf("%s, %d logins", got, logins)
		}
	})
}
