package smtppolicy_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// An MX host with everything on.
func Example() {
	throttle := &smtppolicy.Throttle{}
	names := &smtppolicy.FCrDNS{}
	early := &smtppolicy.EarlyTalkers{}
	tarpit := &smtppolicy.Tarpit{}
	lists := &smtppolicy.DNSBL{Lists: []smtppolicy.List{{Zone: "bl.example"}}}
	grey := &smtppolicy.Greylist{Store: &smtppolicy.MemoryGreyStore{}}

	cfg := smtpserver.Config{
		Hostname:         "mx.example.org",
		StrictPipelining: true,
		Connect:          smtppolicy.AllOf(throttle.Connect, names.Connect),
		Pause:            smtppolicy.Longest(early.Pause, tarpit.Pause),
		Closed:           smtppolicy.Each(throttle.Closed, tarpit.Closed),
		Trace:            smtppolicy.TraceTo(slog.Default(), slog.LevelDebug),
		Receiver: smtp.Chain(accept(), // your queue
			tarpit.Count(), throttle.Limit(), lists.Refuse(), grey.Defer(),
			smtppolicy.Received("mx.example.org"),
			smtppolicy.EditHeader(smtppolicy.Limits{}, smtppolicy.LoopLimit(0), smtppolicy.StripForged("mx.example.org")),
		),
	}
	fmt.Println(cfg.Validate())
	// Output: <nil>
}

func ExampleThrottle() {
	t := &smtppolicy.Throttle{Levels: []smtppolicy.Level{
		{IPv4: 32, IPv6: 64, Connections: 10, Connects: smtppolicy.Rate{N: 2, Per: time.Minute}},
		{IPv4: 24, IPv6: 48, Connections: 30},
	}}
	for range 3 {
		fmt.Println(t.Connect(context.Background(), peerAt("192.0.2.1")))
	}
	// Output:
	// <nil>
	// <nil>
	// smtp: 421 4.7.0 Too many connections from your network, try again later: smtppolicy: limit of 192.0.2.1/32
}

func ExampleDNSBL() {
	lists := &smtppolicy.DNSBL{
		Lists: []smtppolicy.List{
			{Zone: "bl.example", Weight: 2},
			{Zone: "dynamic.example", Codes: []smtppolicy.Code{{Answers: netip.MustParsePrefix("127.0.0.10/31"), Weight: 1}}},
			{Zone: "good.example", Weight: -3},
		},
		Threshold: 2,
		Resolver:  &fakeDNS{a: map[string][]string{"1.2.0.192.bl.example.": {"127.0.0.2"}}},
	}
	fmt.Println(lists.Connect(context.Background(), peerAt("192.0.2.1")))
	// Output: smtp: 550 5.7.1 Client host [192.0.2.1] is listed at bl.example: smtppolicy: DNSBL score 2
}

func ExampleFCrDNS() {
	names := &smtppolicy.FCrDNS{Resolver: &fakeDNS{
		ptr: map[string][]string{"192.0.2.1": {"mail.example."}},
		a:   map[string][]string{"mail.example.": {"192.0.2.1"}},
	}}
	p := peerAt("192.0.2.1")
	fmt.Println(names.Connect(context.Background(), p), p.Name)
	// Output: <nil> mail.example
}

func ExampleGreylist() {
	grey := &smtppolicy.Greylist{
		Store: &smtppolicy.MemoryGreyStore{},
		// A domain that SPF vouches for is one client, wherever it sends from.
		Client: func(_ context.Context, m *smtp.Mail) string {
			if spfPasses(m) {
				return m.ReversePath.Domain
			}
			return ""
		},
	}
	receiver := smtp.Chain(accept(), grey.Defer())
	_ = receiver
}

func spfPasses(*smtp.Mail) bool { return false }

func ExampleTarpit() {
	tarpit := &smtppolicy.Tarpit{Delay: 10 * time.Second}
	p := peerAt("192.0.2.1")
	fmt.Println(tarpit.Pause(p, "MAIL"))
	smtppolicy.Suspect(p)
	fmt.Println(tarpit.Pause(p, "MAIL"))
	// Output:
	// 0s
	// 10s
}

func ExampleEarlyTalkers() {
	early := &smtppolicy.EarlyTalkers{Wait: 3 * time.Second}
	p := peerAt("192.0.2.1")
	fmt.Println(early.Pause(p, ""), early.Pause(p, "EHLO")) // it waited
	fmt.Println(early.Pause(peerAt("192.0.2.1"), ""))       // and need not again
	// Output:
	// 3s 0s
	// 0s
}

func ExampleCallForward() {
	forward := &smtppolicy.CallForward{Addr: "mail.internal.example:25"}
	receiver := smtp.Chain(accept(), forward.Verify()) // a relay to the same host
	_ = receiver
}

func ExampleSenderLogin() {
	owns := func(_ context.Context, account string, from smtp.ReversePath) (bool, error) {
		return from.String() == account, nil
	}
	receiver := smtp.Chain(accept(), smtppolicy.RequireAuth(nil), smtppolicy.SenderLogin(owns))
	p := peerAt("192.0.2.1")
	p.Identity = "alice@example.org"
	for _, local := range []string{"alice", "bob"} {
		from := smtp.ReversePath{Path: smtp.Path{Local: local, Domain: "example.org"}}
		_, err := receiver.Begin(context.Background(), &smtp.Mail{ID: "1", Peer: p, ReversePath: from})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// smtp: 553 5.7.1 This sender address is not yours
}

func ExampleTraceTo() {
	log := slog.New(slog.NewTextHandler(discard{}, nil))
	cfg := smtpserver.Config{Receiver: accept(), Trace: smtppolicy.TraceTo(log, slog.LevelDebug)}
	_ = cfg
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
