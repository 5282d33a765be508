package deliver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// dials records what is dialed, and reaches nobody.
type dials struct {
	mu   sync.Mutex
	list []string
}

func (d *dials) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, address)
	return nil, errors.New("no route")
}

// refusal is the code and enhanced code of an error; "ok" of none.
func refusal(err error) string {
	if err == nil {
		return "ok"
	}
	reply := smtp.ReplyOf(err)
	return fmt.Sprint(reply.Code, " ", reply.Enhanced)
}

// sendBy sends content by m to the domain, and returns the statuses.
func sendBy(ctx context.Context, m *deliver.MX, mail smtp.Mail, to ...string) ([]smtp.RcptStatus, error) {
	mail.ID, mail.PerRecipient = "i", true
	r, _ := m.Receiver(m.Key(address(to[0])))
	tx, err := r.Begin(ctx, &mail)
	if err != nil {
		return nil, err
	}
	var rcpts []*smtp.Recipient
	for _, path := range to {
		rcpts = append(rcpts, &smtp.Recipient{ForwardPath: address(path)})
	}
	tx.Rcpt(ctx, rcpts)
	return tx.Data(ctx, smtp.NewStoredBody(strings.NewReader(content), int64(len(content)), "stored", nil))
}

// sendOne is the one refusal, or "ok".
func sendOne(ctx context.Context, m *deliver.MX, to string) string {
	statuses, err := sendBy(ctx, m, smtp.Mail{}, to)
	if err == nil {
		err = statuses[0].Err
	}
	return refusal(err)
}

// Which addresses a domain has, in which order, and what is said where it has
// none.
func TestMXAddresses(t *testing.T) {
	inet := delivertest.New(t)
	dns := inet.DNS
	for i, name := range []string{"a", "b", "c", "d", "e", "f", "g", "us"} {
		dns.Addrs(name+".mx.test", fmt.Sprintf("192.0.2.%d", i+1))
	}
	dns.Addrs("plain.test", "192.0.2.50")
	dns.Addrs("dual.mx.test", "192.0.2.61", "192.0.2.62", "192.0.2.63", "2001:db8::1", "2001:db8::2")
	dns.Addrs("ourip.mx.test", "198.51.100.9")
	dns.Addrs("loop.mx.test", "127.0.0.1")
	dns.Addrs("half.mx.test", "127.0.0.1", "192.0.2.70")
	dns.Addrs("6.mx.test", "::ffff:127.0.0.1", "2001:db8::6")
	dns.MX("two.test", "20 b.mx.test", "10 A.mx.test", "30 a.mx.test")
	dns.MX("null.test", "0 .")
	dns.MX("half-null.test", "0 .", "10 a.mx.test")
	dns.MX("backup.test", "10 a.mx.test", "20 us.mx.test", "20 b.mx.test", "30 c.mx.test")
	dns.MX("ours.test", "5 us.mx.test", "10 a.mx.test")
	dns.MX("byaddress.test", "5 a.mx.test", "10 ourip.mx.test", "20 b.mx.test")
	dns.MX("onlybyaddress.test", "10 ourip.mx.test", "20 b.mx.test")
	dns.MX("many.test", "1 a.mx.test", "2 b.mx.test", "3 c.mx.test", "4 d.mx.test", "5 e.mx.test", "6 f.mx.test", "7 g.mx.test")
	dns.MX("dual.test", "1 dual.mx.test")
	dns.MX("dualfirst.test", "1 dual.mx.test", "2 a.mx.test")
	dns.MX("loop.test", "1 loop.mx.test")
	dns.MX("half.test", "1 half.mx.test")
	dns.MX("mapped.test", "1 6.mx.test")
	dns.MX("gone.test", "1 gone.mx.test")
	dns.MX("xn--bcher-kva.test", "1 a.mx.test")
	dns.MX("under_score.test", "1 a.mx.test")
	dns.CNAME("alias.test", "two.test")
	dns.Lie("broken.test", delivertest.Fails(dnsx.ErrServFail))
	dns.Lie("bogus.test", delivertest.Fails(dnsx.ErrBogus))
	dns.MX("unsure.test", "1 gone.mx.test", "2 broken.test")
	dns.Addrs("half-known.mx.test", "::1", "192.0.2.80")
	dns.Lie("half-known.mx.test", delivertest.Fails(dnsx.ErrServFail, dnsx.A))
	dns.MX("half-known.test", "1 half-known.mx.test")

	for domain, want := range map[string]string{
		"two.test":           "192.0.2.1 192.0.2.2 450 4.4.1",
		"TWO.test":           "192.0.2.1 192.0.2.2 450 4.4.1",
		"alias.test":         "192.0.2.1 192.0.2.2 450 4.4.1",
		"plain.test":         "192.0.2.50 450 4.4.1",
		"bücher.test":        "192.0.2.1 450 4.4.1",
		"under_score.test":   "192.0.2.1 450 4.4.1",
		"[192.0.2.77]":       "192.0.2.77 450 4.4.1",
		"[IPv6:2001:db8::7]": "2001:db8::7 450 4.4.1",
		"[127.0.0.1]":        "550 5.1.2",
		"[198.51.100.9]":     "554 5.4.6",
		"null.test":          "556 5.1.10",
		"half-null.test":     "192.0.2.1 450 4.4.1",
		"backup.test":        "192.0.2.1 450 4.4.1",
		"ours.test":          "554 5.4.6",
		"us.mx.test":         "554 5.4.6",
		"byaddress.test":     "192.0.2.1 450 4.4.1",
		"onlybyaddress.test": "554 5.4.6",
		"many.test":          "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 450 4.4.1",
		"dual.test":          "2001:db8::1 192.0.2.61 2001:db8::2 192.0.2.62 192.0.2.63 450 4.4.1",
		"dualfirst.test":     "2001:db8::1 192.0.2.61 192.0.2.1 450 4.4.1",
		"loop.test":          "550 5.4.4",
		"half.test":          "192.0.2.70 450 4.4.1",
		"mapped.test":        "2001:db8::6 450 4.4.1",
		"gone.test":          "550 5.4.4",
		"unsure.test":        "451 4.4.3",
		"half-known.test":    "451 4.4.3",
		"broken.test":        "451 4.4.3",
		"bogus.test":         "451 4.4.3",
		"none.test":          "550 5.1.2",
		"bü\u200dcher.test":  "553 5.1.2",

		strings.Repeat("x", 64) + ".test": "553 5.1.2",
	} {
		var d dials
		m := &deliver.MX{
			Resolver: dns, Self: []string{"Us.mx.test."}, SelfAddrs: []netip.Addr{netip.MustParseAddr("198.51.100.9")},
			Relay: deliver.Relay{Dialer: &smtpclient.Dialer{Net: &d}}, Limits: deliver.HostLimits{Forget: -1},
		}
		got := sendOne(t.Context(), m, "x@"+domain)
		for i := range d.list {
			d.list[i], _, _ = net.SplitHostPort(d.list[i])
		}
		if got = strings.TrimSpace(strings.Join(d.list, " ") + " " + got); got != want {
			t.Errorf("%s: %s\nwant %s", domain, got, want)
		}
	}
}

