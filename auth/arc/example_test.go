package arc_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
)

// A mailing list changes a message and seals it; the host behind it believes what
// the list says of the message as it came in.
func Example() {
	ctx := context.Background()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	record, _ := dkim.Record(key.Public())
	verifier := &arc.Verifier{Resolver: zone{"s1._domainkey.lists.example": record}}

	// The list: judge what comes in, change it, seal what goes out.
	message := "From: joe@example.org\r\nSubject: hello\r\n\r\nHi.\r\n"
	judged, _ := verifier.Verify(ctx, strings.NewReader(message))
	found := authres.Field{ID: "mx.lists.example", Statements: []authres.Statement{
		judged.Statement(),
		{Method: authres.DMARC, Result: authres.Pass, Properties: []authres.Property{{Type: "header", Name: "from", Value: "example.org"}}},
	}}
	changed := strings.Replace(message, "Subject: ", "Subject: [list] ", 1)
	sealer := &arc.Sealer{Key: dkim.Key{Domain: "lists.example", Selector: "s1", Signer: key}}
	set, err := sealer.Seal(strings.NewReader(changed), judged, found)
	if err != nil {
		fmt.Println(err)
		return
	}

	// The host behind it.
	result, _ := verifier.Verify(ctx, strings.NewReader(string(set)+changed))
	evidence := result.Evidence(arc.TrustDomains("lists.example"))
	fmt.Println(result.Result, evidence.Sealer, evidence.Passed("example.org"))
	// Output: pass lists.example true
}
