package route_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/route"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

func path(s string) smtp.ForwardPath {
	p, err := smtp.ParseMailbox(s, true)
	if err != nil {
		return smtp.ForwardPath{Path: smtp.Path{Local: s}}
	}
	return smtp.ForwardPath{Path: p}
}

// sink is a Receiver that can be told from others.
type sink struct {
	smtp.Receiver
	name string
}

// domains is a NextHops like MX: the key is the domain.
type domains struct{}

func (domains) Key(p smtp.ForwardPath) string { return deliver.CanonicalDomain(p.Domain) }
func (domains) Receiver(key string) (smtp.Receiver, string) {
	return sink{name: "mx"}, "mx." + key
}

func config() route.Config {
	return route.Config{
		Targets: map[string]route.Target{
			"old": {Receiver: sink{name: "old"}}, "cloud": {Hops: domains{}, Name: "cloud.example"}, "direct": {Hops: domains{}},
			"files": {Receiver: sink{name: "files"}, Name: deliver.NextHopLocal},
		},
		Rows: []route.Row{
			{Recipient: "Ann@Example.org", To: "old"},
			{Recipient: "tag+x@example.org", To: "files"},
			{Recipient: "tag@example.org", To: "old"},
			{Recipient: "example.org", To: "cloud"},
			{Recipient: "here@example.org", To: ""},
			{Recipient: ".partner.example", To: "old"},
			{Recipient: "deep.partner.example", To: "cloud"},
			{Recipient: "partner.example", Sender: "sales@example.org", To: "files"},
			{Recipient: "partner.example", Sender: "example.org", To: "cloud"},
			{Recipient: "MÜNCHEN.example", To: "old"},
			{Recipient: "[192.0.2.1]", To: "old"},
			{Sender: ".example.org", To: "direct"},
			{Recipient: "bounces.example", Sender: "<>", To: "files"},
			{Recipient: "plain.partner.example", To: ""},
		},
		Default: domains{},
	}
}

