package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// people is a Directory of a table: "local", "kept A B", "alias A B", "via KEY",
// "remote", "fails"; who is not in it is unknown.
type people map[string]string

func (d people) Lookup(_ context.Context, paths []smtp.ForwardPath) ([]deliver.Entry, error) {
	out := make([]deliver.Entry, len(paths))
	for i, p := range paths {
		name := deliver.CanonicalAddress(p.Path)
		what, rest, _ := strings.Cut(d[name], " ")
		switch what {
		case "local":
			out[i] = deliver.Entry{Kind: deliver.Local, Account: store.AccountID(name)}
		case "alias", "kept":
			out[i].Kind = deliver.Alias
			for to := range strings.FieldsSeq(rest) {
				out[i].Expand = append(out[i].Expand, address(to))
			}
			if what == "kept" {
				out[i].Account = store.AccountID(name)
			}
		case "via":
			out[i] = deliver.Entry{Kind: deliver.Relayed, NextHop: rest}
		case "remote":
			out[i].Kind = deliver.Remote
		case "fails":
			out[i].Err = errors.New("no database")
		}
	}
	return out, nil
}

// chooser is a Chooser with one fixed address, and a next hop by sender.
type chooser struct{ nextHops }

func (chooser) Fixed(p smtp.ForwardPath) (string, bool) { return "fixed", p.Local == "fixed" }

func (chooser) Choose(_ context.Context, j *queue.Job, p smtp.ForwardPath) (string, error) {
	switch j.ReversePath.Local {
	case "sales":
		return "sales-relay", nil
	case "broken":
		return "", errors.New("no table")
	case "banned":
		return "", smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "not by you")
	}
	return p.Domain, nil
}

func show(h queue.Hop) string {
	switch {
	case h.Err != nil:
		return smtp.ReplyOf(h.Err).Enhanced.String()
	case h.Move != "":
		return "move " + h.Move
	case h.Expand == nil:
		return "to " + h.Name
	}
	s := "expand"
	for i, r := range h.Expand {
		s += " " + r.ForwardPath.String()
		if h.At != nil && h.At[i] != "" {
			s += "(kept)"
		}
		s += r.Params.Notify.String()
	}
	if h.Sender != nil {
		s += " from " + h.Sender.String()
	}
	return s
}

func TestRouterTable(t *testing.T) {
	long := make([]string, 101)
	for i := range long {
		long[i] = fmt.Sprintf("m%d@remote.example", i)
	}
	dir := people{
		"alice@example.org": "local", "bob@example.org": "kept bob@example.org carol@example.org", "carol@example.org": "via other-side",
		"only@example.org": "kept only@example.org", "self@example.org": "alias self@example.org", "team@example.org": "alias bob@example.org alice@example.org",
		"list@example.org": "alias alice@example.org x@remote.example", "owner-list@example.org": "local", "fixed@example.org": "via fixed",
		"a@example.org": "alias b@example.org", "b@example.org": "alias a@example.org", "long@example.org": "alias " + strings.Join(long, " "),
		"down@example.org": "fails", "owner-sick@example.org": "fails", "sick@example.org": "alias alice@example.org",
		"x@remote.example": "remote", "y@remote.example": "remote",
	}
	for i := range 12 {
		dir[fmt.Sprintf("deep%d@example.org", i)] = fmt.Sprintf("alias deep%d@example.org", i+1)
	}
	for _, m := range long {
		dir[m] = "remote"
	}
	tests := []struct{ from, to, at, want string }{
		{"", "alice@example.org", "", "to local"},
		{"", "nobody@example.org", "", "5.1.1"},
		{"", "down@example.org", "", "4.3.0"},
		{"", "x@remote.example", "", "to mx.remote.example"},
		{"sales", "x@remote.example", "", "move sales-relay"},
		{"sales", "x@remote.example", "sales-relay", "to mx.sales-relay"},
		{"sales", "x@remote.example", "rerouted", "to mx.sales-relay"},      // moved once at most
		{"sales", "x@remote.example", "via:other-side", "to mx.other-side"}, // an operator's word is the last
		{"", "down@example.org", "via:other-side", "to mx.other-side"},
		{"broken", "x@remote.example", "", "4.3.0"},
		{"banned", "x@remote.example", "", "5.7.1"},
		{"", "carol@example.org", "", "move other-side"},
		{"", "carol@example.org", "other-side", "to mx.other-side"},
		{"sales", "carol@example.org", "other-side", "to mx.other-side"}, // the directory's word comes first
		{"", "fixed@example.org", "", "to mx.fixed"},                     // no move: Key knew it
		{"", "alice@example.org", "other-side", "to local"},              // has come here meanwhile
		{"", "self@example.org", "", "5.4.6"},
		{"", "a@example.org", "", "5.4.6"},
		{"", "deep0@example.org", "", "5.4.6"},
		{"", "long@example.org", "", "5.5.3"},
		{"", "only@example.org", "", "expand only@example.org(kept)SUCCESS"},
		{"", "bob@example.org", "", "expand bob@example.org(kept)SUCCESS carol@example.orgSUCCESS"},
		{"", "bob@example.org", "local/=7", "to local"},
		{"", "team@example.org", "local/=7", "5.1.1"}, // the account has gone, and the rest was told
		{"", "team@example.org", "", "expand bob@example.org(kept)SUCCESS alice@example.orgSUCCESS carol@example.orgSUCCESS"},
		{"", "list@example.org", "", "expand alice@example.org x@remote.example from owner-list@example.org"},
		{"", "sick@example.org", "", "4.3.0"},
	}
	for _, test := range tests {
		r := &deliver.Router{
			Directory: dir, Remote: chooser{}, Local: smtp.ReceiveFunc(nil), Owner: deliver.OwnerName, MaxExpand: 100,
			IsLocal: func(d string) bool { return d == "example.org" },
		}
		rcpt := queue.Recipient{Recipient: smtp.Recipient{ForwardPath: address(test.to), Params: smtp.RcptParams{Notify: smtp.NotifySuccess}}}
		j := &queue.Job{Destination: test.at, Recipients: []queue.Recipient{rcpt}}
		j.ReversePath.Local = test.from
		if j.Destination == "" {
			j.Destination = r.Key(rcpt.ForwardPath)
		}
		hops, err := r.Route(t.Context(), j)
		if err != nil || len(hops) != 1 || !slices.Equal(hops[0].Recipients, []int{0}) {
			t.Errorf("%+v: %v, %v", test, hops, err)
		} else if got := show(hops[0]); got != test.want {
			t.Errorf("from %q to %s at %q: %s, want %s", test.from, test.to, test.at, got, test.want)
		}
	}
}