// Hosts of equal preference take turns at being first, and 1,000 MX cost no more
// than a few questions.
func TestMXOrder(t *testing.T) {
	inet := delivertest.New(t)
	inet.DNS.MX("even.test", "10 a.test", "10 b.test", "5 c.test")
	for i, name := range []string{"a.test", "b.test", "c.test"} {
		inet.DNS.Addrs(name, fmt.Sprintf("192.0.2.%d", i+1))
	}
	seen := make(map[string]int)
	for range 64 {
		var d dials
		m := &deliver.MX{Resolver: inet.DNS, Relay: deliver.Relay{Dialer: &smtpclient.Dialer{Net: &d}}}
		sendOne(t.Context(), m, "x@even.test")
		seen[strings.Join(d.list, " ")]++
	}
	if len(seen) != 2 || seen["192.0.2.3:25 192.0.2.1:25 192.0.2.2:25"] == 0 {
		t.Errorf("%v", seen)
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("%d mx%d.many.test", i, i)
	}
	inet.DNS.MX("many.test", many...)
	if got := sendOne(t.Context(), &deliver.MX{Resolver: inet.DNS}, "x@many.test"); got != "450 4.4.1" { // who knows of the others
		t.Errorf("%s", got)
	}
	asked := 0
	for i := range many {
		asked += inet.DNS.Asked(fmt.Sprintf("mx%d.many.test", i), dnsx.A)
	}
	if asked != 50 {
		t.Errorf("%d hosts were looked up", asked)
	}
}

