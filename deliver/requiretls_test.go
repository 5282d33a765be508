package deliver

import (
	"crypto/tls"
	"testing"

	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// TestRequireTLSVerifies is invariant D4: a rule that only looks on verifies
// nothing, whatever its config calls; one with an Identity does by itself.
func TestRequireTLSVerifies(t *testing.T) {
	looksOn := func(tls.ConnectionState) error { return nil }
	for _, c := range []struct {
		name string
		rule *TLSRule
		want bool // crypto/tls verifies
	}{
		{"looks on", &TLSRule{Config: &tls.Config{InsecureSkipVerify: true, VerifyConnection: looksOn}}, true},
		{"opportunistic", &TLSRule{Config: anyCertificate()}, true},
		{"no config", &TLSRule{}, true},
		{"dane", &TLSRule{Required: true, Identity: "dane:x", Config: &tls.Config{InsecureSkipVerify: true, VerifyConnection: looksOn}}, false},
	} {
		d, _ := demands{requireTLS: true}.dialer(smtpclient.Dialer{}, c.rule)
		if got := d.TLSConfig == nil || !d.TLSConfig.InsecureSkipVerify; got != c.want || d.TLS != smtpclient.TLSRequired {
			t.Errorf("%s: %v, %+v", c.name, d.TLS, d.TLSConfig)
		}
		if c.rule.Config != nil && !c.rule.Config.InsecureSkipVerify {
			t.Errorf("%s: the rule's own config was changed", c.name)
		}
	}
}