// Recipients of one next hop share a hop, so that they share a job and a
// transaction.
func TestRouterTogether(t *testing.T) {
	dir := people{"a@example.org": "via x", "b@example.org": "via y", "c@example.org": "via x", "d@example.org": "local", "e@example.org": "local"}
	r := &deliver.Router{Directory: dir, Remote: nextHops{}, Local: smtp.ReceiveFunc(nil), IsLocal: func(string) bool { return true }, LocalShards: 1}
	j := &queue.Job{Destination: "local/0"}
	for _, a := range []string{"a", "b", "c", "d", "e"} {
		j.Recipients = append(j.Recipients, queue.Recipient{Recipient: smtp.Recipient{ForwardPath: address(a + "@example.org")}})
	}
	hops, err := r.Route(t.Context(), j)
	var got []string
	for _, h := range hops {
		got = append(got, fmt.Sprint(show(h), h.Recipients))
	}
	if want := "move x[0 2] move y[1] to local[3 4]"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
}

func TestListNames(t *testing.T) {
	if o, r := deliver.OwnerName(address("l@d.example")), deliver.RequestName(address("l@d.example")); o != address("owner-l@d.example") || r != address("l-request@d.example") {
		t.Errorf("%v, %v", o, r)
	}
}

// An alias that stands for itself too delivers to its own account when, and only
// when, the router has sent the rest on its way.
func TestKeptCopy(t *testing.T) {
	s, dir := newStore(t)
	plain := dir.Aliases
	dir.Aliases = func(ctx context.Context, a string) ([]smtp.ForwardPath, error) {
		if a == "alice@example.org" {
			return []smtp.ForwardPath{address("Alice@example.org"), address("x@remote.example")}, nil
		}
		return plain(ctx, a)
	}
	r := &deliver.Router{Directory: dir, Remote: nextHops{}, Local: &deliver.LocalDelivery{Store: s, Directory: dir}, IsLocal: dir.IsLocal}
	rcpt := smtp.Recipient{ForwardPath: address("alice@example.org")}
	hops, err := r.Route(t.Context(), &queue.Job{Recipients: []queue.Recipient{{Recipient: rcpt}}})
	if err != nil || show(hops[0]) != "expand alice@example.org(kept) x@remote.example" {
		t.Fatalf("%v, %v", hops, err)
	}
	hops, err = r.Route(t.Context(), &queue.Job{Destination: hops[0].At[0], Recipients: []queue.Recipient{{Recipient: hops[0].Expand[0]}}})
	if err != nil || hops[0].Receiver == nil {
		t.Fatalf("%v, %v", hops, err)
	}
	for receiver, want := range map[smtp.Receiver]int{r.Local: 550, hops[0].Receiver: 0} {
		tx, err := receiver.Begin(t.Context(), &smtp.Mail{ID: "i"})
		if err != nil {
			t.Fatal(err)
		}
		if got := smtp.ReplyOf(tx.Rcpt(t.Context(), []*smtp.Recipient{&rcpt})[0]).Code; got != want {
			t.Errorf("%T: %d, want %d", receiver, got, want)
		}
		tx.Abort()
	}
	may, err := deliver.MaySend(dir)(t.Context(), "alice@example.org", smtp.ReversePath(address("alice+x@example.org")))
	if !may || err != nil {
		t.Errorf("alice may not send with a sub-address: %v", err)
	}
}

// The gate takes mail for those of a domain that are on another host from
// everybody.
func TestGateRelayed(t *testing.T) {
	gate := smtp.Chain(smtp.ReceiveFunc(nil), deliver.Gate(people{"carol@example.org": "via x"}, nil))
	tx, err := gate.Begin(t.Context(), &smtp.Mail{ID: "i"})
	if err != nil {
		t.Fatal(err)
	}
	errs := tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("carol@example.org")}, {ForwardPath: address("dan@example.org")}})
	if errs[0] != nil || smtp.ReplyOf(errs[1]).Code != 550 {
		t.Errorf("%v", errs)
	}
	for k, want := range map[deliver.Kind]string{deliver.Unknown: "unknown", deliver.Relayed: "relayed", 9: "relayed"} {
		if k.String() != want {
			t.Errorf("kind %d is %s", k, k)
		}
	}
}

func TestReroute(t *testing.T) {
	for key, want := range map[string]string{"Example.NET.": "via:example.net", "[192.0.2.1]": "via:[192.0.2.1]", "old": "via:old", "": "", "a b": "", "a\n": "", "x@example.net": ""} {
		got, err := deliver.Reroute(key)
		if got != want || (want == "") != errors.Is(err, deliver.ErrReroute) {
			t.Errorf("%q: %q, %v", key, got, err)
		}
	}
}
