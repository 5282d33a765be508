package auth

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// relisted is a message that a list has changed, with a seal of list.example.
func (w *world) relisted(t testing.TB, message string, s Session) string {
	t.Helper()
	key := dkim.Key{Domain: "list.example", Selector: "seal", Signer: w.keys[1].Signer}
	w.publish(t, key, "")
	r, err := (&Verifier{Resolver: w}).Verify(t.Context(), s, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(message, "Subject: ", "Subject: [list] ", 1) + "-- \r\nA footer.\r\n"
	sealer := &arc.Sealer{Key: key}
	fields, err := sealer.Seal(strings.NewReader(changed), r.ARC, *r.Field("mx.list.example"))
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + changed
}

var fromList = Session{IP: stranger, Helo: "mx.list.example", MailFrom: "bounces@list.example"}

// TestSealer: who is trusted outweighs a failure, nobody else does.
func TestSealer(t *testing.T) {
	w := newWorld(t)
	message := w.relisted(t, sign(t, plain, w.keys[0]), session)
	forged := w.relisted(t, plain, Session{IP: stranger, MailFrom: "x@other.example"})
	trust := Policy{Sealers: arc.TrustDomains("list.example")}
	lost := &zone{records: map[string][]string{}}
	for k, v := range w.records {
		lost.records[k] = v
	}
	silent := &faulty{zone: lost, change: func(_ int, name string, typ dnsx.Type, a *dnsx.Answer, err error) (*dnsx.Answer, error) {
		if name == "seal._domainkey.list.example" {
			return nil, &dnsx.Error{Name: name, Type: typ, Kind: dnsx.ErrServFail}
		}
		return a, err
	}}
	tests := []struct {
		name     string
		resolver dnsx.Resolver
		message  string
		policy   Policy
		want     string
		action   Action
	}{
		{"trusted", w, message, trust, "spf=none spf=none dkim=fail arc=pass dmarc=fail ", Accept},
		{"not trusted", w, message, Policy{}, "spf=none spf=none dkim=fail arc=pass dmarc=fail ", Reject},
		{"changed behind", w, strings.Replace(message, "footer", "virus", 1), trust, "spf=none spf=none dkim=fail arc=fail dmarc=fail ", Reject},
		{"did not pass there", w, forged, trust, "spf=none spf=none dkim=none arc=pass dmarc=fail ", Reject},
		{"no answer", silent, message, trust, "spf=none spf=none dkim=fail arc=fail dmarc=fail ", Defer},
		{"no answer, not trusted", silent, message, Policy{}, "spf=none spf=none dkim=fail arc=fail dmarc=fail ", Reject},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := judge(t, &Verifier{Resolver: test.resolver}, fromList, test.message)
			d := test.policy.Decide(r)
			if got := words(r); got != test.want || d.Action != test.action {
				t.Errorf("%s, %+v", got, d)
			}
		})
	}
	r := judge(t, &Verifier{Resolver: w}, fromList, message)
	if d := trust.Decide(r); d.Override != LocalPolicy || d.Comment != "arc=pass as[1].d=list.example as[1].s=seal" {
		t.Errorf("%+v", d)
	}
	if s := r.ARC.Statement(); s.Value("smtp", "remote-ip") != stranger.String() {
		t.Errorf("%+v", s)
	}
}

// TestMethod: a further method sees each octet, and has its word.
func TestMethod(t *testing.T) {
	w := newWorld(t)
	v := &Verifier{Resolver: w, Methods: []Method{fake{vouched: "friend\r\n.example"}, fake{}}}
	r := judge(t, v, fromList, plain)
	if r.Methods[0].Value != len(plain) || words(r) != "spf=none spf=none dkim=none arc=pass arc=pass dmarc=fail " {
		t.Errorf("%s %+v", words(r), r.Methods)
	}
	d := (&Policy{}).Decide(r)
	if d.Action != Accept || d.Reason != "trusted: friend??.example" || d.Override != LocalPolicy {
		t.Errorf("%+v", d)
	}
}

// broken is a Method that panics at its end.
type broken struct{ fakeRun }

func (b *broken) Start(Input) Evaluation { return b }

