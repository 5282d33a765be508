package delivertest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/queue"
)

// TestManyRecipients: one message to 10,000 recipients of 3,000 domains, which
// 20 hosts serve. Each has it once, and no host is overrun.
func TestManyRecipients(t *testing.T) {
	recipients, domains := 10_000, 3_000
	if testing.Short() {
		recipients, domains = 1_000, 300
	}
	inWorld(t, func(w *world) {
		hosts := w.twenty()
		hosts[7].SetScript(delivertest.At(delivertest.Greeting, reply("421 4.3.2 Busy")))
		for i := range domains {
			best, next := hosts[i%len(hosts)], hosts[(i+1)%len(hosts)]
			w.net.DNS.MX(domainOf(i), "10 "+best.Name, "20 "+next.Name)
		}
		to := make([]string, recipients)
		for i := range to {
			to[i] = fmt.Sprintf("r%d@%s", i, domainOf(i%domains))
		}
		stop := w.start()
		defer stop()
		w.send(to...)
		w.settle(time.Hour)
		for k, e := range w.audit() {
			if e.told != 1 {
				t.Fatalf("%s: %s", k.rcpt, e)
			}
		}
		messages := 0
		for _, h := range hosts {
			messages += len(h.Taken())
		}
		if messages > domains {
			t.Errorf("%d transactions for %d domains: recipients of one domain do not travel together", messages, domains)
		}
	})
}

func domainOf(i int) string { return fmt.Sprintf("d%d.test", i) }

// twenty hosts, of one or two addresses.
func (w *world) twenty() []*delivertest.Host {
	hosts := make([]*delivertest.Host, 20)
	for i := range hosts {
		addrs := []string{fmt.Sprintf("192.0.2.%d", 100+i)}
		if i%2 == 0 {
			addrs = append(addrs, fmt.Sprintf("2001:db8::%x", 100+i))
		}
		hosts[i] = w.host(fmt.Sprintf("mx%d.hosts.test", i), addrs...)
	}
	return hosts
}

// TestAnything lets 20 hosts and the DNS do what they like, by chance, and
// audits what has become of some hundred messages. A failure names its seed:
// MAILSTEAD_SEED=n runs that one.
func TestAnything(t *testing.T) {
	runs, first := 8, time.Now().UnixNano()
	if testing.Short() {
		runs = 1
	}
	if own, err := strconv.ParseInt(os.Getenv("MAILSTEAD_SEED"), 10, 64); err == nil {
		runs, first = 1, own
	}
	for i := range runs {
		seed := first + int64(i)
		t.Run(strconv.FormatInt(seed, 10), func(t *testing.T) {
			inWorld(t, func(w *world) { w.anything(rand.New(rand.NewPCG(uint64(seed), 0))) })
		})
	}
}

// anything is one run: faults come and go for two hours, messages come for one,
// and then nothing is wrong any more.
func (w *world) anything(rnd *rand.Rand) {
	const domains, messages = 30, 60
	w.schedule = queue.Schedule{Expire: 90 * time.Minute, Delayed: 30 * time.Minute}
	hosts := w.twenty()
	for i := range domains {
		w.net.DNS.MX(domainOf(i), "10 "+hosts[rnd.IntN(20)].Name, "10 "+hosts[rnd.IntN(20)].Name, "30 "+hosts[rnd.IntN(20)].Name)
	}
	stop := w.start()
	defer func() { stop() }()
	for range messages {
		w.mischief(rnd, hosts, domains)
		w.send(w.recipients(rnd, domains)...)
		time.Sleep(time.Duration(rnd.Int64N(int64(2 * time.Minute))))
		if rnd.IntN(20) == 0 { // a restart, in the middle of whatever is under way
			stop()
			stop = w.start()
		}
	}
	for range 30 {
		w.mischief(rnd, hosts, domains)
		time.Sleep(2 * time.Minute)
	}
	for _, h := range hosts {
		h.SetScript(nil)
	}
	for i := range domains {
		w.net.DNS.Lie(domainOf(i), nil)
	}
	w.settle(6 * time.Hour)
	synctest.Wait()
	for k, e := range w.audit() {
		if e.queued > 0 {
			w.t.Errorf("%s to %s is still queued: %s", k.message, k.rcpt, e)
		}
	}
	w.noneFailedByDNS()
}

// recipients are up to 8 different ones.
func (w *world) recipients(rnd *rand.Rand, domains int) []string {
	to := make([]string, 1+rnd.IntN(8))
	for i := range to {
		to[i] = fmt.Sprintf("r%d@%s", i, domainOf(rnd.IntN(domains)))
	}
	return to
}

// mischief changes what one host and one name do.
func (w *world) mischief(rnd *rand.Rand, hosts []*delivertest.Host, domains int) {
	var s delivertest.Script
	stages := []delivertest.Stage{
		delivertest.Connect, delivertest.Greeting, delivertest.Hello, delivertest.Mail, delivertest.Rcpt,
		delivertest.Data, delivertest.Body, delivertest.Dot,
	}
	stage := stages[rnd.IntN(len(stages))]
	answers := []delivertest.Answer{
		{},
		drop, hang, lose,
		{Hang: true, Lose: true},
		reply("421 4.3.2 Busy"), reply("451 4.3.0 Later"), reply("452 4.3.1 Full"),
		reply("450 4.7.1 Greylisted"),
		{Delay: time.Minute},
		{Lines: 1000},
		{Pace: time.Second},
	}
	if stage != delivertest.Hello { // what refuses EHLO is asked again by HELO
		answers = append(answers, reply("550 5.7.1 No"), reply("554 5.7.1 No"))
	}
	if s = delivertest.At(stage, answers[rnd.IntN(len(answers))]); rnd.IntN(2) == 0 {
		s = sometimes(rnd.Uint64(), s)
	}
	hosts[rnd.IntN(len(hosts))].SetScript(s)
	lies := []delivertest.Lie{
		nil, nil, delivertest.Fails(dnsx.ErrServFail), delivertest.Fails(dnsx.ErrBogus), delivertest.Silent(10 * time.Second),
		delivertest.Fails(dnsx.ErrTimeout, dnsx.MX), delivertest.Fails(dnsx.ErrServFail, dnsx.A),
	}
	w.net.DNS.Lie(domainOf(rnd.IntN(domains)), lies[rnd.IntN(len(lies))])
}

// sometimes is s for every other connection, by chance.
func sometimes(salt uint64, s delivertest.Script) delivertest.Script {
	return func(step delivertest.Step) delivertest.Answer {
		if rand.New(rand.NewPCG(salt, uint64(step.Conn))).IntN(2) == 0 {
			return delivertest.Answer{}
		}
		return s(step)
	}
}

// noneFailedByDNS: no recipient was given up at once for what is only a failure
// to look something up.
func (w *world) noneFailedByDNS() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind != queue.EventFailed {
			continue
		}
		if err, ok := dnsError(e.Result.Err); ok && !dnsx.NotFound(err) {
			w.t.Errorf("%s was given up for %v", e.Recipient.ForwardPath, err)
		}
	}
}
