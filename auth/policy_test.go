package auth

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/iprev"
	"github.com/mailstead/mailstead/auth/spf"
	"github.com/mailstead/mailstead/smtp"
)

// fails is a message that fails DMARC with a disposition.
func fails(p dmarc.Policy) Result {
	return Result{
		Session: Session{IP: stranger},
		SPF:     spf.Verdict{Result: authres.Fail, Domain: "example.org"},
		DMARC:   dmarc.Verdict{Result: dmarc.Fail, Policy: p, Disposition: p, Domain: "example.org"},
	}
}

func TestPolicy(t *testing.T) {
	author := func(err error) Result {
		return Result{AuthorErr: err, DMARC: dmarc.Verdict{Result: dmarc.PermError}}
	}
	doubt := func(p dmarc.Policy, spfResult authres.Result) Result {
		return Result{SPF: spf.Verdict{Result: spfResult}, DMARC: dmarc.Verdict{Result: dmarc.TempError, Policy: p, Domain: "example.org"}}
	}
	sampled := fails(dmarc.Quarantine)
	sampled.DMARC.Policy, sampled.DMARC.Override = dmarc.Reject, dmarc.SampledOut
	vouched := fails(dmarc.Reject)
	vouched.Methods = []Finding{{}, {Vouched: "list.example"}}
	explained := fails(dmarc.PolicyNone)
	explained.SPF.Explanation = "go away\r\n250 OK"
	passes := fails(dmarc.PolicyNone)
	passes.DMARC.Result = dmarc.Pass
	nameless := Result{IPRev: iprev.Verdict{Result: authres.PermError}}
	unknown := Result{IPRev: iprev.Verdict{Result: authres.TempError}}
	local := func(r *Result, d Decision) Decision {
		if r.SPF.Result == authres.Fail {
			return Decision{Action: Reject, Reason: "not\r\nhere"}
		}
		return Decision{}
	}
	strangers := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	tests := []struct {
		name     string
		policy   Policy
		result   Result
		action   Action
		reply    string
		reason   string
		override dmarc.Override
	}{
		{"nothing", Policy{}, Result{}, Accept, "", "", ""},
		{"p=none", Policy{}, fails(dmarc.PolicyNone), Accept, "", "DMARC policy of example.org", ""},
		{"p=quarantine", Policy{}, fails(dmarc.Quarantine), Quarantine, "", "DMARC policy of example.org", ""},
		{"p=reject", Policy{}, fails(dmarc.Reject), Reject, "550 5.7.26 Message refused by the DMARC policy of example.org", "DMARC policy of example.org", ""},
		{"p=reject, pct", Policy{}, sampled, Quarantine, "", "DMARC policy of example.org", dmarc.SampledOut},
		{"reject softened", Policy{OnReject: Quarantine}, fails(dmarc.Reject), Quarantine, "", "DMARC policy of example.org", LocalPolicy},
		{"only written down", Policy{OnReject: Accept, OnQuarantine: Accept}, fails(dmarc.Reject), Accept, "", "DMARC policy of example.org", LocalPolicy},
		{"quarantine hardened", Policy{OnQuarantine: Reject}, fails(dmarc.Quarantine), Reject, "550 5.7.26 Message refused by the DMARC policy of example.org", "DMARC policy of example.org", LocalPolicy},
		{"vouched for", Policy{}, vouched, Accept, "", "trusted: list.example", TrustedForwarder},
		{"forwarder", Policy{Forwarders: strangers, OnSPFFail: Reject}, fails(dmarc.Reject), Accept, "", "DMARC policy of example.org", TrustedForwarder},
		{"no answer, no policy", Policy{}, doubt(dmarc.PolicyNone, "none"), Accept, "", "no answer about the author", ""},
		{"no answer, p=reject", Policy{}, doubt(dmarc.Reject, "none"), Defer, "451 4.7.0 Cannot find out who this message is from, try again later", "no answer about the author", ""},
		{"no answer of SPF", Policy{}, doubt(dmarc.Quarantine, "temperror"), Defer, "451 4.7.24 Cannot find out who this message is from, try again later", "no answer about the author", ""},
		{"no answer, accepted", Policy{OnTempError: Accept}, doubt(dmarc.Reject, "none"), Accept, "", "no answer about the author", ""},
		{"no answer never rejects", Policy{OnTempError: Reject, OnSPFFail: Reject}, doubt(dmarc.Reject, "fail"), Defer, "451 4.7.0 Cannot find out who this message is from, try again later", "no answer about the author", ""},
		{"two From fields", Policy{}, author(dmarc.ErrManyFrom), Reject, "550 5.7.1 Message refused: its From field does not name one author", "several From fields", ""},
		{"two authors", Policy{}, author(dmarc.ErrManyAuthors), Reject, "550 5.7.1 Message refused: its From field does not name one author", "several authors", ""},
		{"two authors, accepted", Policy{OnSeveral: Accept}, author(dmarc.ErrManyAuthors), Accept, "", "several authors", ""},
		{"malformed", Policy{}, author(dmarc.ErrAuthor), Quarantine, "", "malformed From field", ""},
		{"no author", Policy{}, author(dmarc.ErrNoAuthor), Accept, "", "no author", ""},
		{"no author, refused", Policy{OnMissing: Reject}, author(dmarc.ErrNoAuthor), Reject, "550 5.7.1 Message refused: its From field does not name one author", "no author", ""},
		{"header too large", Policy{OnMalformed: Defer}, author(ErrHeaderTooLarge), Defer, "451 4.7.1 Message refused: its header is too large", "header too large", ""},
		{"SPF refuses", Policy{OnSPFFail: Reject}, fails(dmarc.PolicyNone), Reject, "550 5.7.23 Client not allowed to send for example.org", "SPF policy of example.org", LocalPolicy},
		{"SPF refuses with a text", Policy{OnSPFFail: Reject}, explained, Reject, "550 5.7.23 example.org explains: go away??250 OK", "SPF policy of example.org", LocalPolicy},
		{"SPF where DMARC passes", Policy{OnSPFFail: Reject}, passes, Accept, "", "", ""},
		{"no name", Policy{}, nameless, Accept, "", "", ""},
		{"no name, refused", Policy{OnNoName: Reject}, nameless, Reject, "550 5.7.25 Your address has no name that leads back to it", "client without a name", LocalPolicy},
		{"no answer for the name", Policy{OnNoName: Reject}, unknown, Accept, "", "", ""},
		{"local: more", Policy{Local: local}, fails(dmarc.PolicyNone), Reject, "550 5.7.1 Message refused by local policy", "not??here", ""},
		{"local: nothing said", Policy{Local: local}, Result{}, Accept, "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := test.policy.Decide(&test.result)
			reply := ""
			if err := d.Error(); err != nil {
				reply = smtp.ReplyOf(err).String()
			}
			if d.Action != test.action || reply != test.reply || d.Reason != test.reason || d.Override != test.override {
				t.Errorf("%v %q %q %q", d.Action, reply, d.Reason, d.Override)
			}
		})
	}
}

// TestRefusalKeepsItsCause: what is for the log is not for the peer.
func TestRefusalKeepsItsCause(t *testing.T) {
	r := fails(dmarc.Reject)
	r.DMARC.Err = errors.New("secret")
	d := (&Policy{}).Decide(&r)
	if reply := smtp.ReplyOf(d.Error()).String(); reply != "550 5.7.26 Message refused by the DMARC policy of example.org" {
		t.Error(reply)
	}
}
