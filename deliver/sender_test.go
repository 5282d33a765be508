package deliver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

func TestMaySend(t *testing.T) {
	dir := &deliver.Accounts{
		Domains: []string{"example.org"}, CatchAll: "bob@example.org",
		Exists: func(_ context.Context, id store.AccountID) (bool, error) {
			if id == "down@example.org" {
				return false, errors.New("no database")
			}
			return id == "alice@example.org" || id == "bob@example.org", nil
		},
		Aliases: func(_ context.Context, address string) ([]smtp.ForwardPath, error) {
			alice := smtp.ForwardPath{Path: smtp.Path{Local: "alice", Domain: "example.org"}}
			return map[string][]smtp.ForwardPath{
				"sales@example.org": {alice, {Path: smtp.Path{Local: "x", Domain: "other.example"}}},
				"deep@example.org":  {{Path: smtp.Path{Local: "sales", Domain: "example.org"}}},
			}[address], nil
		},
		Postmaster: func(context.Context) (store.AccountID, error) { return "alice@example.org", nil },
	}
	may, unowned := deliver.MaySend(dir), deliver.MaySendUnowned(dir)
	for _, test := range []struct {
		account, local, domain string
		want, fails            bool
	}{
		{"alice@example.org", "alice", "example.org", true, false},
		{"alice@example.org", "Alice", "EXAMPLE.org", true, false},
		{"carol@other.example", "Carol", "other.EXAMPLE", true, false}, // not a local domain
		{"alice@example.org", "alice+lists", "example.org", true, false},
		{"alice@example.org", "bob", "example.org", false, false},
		{"alice@example.org", "alice", "other.example", false, false},
		{"alice@example.org", "sales", "example.org", true, false},
		{"bob@example.org", "sales", "example.org", false, false},
		{"alice@example.org", "deep", "example.org", false, false},
		{"alice@example.org", "postmaster", "example.org", true, false},
		{"bob@example.org", "anybody", "example.org", false, false}, // a catch-all owns nothing
		{"alice@example.org", "down", "example.org", false, true},
	} {
		from := smtp.ReversePath{Path: smtp.Path{Local: test.local, Domain: test.domain}}
		got, err := may(t.Context(), test.account, from)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%s as %s@%s: %v, %v", test.account, test.local, test.domain, got, err)
		}
		nobodys := test.domain == "other.example" || test.local == "anybody"
		got, err = unowned(t.Context(), test.account, from)
		if got != (test.want || nobodys) || (err != nil) != test.fails {
			t.Errorf("%s as %s@%s, unless it is another's: %v, %v", test.account, test.local, test.domain, got, err)
		}
	}
}
