package dmarc_test

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// answers is a resolver that has the policy of example.org and nothing else.
type answers struct{}

func (answers) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if name == "_dmarc.example.org" && t == dnsx.TXT {
		return &dnsx.Answer{Texts: []string{"v=DMARC1; p=reject; rua=mailto:reports@example.org"}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

func ExampleChecker_Discover() {
	header := []byte("From: Joe <joe@news.example.org>\r\nSubject: hello\r\n\r\n")
	domain, err := dmarc.AuthorDomain(header)
	if err != nil {
		fmt.Println("refused:", err)
		return
	}
	checker := &dmarc.Checker{Resolver: answers{}}
	policy := checker.Discover(context.Background(), domain) // while the body is still coming

	v := policy.Evaluate(context.Background(), []dmarc.Identifier{{Method: dmarc.DKIM, Domain: "example.org", Result: "pass"}})
	fmt.Printf("dmarc=%s policy.dmarc=%s header.from=%s\n", v.Result, v.Disposition, v.Domain)
	v = policy.Evaluate(context.Background(), []dmarc.Identifier{{Method: dmarc.SPF, Domain: "example.com", Result: "pass"}})
	fmt.Printf("dmarc=%s policy.dmarc=%s header.from=%s\n", v.Result, v.Disposition, v.Domain)
	// Output:
	// dmarc=pass policy.dmarc=none header.from=news.example.org
	// dmarc=fail policy.dmarc=reject header.from=news.example.org
}