func newTable(t *testing.T, c route.Config) *route.Table {
	t.Helper()
	table, err := route.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTable(t *testing.T) {
	table := newTable(t, config())
	for _, test := range []struct{ from, to, key, hop string }{
		{"", "ann@example.org", "route:old", "old"},
		{"", "ANN+news@EXAMPLE.org", "route:old", "old"},
		{"", "tag+x@example.org", "route:files", "local"},
		{"", "tag+y@example.org", "route:old", "old"},
		{"", "bob@example.org", "route:cloud:example.org", "cloud.example"},
		{"", "here@example.org", "example.org", "mx.example.org"},
		{"", "x@a.b.partner.example", "route:old", "old"},
		{"", "x@deep.partner.example", "route:cloud:deep.partner.example", "cloud.example"},
		{"", "x@plain.partner.example", "plain.partner.example", "mx.plain.partner.example"},
		{"", "x@partner.example", "partner.example", "mx.partner.example"}, // the rows ask who sends
		{"sales@example.org", "x@partner.example", "route:files", "local"},
		{"sales+q@example.org", "x@partner.example", "route:files", "local"},
		{"bob@example.org", "x@partner.example", "route:cloud:partner.example", "cloud.example"},
		{"x@sub.example.org", "x@partner.example", "route:direct:partner.example", "mx.partner.example"},
		{"x@sub.example.org", "x@else.example", "route:direct:else.example", "mx.else.example"},
		{"x@example.org", "x@else.example", "else.example", "mx.else.example"},
		{"", "x@xn--mnchen-3ya.example", "route:old", "old"},
		{"", "x@[192.0.2.1]", "route:old", "old"},
		{"", "x@[192.0.2.2]", "[192.0.2.2]", "mx.[192.0.2.2]"},
		{"", "x@bounces.example", "route:files", "local"},
		{"a@b.example", "x@bounces.example", "bounces.example", "mx.bounces.example"},
		{"", `"a@example.org"@else.example`, "else.example", "mx.else.example"},
	} {
		j := &queue.Job{}
		if test.from != "" {
			j.ReversePath = smtp.ReversePath(path(test.from))
		}
		key, err := table.Choose(t.Context(), j, path(test.to))
		_, hop := table.Receiver(key)
		if err != nil || key != test.key || hop != test.hop {
			t.Errorf("from <%s> to %s: %s by %s (%v), want %s by %s", test.from, test.to, key, hop, err, test.key, test.hop)
		}
	}
}

// What Key and Fixed say without knowing the sender.
func TestTableKeys(t *testing.T) {
	table := newTable(t, config())
	for to, want := range map[string]string{
		"ann+x@example.org": "route:old", "bob@example.org": "", "here@example.org": "", "postmaster": "", "x@partner.example": "",
	} {
		if got, ok := table.Fixed(path(to)); got != want || ok != (want != "") {
			t.Errorf("Fixed(%s) = %q, %v, want %q", to, got, ok, want)
		}
	}
	for to, want := range map[string]string{"ann@example.org": "route:old", "x@partner.example": "partner.example", "x@sub.partner.example": "route:old"} {
		if got := table.Key(path(to)); got != want {
			t.Errorf("Key(%s) = %q, want %q", to, got, want)
		}
	}
	if r, hop := table.Receiver("route:files"); hop != deliver.NextHopLocal || r.(sink).name != "files" {
		t.Errorf("files: %v, %s", r, hop)
	}
	// Jobs of an earlier table wait for the operator.
	for _, key := range []string{"route:gone", "route:gone:x", "route:cloud", "route:"} {
		r, _ := table.Receiver(key)
		_, err := r.Begin(t.Context(), &smtp.Mail{})
		if smtp.ReplyOf(err).Enhanced.String() != "4.3.5" {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestTableFaults(t *testing.T) {
	bad := config()
	bad.Default = nil
	bad.Self = []string{"mail.example.org", "192.0.2.7:2525"}
	bad.Targets["a b"] = route.Target{Receiver: sink{}}
	bad.Targets["a:b"] = route.Target{Receiver: sink{}}
	bad.Targets["none"] = route.Target{}
	bad.Targets["both"] = route.Target{Receiver: sink{}, Hops: domains{}}
	bad.Targets["me"] = route.Target{Hops: &deliver.SmartHost{Addr: "MAIL.example.org.:587"}}
	bad.Targets["me2"] = route.Target{Receiver: sink{}, Addrs: []string{"192.0.2.7:2525"}}
	bad.Targets["other"] = route.Target{Receiver: sink{}, Addrs: []string{"192.0.2.7:25"}}
	bad.Rows = append(bad.Rows, route.Row{Recipient: "a@b@c", To: "old"}, route.Row{Recipient: "x.example", Sender: "no space", To: "old"},
		route.Row{Recipient: "y.example", To: "typo"}, route.Row{Recipient: "EXAMPLE.ORG.", To: "old"}, route.Row{Recipient: "<>", To: "old"})
	_, err := route.New(bad)
	if err == nil || !errors.Is(err, route.ErrPattern) || !errors.Is(err, route.ErrLoop) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		"no Default", `"a b"`, `"a:b"`, `"none"`, `"both"`, `"me" connects`, `"me2" connects`, "row 15", "row 16", "row 17: no such target", `row 18: "EXAMPLE.ORG."`, "row 19",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in %v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 12 {
		t.Errorf("%d faults, want 12: %v", n, err)
	}
}

// people is a Directory: what an address is by its local-part.
type people struct{}

func (people) Lookup(_ context.Context, paths []smtp.ForwardPath) ([]deliver.Entry, error) {
	out := make([]deliver.Entry, len(paths))
	for i, p := range paths {
		switch local, _, _ := strings.Cut(p.Local, "+"); {
		case !strings.HasSuffix(p.Domain, "example.org"):
			out[i].Kind = deliver.Remote
		case local == "local" || local == "ann" || local == "moved" || p.IsPostmaster():
			out[i] = deliver.Entry{Kind: deliver.Local, Account: "a"}
		case local == "all":
			out[i] = deliver.Entry{Kind: deliver.Local, Account: "a", CatchAll: true}
		case local == "down":
			out[i].Err = errors.New("down")
		}
	}
	return out, nil
}

func TestDirectory(t *testing.T) {
	c := config()
	var asked []string
	c.Lookup = func(_ context.Context, address string) (string, error) {
		asked = append(asked, address)
		switch address {
		case "moved@example.org", "elsewhere@unrouted.example.org":
			return "old", nil
		case "gone@example.org":
			return "", route.ErrUnknown
		case "sick@example.org":
			return "", errors.New("no database")
		case "typo@example.org":
			return "nowhere", nil
		}
		return "", nil
	}
	dir := newTable(t, c).Directory(people{})
	for _, test := range []struct{ to, kind, hop, err string }{
		{"local@example.org", "local", "", ""},
		{"ann@example.org", "relayed", "route:old", ""}, // a row of the address goes before the account
		{"here@example.org", "unknown", "", ""},         // a row says: the directory knows
		{"moved@example.org", "relayed", "route:old", ""},
		{"moved+x@example.org", "relayed", "route:old", ""},
		{"gone@example.org", "unknown", "", ""},
		{"sick@example.org", "unknown", "", "no database"},
		{"typo@example.org", "unknown", "", "no such target"},
		{"nobody@example.org", "relayed", "route:cloud:example.org", ""}, // the rest of the domain is there
		{"all@example.org", "relayed", "route:cloud:example.org", ""},    // a catch-all takes what nobody else does
		{"down@example.org", "unknown", "", "down"},
		{"nobody@unrouted.example.org", "unknown", "", ""}, // "*" takes nobody of ours
		{"elsewhere@unrouted.example.org", "relayed", "route:old", ""},
		{"x@else.example", "remote", "", ""},
		{"postmaster", "remote", "", ""}, // as people has it
	} {
		e, err := deliver.LookupOne(t.Context(), dir, path(test.to))
		if e.Kind.String() != test.kind || e.NextHop != test.hop || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v %q, %v; want %+v", test.to, e.Kind, e.NextHop, err, test)
		}
	}
	if got := strings.Join(asked, " "); strings.Contains(got, "ann@") || strings.Contains(got, "else.example") || !strings.Contains(got, "moved+x@example.org moved@example.org") {
		t.Errorf("Lookup was asked for %s", got)
	}
	if _, err := newTable(t, c).Directory(short{}).Lookup(t.Context(), []smtp.ForwardPath{path("a@example.org")}); err != nil {
		t.Errorf("a wrong number of entries: %v; the caller judges it", err)
	}
}

type short struct{}

func (short) Lookup(context.Context, []smtp.ForwardPath) ([]deliver.Entry, error) { return nil, nil }

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"", "*", "<>", "a@b", "A+x@B.example", "b.example", ".b.example", "[192.0.2.1]", ".[192.0.2.1]", "a@b@c", "münchen.de", ".", "..", "x..y", "\x00", `"a b"@c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := route.Config{Targets: map[string]route.Target{"t": {Receiver: sink{name: "t"}}}, Default: domains{}}
		c.Rows = []route.Row{{Recipient: s, To: "t"}}
		table, err := route.New(c)
		if err != nil {
			if !errors.Is(err, route.ErrPattern) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		// A pattern that is an address takes that address.
		if p, err := smtp.ParseMailbox(s, true); err == nil && p.Domain != "" {
			if key, ok := table.Fixed(smtp.ForwardPath{Path: p}); !ok || key != "route:t" {
				t.Errorf("%q does not take itself: %q, %v", s, key, ok)
			}
		}
	})
}

// newAccounts is a Directory of these accounts, of example.org.
func newAccounts(names ...string) *deliver.Accounts {
	return &deliver.Accounts{
		Domains: []string{"example.org"},
		Exists: func(_ context.Context, id store.AccountID) (bool, error) {
			return slices.Contains(names, string(id)), nil
		},
	}
}