// inInternet runs f with two hosts of dest.test, and the agent that sends there.
func inInternet(t *testing.T, f func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, mx1, mx2 *delivertest.Host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		inet := delivertest.New(t)
		mx1, mx2 := inet.Host("mx1.dest.test", "192.0.2.1", "192.0.2.2"), inet.Host("mx2.dest.test", "192.0.2.3")
		inet.DNS.MX("dest.test", "10 mx1.dest.test", "20 mx2.dest.test")
		inet.DNS.MX("sister.test", "10 mx1.dest.test")
		inet.DNS.MX("brother.test", "10 mx1.dest.test")
		f(t, inet, &deliver.MX{Resolver: inet.DNS, Relay: deliver.Relay{Dialer: &smtpclient.Dialer{Net: inet, Hello: "us.test"}}}, mx1, mx2)
	})
}

// A second host is asked for those whom the first one defers, and for nobody
// else; a third one is not.
func TestMXSessions(t *testing.T) {
	inInternet(t, func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, mx1, mx2 *delivertest.Host) {
		mx1.SetScript(delivertest.All(
			delivertest.To("b@dest.test", delivertest.Answer{Reply: "450 4.2.0 later"}),
			delivertest.To("c@dest.test", delivertest.Answer{Reply: "550 5.1.1 nobody"}),
			delivertest.To("d@dest.test", delivertest.Answer{Reply: "552 5.2.2 full"}),
		))
		mx2.SetScript(delivertest.To("d@dest.test", delivertest.Answer{Reply: "552 no room"}))
		mx3 := inet.Host("mx3.dest.test", "192.0.2.4")
		inet.DNS.MX("dest.test", "10 mx1.dest.test", "20 mx2.dest.test", "30 mx3.dest.test")
		statuses, err := sendBy(t.Context(), m, smtp.Mail{}, "a@dest.test", "b@dest.test", "c@dest.test", "d@dest.test")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range statuses {
			got = append(got, refusal(s.Err))
		}
		if want := []string{"ok", "ok", "550 5.1.1", "452 "}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if n := len(mx1.Taken()) + len(mx2.Taken()); n != 2 || mx3.Dials() != 0 || mx1.Dials() != 1 {
			t.Errorf("%d messages; the third host was dialed %d times, the first %d", n, mx3.Dials(), mx1.Dials())
		}
	})
}

// A second host is asked, too, where the first one had a part of a long message:
// it deferred, or hung up. What it said of each recipient stays.
func TestMXSessionsLong(t *testing.T) {
	text := content + strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz\r\n", 10_000)
	for name, script := range map[string]delivertest.Script{
		"RCPT is deferred": delivertest.To("a@dest.test", delivertest.Answer{Reply: "450 4.2.0 later"}),
		"DATA is deferred": delivertest.At(delivertest.Data, delivertest.Answer{Reply: "451 4.3.0 later"}),
		"it hangs up":      delivertest.At(delivertest.Data, delivertest.Answer{Drop: true}),
		"in the middle":    delivertest.At(delivertest.Body, delivertest.Answer{Drop: true}),
	} {
		for _, extensions := range [][]string{delivertest.Usual(), {"PIPELINING"}, {}, {"PIPELINING", "CHUNKING"}, {"CHUNKING", "SIZE"}} {
			inInternet(t, func(t *testing.T, _ *delivertest.Internet, m *deliver.MX, mx1, mx2 *delivertest.Host) {
				mx1.SetExtensions(extensions...)
				mx1.SetScript(delivertest.All(script, delivertest.To("b@dest.test", delivertest.Answer{Reply: "550 5.1.1 nobody"})))
				r, _ := m.Receiver("dest.test")
				tx, _ := r.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: true})
				tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("b@dest.test")}, {ForwardPath: address("a@dest.test")}})
				statuses, err := tx.Data(t.Context(), smtp.NewStoredBody(strings.NewReader(text), int64(len(text)), "stored", nil))
				if err != nil {
					t.Fatal(err)
				}
				if got := refusal(statuses[0].Err) + ", " + refusal(statuses[1].Err); got != "550 5.1.1, ok" {
					t.Errorf("%s, %v: %s", name, extensions, got)
				}
				if taken := mx2.Taken(); len(taken) != 1 || string(taken[0].Data) != text {
					t.Errorf("%s, %v: the second host has taken %d messages", name, extensions, len(taken))
				}
			})
		}
	}
}

