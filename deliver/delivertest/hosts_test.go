package delivertest_test

import (
	"crypto/tls"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// at is a fault of the best host at one stage.
func at(stage delivertest.Stage, a delivertest.Answer) func(*world, names) {
	return func(_ *world, n names) { n.mx1.SetScript(delivertest.At(stage, a)) }
}

// everywhere is a fault of both hosts at one stage.
func everywhere(stage delivertest.Stage, a delivertest.Answer) func(*world, names) {
	return func(_ *world, n names) { n.both(delivertest.At(stage, a)) }
}

// once is a fault of both hosts for the first connection that each of them sees.
func once(stage delivertest.Stage, a delivertest.Answer) func(*world, names) {
	return func(_ *world, n names) { n.both(delivertest.First(1, delivertest.At(stage, a))) }
}

// twice is a fault of both hosts for the first two connections to each, so that
// it meets both addresses of the best one.
func twice(stage delivertest.Stage, a delivertest.Answer) func(*world, names) {
	return func(_ *world, n names) { n.both(delivertest.First(2, delivertest.At(stage, a))) }
}

// hostSituations are hosts that cannot be reached, or leave in the middle.
func hostSituations() []situation {
	doubled := want{end: "delivered", attempts: 2, copies: 2, within: 3}
	return []situation{
		{"the best host refuses connections", at(delivertest.Connect, drop), nil, []want{byMX2}},
		{"the best host does not answer", at(delivertest.Connect, hang), nil, []want{byMX2}},
		{"no host answers at first", twice(delivertest.Connect, hang), nil, []want{retried}},
		{"no host answers", everywhere(delivertest.Connect, hang), nil, []want{expired}},
		{"slow to accept", everywhere(delivertest.Connect, delivertest.Answer{Delay: 10 * time.Minute}), nil, []want{expired}},
		{"one address of the best host is dead", func(w *world, _ names) {
			w.net.DNS.Addrs("mx1.dest.test", "2001:db8::bad", "192.0.2.98", "192.0.2.12")
		}, nil, []want{byMX2}},
		{"greets with 421", at(delivertest.Greeting, reply("421 4.3.2 Busy")), nil, []want{byMX2}},
		{"all greet with 421", everywhere(delivertest.Greeting, reply("421 4.3.2 Busy")), nil, []want{expired}},
		{"greets with 554", at(delivertest.Greeting, reply("554 5.7.1 Go away")), nil, []want{byMX2}},
		{"all greet with 554, at first", twice(delivertest.Greeting, reply("554 5.7.1 Go away")), nil, []want{retried}},
		{"greets with nonsense", at(delivertest.Greeting, reply("SSH-2.0-OpenSSH_9.9")), nil, []want{byMX2}},
		{"greets with nothing", at(delivertest.Greeting, hang), nil, []want{byMX2}},
		{"drops at the greeting", at(delivertest.Greeting, drop), nil, []want{byMX2}},
		{"drops at EHLO", at(delivertest.Hello, drop), nil, []want{byMX2}},
		{"refuses EHLO for a while", at(delivertest.Hello, reply("421 4.3.2 Busy")), nil, []want{byMX2}},
		{"all drop at MAIL, once", once(delivertest.Mail, drop), nil, []want{retried}},
		{"all drop at RCPT, once", once(delivertest.Rcpt, drop), nil, []want{retried}},
		{"all drop at DATA, once", once(delivertest.Data, drop), nil, []want{retried}},
		{"all drop in the body, once", once(delivertest.Body, drop), nil, []want{retried}},
		{"hangs at RCPT, once", once(delivertest.Rcpt, hang), nil, []want{retried}},
		{"takes it, and drops before the reply", once(delivertest.Dot, drop), nil, []want{doubled}},
		{"takes it, and never replies", once(delivertest.Dot, hang), nil, []want{doubled}},
		{"drops at the dot, and does not have it", once(delivertest.Dot, lose), nil, []want{{end: "delivered", attempts: 2, copies: 1, within: 3}}},
		{"always drops at the dot", everywhere(delivertest.Dot, lose), nil, []want{expired}},
		{"drops at MAIL for ever", everywhere(delivertest.Mail, drop), nil, []want{expired}},
		{"one octet a second", everywhere(delivertest.Greeting, delivertest.Answer{Reply: "220 " + strings.Repeat("x", 1000), Pace: time.Second}), nil, []want{expired}},
		{"slow, but in time", once(delivertest.Dot, delivertest.Answer{Reply: "250 2.0.0 OK", Delay: 9 * time.Minute}), nil, []want{{end: "delivered", via: "mx1.dest.test", lasts: 9 * time.Minute}}},
		{"100,000 lines of greeting", at(delivertest.Greeting, delivertest.Answer{Lines: 100_000}), nil, []want{byMX2}},
		{"100,000 lines behind EHLO", at(delivertest.Hello, delivertest.Answer{Reply: "250 done", Lines: 100_000}), nil, []want{byMX2}},
		{"100,000 lines behind MAIL, once", once(delivertest.Mail, delivertest.Answer{Lines: 100_000}), nil, []want{retried}},
		{"a line of 1 MB", at(delivertest.Greeting, reply("220 "+strings.Repeat("x", 1<<20))), nil, []want{byMX2}},
	}
}

// replySituations are replies that decide.
func replySituations() []situation {
	deferred := func(stage delivertest.Stage, text string) func(*world, names) {
		return func(_ *world, n names) {
			n.both(delivertest.Until(time.Now().Add(4*time.Minute), delivertest.At(stage, reply(text))))
		}
	}
	refused := func(status string) []want { return []want{{end: "failed " + status, within: 1}} }
	return []situation{
		{"MAIL is refused", everywhere(delivertest.Mail, reply("550 5.7.1 Not you")), nil, refused("5.7.1")},
		{"MAIL is deferred", deferred(delivertest.Mail, "451 4.7.0 Later"), nil, []want{retried}},
		{"the recipient is refused", everywhere(delivertest.Rcpt, reply("550 5.1.1 Nobody")), nil, refused("5.1.1")},
		{"the recipient is deferred", deferred(delivertest.Rcpt, "450 4.2.0 Later"), nil, []want{retried}},
		{"452, mailbox full", deferred(delivertest.Rcpt, "452 4.2.2 Full"), nil, []want{retried}},
		{"552 at RCPT means 452", deferred(delivertest.Rcpt, "552 5.5.3 Too many recipients"), nil, []want{retried}},
		{"DATA is refused", everywhere(delivertest.Data, reply("554 5.7.1 No")), nil, refused("5.7.1")},
		{"DATA is deferred", deferred(delivertest.Data, "451 4.3.0 Later"), nil, []want{retried}},
		{"the body is refused", everywhere(delivertest.Dot, reply("554 5.6.0 Spam")), nil, refused("5.6.0")},
		{"the body is deferred", deferred(delivertest.Dot, "452 4.3.1 Disk full"), nil, []want{retried}},
		{"greylisting", func(_ *world, n names) { n.both(greylisting(5*time.Minute, "450 4.7.1 Greylisted")) }, nil, []want{retried}},
		{"greylisting for most of an hour", func(_ *world, n names) { n.both(greylisting(40*time.Minute, "451 4.7.1 Greylisted")) }, nil, []want{{end: "delivered", attempts: 5, delayed: true}}},
		{"a refusal without an enhanced code", everywhere(delivertest.Rcpt, reply("550 no")), nil, refused("5.0.0")},
		{"421 in the middle", once(delivertest.Rcpt, reply("421 4.3.2 Shutting down")), nil, []want{retried}},
	}
}

// tlsSituations: TLS to an MX is opportunistic, unless somebody demands it.
func tlsSituations() []situation {
	plain := []want{{end: "delivered", plain: true}}
	demanded := func(fault func(*world, names)) func(*world, names) {
		return func(w *world, n names) {
			w.verify = true
			fault(w, n)
		}
	}
	never := func(_ *world, n names) {
		n.mx1.SetTLS(nil)
		n.mx2.SetTLS(nil)
	}
	return []situation{
		{"STARTTLS is refused", everywhere(delivertest.StartTLS, reply("454 4.7.0 Not now")), nil, plain},
		{"STARTTLS is refused for good", everywhere(delivertest.StartTLS, reply("554 5.7.0 Never")), nil, plain},
		{"all drop at STARTTLS", everywhere(delivertest.StartTLS, drop), nil, plain},
		{"the handshake is broken off", everywhere(delivertest.Handshake, drop), nil, plain},
		{"no TLS behind 220", everywhere(delivertest.Handshake, reply("500 what?")), nil, plain},
		{"no common version of TLS", func(w *world, n names) {
			c := w.net.Certificate(time.Time{}, "mx1.dest.test", "mx2.dest.test")
			c.MaxVersion = tls.VersionTLS10
			n.mx1.SetTLS(c)
			n.mx2.SetTLS(c)
		}, nil, plain},
		{"no TLS is offered", never, nil, plain},
		{"a certificate of somebody else, where it has to be right", demanded(func(w *world, n names) {
			n.mx1.SetTLS(w.net.Certificate(time.Time{}, "mx.elsewhere.test"))
		}), nil, []want{byMX2}},
		{"an expired certificate, where it has to be right", demanded(func(w *world, n names) {
			n.mx1.SetTLS(w.net.Certificate(time.Now().Add(-time.Hour), "mx1.dest.test"))
		}), nil, []want{byMX2}},
		{"a certificate of nobody we trust, where it has to be right", demanded(func(w *world, n names) {
			server, _ := smtptest.Certificate(w.t, "mx1.dest.test")
			n.mx1.SetTLS(server)
		}), nil, []want{byMX2}},
		{"no TLS is offered, where it has to be", demanded(never), nil, []want{expired}},
	}
}

// mixedSituations have several recipients.
func mixedSituations() []situation {
	three := []string{"a@dest.test", "b@dest.test", "c@dest.test"}
	return []situation{
		{"one is refused, one deferred", func(_ *world, n names) {
			n.both(delivertest.All(
				delivertest.To("b@dest.test", reply("550 5.1.1 Nobody")),
				delivertest.First(1, delivertest.To("c@dest.test", reply("450 4.2.1 Later"))),
			))
		}, three, []want{{end: "delivered", within: 1}, {end: "failed 5.1.1", within: 1}, retried}},
		{"452 for all but one recipient", func(_ *world, n names) {
			n.both(func(s delivertest.Step) delivertest.Answer {
				if s.Stage == delivertest.Rcpt && s.Path != "a@dest.test" && s.Conn == 0 {
					return reply("452 4.5.3 Too many recipients")
				}
				return delivertest.Answer{}
			})
		}, three, []want{{end: "delivered", within: 1}, retried, retried}},
		{"all are refused", func(_ *world, n names) {
			n.both(delivertest.At(delivertest.Rcpt, reply("550 5.1.1 Nobody")))
		}, three, []want{{end: "failed 5.1.1"}, {end: "failed 5.1.1"}, {end: "failed 5.1.1"}}},
		{"the reply to the dot is lost for those accepted", func(_ *world, n names) {
			n.both(delivertest.First(1, delivertest.All(
				delivertest.To("b@dest.test", reply("550 5.1.1 Nobody")), delivertest.At(delivertest.Dot, drop))))
		}, three, []want{{end: "delivered", copies: 2}, {end: "failed 5.1.1", within: 1}, {end: "delivered", copies: 2}}},
		{"one domain is dead, the other is not", everywhere(delivertest.Connect, drop), []string{"a@dest.test", "b@other.test"}, []want{
			expired, {end: "delivered", via: "mx.other.test", within: 1},
		}},
	}
}