func (b *broken) Finish(context.Context) Finding { panic("broken method") }

// TestPanic: what panics beside a message ends that message, and no more.
func TestPanic(t *testing.T) {
	v := &Verifier{Resolver: newWorld(t), Methods: []Method{&broken{}}}
	defer func() {
		if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "broken method\n") {
			t.Errorf("recovered %v", text)
		}
		v.Wait()
	}()
	v.Verify(t.Context(), session, strings.NewReader(plain))
}

// TestQuarantined: only the fields in front count, and one line each.
func TestQuarantined(t *testing.T) {
	for prefix, want := range map[string]string{
		string(quarantineField("a\r\nB: c")):                      "a??B: c",
		"Received: x\r\n\tX-Quarantine: y\r\nx-quarantine: z\r\n": "z",
		"Return-Path: <>\r\nReceived: X-Quarantine: y\r\n":        "",
		"Received: x\r\n\r\nX-Quarantine: behind the end\r\n":     "",
		"X-Quarantine-Old: x\r\n":                                 "",
		"":                                                        "",
	} {
		if got, ok := Quarantined([]byte(prefix)); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", prefix, got, ok)
		}
	}
}

// TestInjection: nothing that a sender writes is a second result or a line of its
// own, in the fields and in the reply.
func TestInjection(t *testing.T) {
	w := newWorld(t)
	evil := "x\r\nAuthentication-Results: mx.example.net; dmarc=pass (\"; dkim=pass header.d=bank.example;"
	w.records["example.com TXT"] = []string{"v=spf1 -all exp=why.example.com"}
	w.records["why.example.com TXT"] = []string{"%{l} %{s}\r\n250 OK %{h}"}
	for _, s := range []Session{
		{IP: stranger, Helo: evil, MailFrom: evil + "@example.com"},
		{IP: stranger, Helo: evil, MailFrom: "\"" + evil + "\"@" + evil + ".example.com"},
		{IP: stranger, Helo: evil},
	} {
		r := judge(t, &Verifier{Resolver: w}, s, strings.Replace(plain, "joe@example.org", "\""+evil+"\"@example.com", 1))
		field := r.Field("mx.example.net").String()
		f, err := authres.Parse(strings.TrimPrefix(field, authres.Name+":"))
		if err != nil || len(f.Statements) != len(r.Statements()) {
			t.Errorf("%v\n%s", err, field)
		}
		d := (&Policy{OnSPFFail: Reject, OnMalformed: Accept}).Decide(r)
		reply := ""
		if err := d.Error(); err != nil {
			reply = smtp.ReplyOf(err).String()
		}
		for _, text := range []string{field, string(r.ReceivedSPF("mx.example.net")), reply, string(quarantineField(d.Reason))} {
			for i, line := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n") {
				if i > 0 && line[0] != '\t' && line[0] != ' ' || strings.ContainsAny(line, "\r\n\x00") {
					t.Errorf("line %q of\n%s", line, text)
				}
			}
		}
	}
}

// TestLongChain: what asks for more keys than a message may cost fails for good, as
// it does at each later attempt.
func TestLongChain(t *testing.T) {
	w := newWorld(t)
	message := plain
	for i := range 10 {
		key := dkim.Key{Domain: fmt.Sprintf("d%d.example", i), Selector: "seal", Signer: w.keys[1].Signer}
		w.publish(t, key, "")
		r, err := (&Verifier{Resolver: w}).Verify(t.Context(), fromList, strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		fields, err := (&arc.Sealer{Key: key}).Seal(strings.NewReader(message), r.ARC, *r.Field("mx.list.example"))
		if err != nil {
			t.Fatal(err)
		}
		message = string(fields) + message
	}
	trust := Policy{Sealers: arc.TrustDomains("d9.example")}
	for most, want := range map[int]authres.Result{0: authres.Pass, 64: authres.Fail} {
		r := judge(t, &Verifier{Resolver: w, MaxQuestions: most}, fromList, message)
		if d := trust.Decide(r); r.ARC.Result != want || r.ARC.Temporary || d.Action != Reject {
			t.Errorf("%d questions: %+v, %+v", most, r.ARC, d)
		}
	}
}