// What was lost behind the final dot goes nowhere else now.
func TestMXUnknown(t *testing.T) {
	inInternet(t, func(t *testing.T, _ *delivertest.Internet, m *deliver.MX, mx1, mx2 *delivertest.Host) {
		mx1.SetScript(delivertest.At(delivertest.Dot, delivertest.Answer{Drop: true}))
		statuses, err := sendBy(t.Context(), m, smtp.Mail{}, "a@dest.test")
		if err != nil || statuses[0].Err == nil || len(mx1.Taken()) != 1 || mx2.Dials() != 0 {
			t.Errorf("%v, %v; the second host was dialed %d times", statuses, err, mx2.Dials())
		}
	})
}

// An address that did not answer is left alone by all messages for a while, also
// by those for other domains; one that answers is not.
func TestMXSilentHost(t *testing.T) {
	inInternet(t, func(t *testing.T, _ *delivertest.Internet, m *deliver.MX, mx1, mx2 *delivertest.Host) {
		mx1.SetScript(delivertest.At(delivertest.Connect, delivertest.Answer{Drop: true}))
		mx2.SetScript(delivertest.At(delivertest.Rcpt, delivertest.Answer{Reply: "450 4.2.0 later"}))
		for range 3 {
			if got := sendOne(t.Context(), m, "a@dest.test"); got != "450 4.2.0" {
				t.Errorf("dest.test: %s", got)
			}
			if got := sendOne(t.Context(), m, "a@sister.test"); got != "450 4.4.1" {
				t.Errorf("sister.test: %s", got)
			}
		}
		if mx1.Dials() != 2 || mx2.Dials() != 3 {
			t.Errorf("%d and %d connections", mx1.Dials(), mx2.Dials())
		}
		mx1.SetScript(nil)
		time.Sleep(3*time.Minute + time.Second)
		if got := sendOne(t.Context(), m, "a@sister.test"); got != "ok" {
			t.Errorf("after the time is over: %s", got)
		}
	})
}

// A host that hangs up on one source is tried from another one.
func TestMXSilentPerSource(t *testing.T) {
	inInternet(t, func(t *testing.T, _ *delivertest.Internet, m *deliver.MX, mx1, _ *delivertest.Host) {
		hello := "one.us.test"
		m.Source = func(*smtp.Mail) deliver.Source { return deliver.Source{Hello: hello} }
		mx1.SetScript(delivertest.At(delivertest.Connect, delivertest.Answer{Drop: true}))
		if got := sendOne(t.Context(), m, "a@sister.test"); got != "450 4.4.1" {
			t.Error(got)
		}
		mx1.SetScript(nil)
		for _, step := range [][2]string{{"one.us.test", "450 4.4.1"}, {"two.us.test", "ok"}, {"one.us.test", "450 4.4.1"}} {
			hello = step[0]
			if got := sendOne(t.Context(), m, "a@sister.test"); got != step[1] {
				t.Errorf("%s: %s, want %s", hello, got, step[1])
			}
		}
	})
}

// Addresses that are left alone are not among those that an attempt may connect
// to: the message gets to the host behind them.
func TestMXBehindSilentHosts(t *testing.T) {
	inInternet(t, func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, _, _ *delivertest.Host) {
		var hosts []string
		for i := range 7 {
			name := fmt.Sprintf("h%d.test", i)
			host := inet.Host(name, fmt.Sprintf("192.0.2.%d", 100+i))
			if i < 6 {
				host.SetScript(delivertest.At(delivertest.Connect, delivertest.Answer{Drop: true}))
			}
			hosts = append(hosts, fmt.Sprintf("%d %s", i, name))
		}
		inet.DNS.MX("behind.test", hosts...)
		for i, want := range []string{"450 4.4.1", "ok", "ok"} {
			if got := sendOne(t.Context(), m, "a@behind.test"); got != want {
				t.Errorf("message %d: %s, want %s", i, got, want)
			}
		}
	})
}

