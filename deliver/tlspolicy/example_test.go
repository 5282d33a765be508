package tlspolicy_test

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
)

// Mail goes by MX, as the domains and the operator ask for it.
func Example() {
	resolver := &dnsx.Cache{Resolver: &dnsx.Client{}}
	mx := &deliver.MX{
		Resolver: resolver,
		TLS: &tlspolicy.Policies{
			DANE: resolver, STS: &mtasts.Cache{Resolver: resolver}, Collector: &tlsrpt.Collector{Submitter: "example.org"},
			Static: &tlspolicy.Table{Domains: map[string]tlspolicy.Static{"example.net": {Level: tlspolicy.Secure}}},
		},
	}
	hops := tlspolicy.NextHops{NextHops: mx} // leaves reports on TLS out of reports on TLS
	_, name := hops.Receiver("example.net")
	fmt.Println(name)
	// Output: example.net
}

// An entry of the operator is the least that is done; one with Override is all.
func ExampleTable() {
	policies := &tlspolicy.Policies{Static: &tlspolicy.Table{
		Default: tlspolicy.Static{Level: tlspolicy.Encrypt},
		Domains: map[string]tlspolicy.Static{"old.example": {Level: tlspolicy.None, Override: true}},
	}}
	for _, domain := range []string{"example.net", "old.example"} {
		policy, err := policies.Policy(context.Background(), domain)
		if err != nil {
			fmt.Println(err)
			return
		}
		rule, err := policy.Rule(context.Background(), deliver.MXHost{Name: "mx." + domain})
		fmt.Println(domain, rule.Required, rule.Source, err)
	}
	// Output:
	// example.net true static <nil>
	// old.example false none <nil>
}
