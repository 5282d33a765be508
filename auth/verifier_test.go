package auth

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dmarc"
)

func TestVerifier(t *testing.T) {
	w := newWorld(t)
	rsa := w.keys[0]
	testing1 := rsa
	testing1.Selector = "try"
	w.publish(t, testing1, " t=y;")
	foreign := rsa
	foreign.Domain = "list.example"
	w.publish(t, foreign, "")
	from := session
	away := Session{IP: stranger, Helo: "mx.list.example", MailFrom: "bounces@list.example"}
	null := Session{IP: client, Helo: "mx.example.org"}
	signed := sign(t, plain, w.keys...)
	tests := []struct {
		name, message string
		session       Session
		want          string
		action        Action
	}{
		{"all passes", signed, from, "spf=pass spf=pass dkim=pass dkim=pass dmarc=pass ", Accept},
		{"null sender", signed, null, "spf=pass dkim=pass dkim=pass dmarc=pass ", Accept},
		{"no address of the client", signed, Session{MailFrom: "joe@example.org"}, "dkim=pass dkim=pass dmarc=pass ", Accept},
		{"SPF alone", plain, from, "spf=pass spf=pass dkim=none dmarc=pass only-spf", Accept},
		{"forwarded", signed, away, "spf=none spf=none dkim=pass dkim=pass dmarc=pass ", Accept},
		{"changed on the way", strings.Replace(signed, "Hello", "Hallo", 1), away, "spf=none spf=none dkim=fail dkim=fail dmarc=fail ", Reject},
		{"neither", plain, away, "spf=none spf=none dkim=none dmarc=fail ", Reject},
		{"another's signature", sign(t, plain, foreign), away, "spf=none spf=none dkim=pass dmarc=fail unaligned", Reject},
		{"testing key", sign(t, plain, testing1), away, "spf=none spf=none dkim=pass dmarc=fail unaligned,testing", Reject},
		{"two authors", strings.Replace(plain, "\r\nTo", ", ann@example.com\r\nTo", 1), from, "spf=pass spf=pass dkim=none dmarc=permerror ", Reject},
		{"two From fields", "From: a@example.com\r\n" + signed, from, "spf=pass spf=pass dkim=fail dkim=fail dmarc=permerror ", Reject},
		{"no From", "Subject: x\r\n\r\n", from, "spf=pass spf=pass dkim=none dmarc=permerror ", Accept},
		{"no header", "", from, "spf=pass spf=pass dkim=none dmarc=permerror ", Accept},
		{"From is no address", "From: MAILER-DAEMON\r\n\r\n", from, "spf=pass spf=pass dkim=none dmarc=permerror ", Quarantine},
		{"header without end", strings.TrimSuffix(plain, "\r\n\r\nHello.\r\n"), from, "spf=pass spf=pass dkim=none dmarc=pass only-spf", Accept},
		{"no policy", strings.Replace(plain, "example.org", "example.com", 1), from, "spf=pass spf=pass dkim=none dmarc=none ", Accept},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := judge(t, &Verifier{Resolver: w}, test.session, test.message)
			if got := words(r); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if d := (&Policy{}).Decide(r); d.Action != test.action {
				t.Errorf("%v: %+v", d.Action, d)
			}
		})
	}
}

func TestSeveralAuthors(t *testing.T) {
	w := newWorld(t)
	message := strings.Replace(plain, "\r\nTo", ", ann@example.com\r\nTo", 1)
	v := &Verifier{Resolver: w, SeveralAuthors: true}
	p := &Policy{OnSeveral: Accept}
	if r := judge(t, v, session, message); r.DMARC.Result != dmarc.None || len(r.Authors) != 2 || p.Decide(r).Action != Accept {
		t.Errorf("%+v", r.DMARC)
	}
	w.records["_dmarc.example.com TXT"] = []string{"v=DMARC1; p=reject"}
	if r := judge(t, v, session, message); r.DMARC.Result != dmarc.Fail || p.Decide(r).Action != Reject {
		t.Errorf("%+v", r.DMARC)
	}
	many := strings.Replace(plain, "\r\nTo", ", a@b.example, a@c.example, a@d.example, a@e.example\r\nTo", 1)
	if r := judge(t, v, session, many); r.DMARC.Result != dmarc.PermError {
		t.Errorf("%+v", r.DMARC)
	}
}

// TestClientName: the name of the client is asked for, unless it is known.
func TestClientName(t *testing.T) {
	w := newWorld(t)
	named := session
	named.IP, named.Name = stranger, "relay.example.com"
	for _, test := range []struct {
		session Session
		want    authres.Result
		action  Action
	}{
		{session, authres.Pass, Accept},
		{fromList, authres.PermError, Reject},
		{named, authres.Pass, Accept},
		{Session{}, "", Accept},
	} {
		r := judge(t, &Verifier{Resolver: w}, test.session, sign(t, plain, w.keys[0]))
		if d := (&Policy{OnNoName: Reject}).Decide(r); r.IPRev.Result != test.want || d.Action != test.action {
			t.Errorf("%+v: %+v, %+v", test.session, r.IPRev, d)
		}
		if d := (&Policy{}).Decide(r); d.Action != Accept {
			t.Errorf("%+v", d)
		}
	}
}