// A host has so many connections at a time and no more, whatever domains the
// messages are for; who waits too long is deferred.
func TestMXHostLimit(t *testing.T) {
	inInternet(t, func(t *testing.T, _ *delivertest.Internet, m *deliver.MX, mx1, _ *delivertest.Host) {
		m.Limits.PerHost, m.Limits.Wait = 3, time.Minute
		mx1.SetScript(delivertest.At(delivertest.Dot, delivertest.Answer{Delay: 25 * time.Second}))
		got := make([]string, 12)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { got[i] = sendOne(t.Context(), m, []string{"a@brother.test", "a@sister.test"}[i%2]) })
		}
		all.Wait()
		slices.Sort(got)
		if mx1.Peak() != 3 || got[0] != "450 4.4.5" || len(mx1.Taken()) != 9 {
			t.Errorf("%d at a time, %d taken: %v", mx1.Peak(), len(mx1.Taken()), got)
		}
	})
	inInternet(t, func(t *testing.T, _ *delivertest.Internet, m *deliver.MX, _, _ *delivertest.Host) {
		m.Limits.Interval, m.Limits.Wait = 10*time.Second, time.Hour
		start := time.Now()
		for range 4 {
			sendOne(t.Context(), m, "a@sister.test")
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("four messages took %v", took)
		}
	})
}

// rules is a TLSPolicies of one rule, and what was observed of it.
type rules struct {
	mu       sync.Mutex
	rule     deliver.TLSRule
	err      error
	observed []string
}

func (r *rules) Policy(context.Context, string) (deliver.TLSPolicy, error) { return r, nil }

func (r *rules) Rule(_ context.Context, h deliver.MXHost) (deliver.TLSRule, error) {
	return r.rule, r.err
}

func (r *rules) Observe(h deliver.MXHost, _ netip.Addr, _ deliver.TLSRule, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	word := "good"
	if err != nil {
		word = "bad"
	}
	r.observed = append(r.observed, h.Name+" "+word)
}

// TLS is as the policy of the destination says, and is observed.
func TestMXTLS(t *testing.T) {
	secret := smtp.Mail{ReversePath: smtp.ReversePath(address("me@us.test")), Params: smtp.MailParams{RequireTLS: true}}
	const other, right = "other.test", "mx1.dest.test"
	verified := func(inet *delivertest.Internet) deliver.TLSRule {
		r := deliver.TLSRule{Required: true, Source: "static", Identity: "static:x"}
		r.Config = trusting(inet)
		return r
	}
	for _, test := range []struct {
		name        string
		rule        func(*delivertest.Internet) deliver.TLSRule
		certificate string // of mx1; "" = no STARTTLS
		mail        smtp.Mail
		err         error
		want        string
		tls         bool
		observed    string
	}{
		{"verified", verified, right, smtp.Mail{}, nil, "ok", true, "mx1.dest.test good"},
		{"the wrong certificate", verified, other, smtp.Mail{}, nil, "450 4.4.1", false, "mx1.dest.test bad,mx1.dest.test bad"},
		{"no TLS where it has to be", verified, "", smtp.Mail{}, nil, "450 4.4.1", false, "mx1.dest.test bad,mx1.dest.test bad"},
		{"never", func(*delivertest.Internet) deliver.TLSRule { return deliver.TLSRule{Source: "none"} }, right, smtp.Mail{}, nil, "ok", false, "mx1.dest.test good"},
		{"a retry without TLS", func(i *delivertest.Internet) deliver.TLSRule {
			r := verified(i)
			r.Required, r.PlaintextRetry = false, true
			return r
		}, other, smtp.Mail{}, nil, "ok", false, "mx1.dest.test bad"},
		{"no retry without TLS", func(i *delivertest.Internet) deliver.TLSRule {
			r := verified(i)
			r.Required = false
			return r
		}, other, smtp.Mail{}, nil, "450 4.4.1", false, "mx1.dest.test bad,mx1.dest.test bad"},
		{"the policy cannot be judged", verified, right, smtp.Mail{}, errors.New("no answer"), "451 4.7.5", false, ""},
		{"REQUIRETLS, nobody vouches", verified, right, secret, nil, "550 5.7.10", false, ""},
		{"REQUIRETLS, vouched for", func(i *delivertest.Internet) deliver.TLSRule {
			r := verified(i)
			r.Vouched = true
			return r
		}, right, secret, nil, "ok", true, "mx1.dest.test good"},
	} {
		inInternet(t, func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, mx1, _ *delivertest.Host) {
			mx1.SetExtensions(append(delivertest.Usual(), "REQUIRETLS")...)
			if test.certificate != "" {
				mx1.SetTLS(inet.Certificate(time.Time{}, test.certificate))
			}
			p := &rules{rule: test.rule(inet), err: test.err}
			m.TLS = p
			statuses, err := sendBy(t.Context(), m, test.mail, "a@sister.test")
			if err == nil {
				err = statuses[0].Err
			}
			if got := refusal(err); got != test.want {
				t.Errorf("%s: %s (%v), want %s", test.name, got, err, test.want)
			}
			if taken := mx1.Taken(); len(taken) > 0 && taken[0].TLS != test.tls {
				t.Errorf("%s: TLS %v", test.name, taken[0].TLS)
			}
			if got := strings.Join(p.observed, ","); got != test.observed {
				t.Errorf("%s: observed %q, want %q", test.name, got, test.observed)
			}
		})
	}
}

// "TLS-Required: No" turns off what the recipient's domain asks for, and not what
// the operator does; it gets around hosts that a policy passes over.
func TestMXTLSNotRequired(t *testing.T) {
	over := errors.New("not named")
	for _, test := range []struct {
		waivable bool
		err      error
		field    string
		want     string
	}{
		{true, nil, "TLS-Required: No\r\n", "ok"},
		{false, nil, "TLS-Required: No\r\n", "450 4.4.1"},
		{true, nil, "", "450 4.4.1"},
		{true, over, "TLS-Required: No\r\n", "ok"},
		{false, over, "TLS-Required: No\r\n", "451 4.7.5"},
		{true, over, "", "451 4.7.5"},
	} {
		inInternet(t, func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, mx1, _ *delivertest.Host) {
			text := test.field + "Subject: x\r\n\r\nx\r\n"
			p := &rules{rule: deliver.TLSRule{Required: true, Waivable: test.waivable, Source: "dane"}, err: test.err}
			m.TLS = p
			r, _ := m.Receiver("sister.test")
			tx, _ := r.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: true})
			tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("a@sister.test")}})
			_, err := tx.Data(t.Context(), smtp.NewStoredBody(strings.NewReader(text), int64(len(text)), "stored", nil))
			if got := refusal(err); got != test.want {
				t.Errorf("%+v: %s", test, got)
			}
			if taken := mx1.Taken(); len(taken) > 0 && string(taken[0].Data) != text {
				t.Errorf("it went as %q", taken[0].Data)
			}
			if slices.Contains(p.observed, "mx1.dest.test good") {
				t.Errorf("%+v: what was done without the rule counts as if it had been met", test)
			}
		})
	}
}

// A kept connection serves who would have made the same one, and nobody else.
func TestMXPool(t *testing.T) {
	inInternet(t, func(t *testing.T, inet *delivertest.Internet, m *deliver.MX, mx1, _ *delivertest.Host) {
		mx1.SetTLS(inet.Certificate(time.Time{}, "mx1.dest.test"))
		pool := &smtpclient.Pool{}
		defer pool.Close()
		m.Relay.Pool = pool
		p := &rules{rule: deliver.TLSRule{Required: true, Source: "dane", Identity: "dane:1", Config: trusting(inet)}}
		m.TLS = p
		hello := ""
		m.Source = func(*smtp.Mail) deliver.Source { return deliver.Source{Hello: hello} }
		for i, step := range []struct {
			change func()
			dials  int
		}{
			{func() {}, 1},
			{func() {}, 1},
			{func() { p.rule.Identity = "dane:2" }, 2},
			{func() { hello = "other.us.test" }, 3},
			{func() { p.rule.Required = false }, 4},
			{func() {}, 4},
		} {
			step.change()
			if got := sendOne(t.Context(), m, []string{"a@dest.test", "a@sister.test"}[i%2]); got != "ok" || mx1.Dials() != step.dials {
				t.Errorf("step %d: %s, %d connections, want %d", i, got, mx1.Dials(), step.dials)
			}
		}
	})
}

func trusting(inet *delivertest.Internet) *tls.Config { return &tls.Config{RootCAs: inet.Roots()} }

// A host that is down says nothing about TLS.
func TestMXObservesTLSOnly(t *testing.T) {
	inInternet(t, func(t *testing.T, _ *delivertest.Internet, m *deliver.MX, mx1, _ *delivertest.Host) {
		p := &rules{rule: deliver.TLSRule{Source: "opportunistic"}}
		m.TLS = p
		mx1.SetScript(delivertest.At(delivertest.Greeting, delivertest.Answer{Reply: "421 4.3.2 busy"}))
		if got := sendOne(t.Context(), m, "a@sister.test"); got != "421 4.3.2" || len(p.observed) != 0 {
			t.Errorf("%s; observed %v", got, p.observed)
		}
	})
}
