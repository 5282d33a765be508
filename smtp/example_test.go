package smtp_test

import (
	"fmt"
	"log"

	"github.com/mailstead/mailstead/smtp"
)

func ExampleParseReversePath() {
	for _, s := range []string{`<"ann b"@example.org>`, "<>", "<ann@-.example>"} {
		p, err := smtp.ParseReversePath(s, false)
		fmt.Printf("%q null %v, refused %v\n", p.Path.String(), p.IsNull(), err != nil)
	}
	// Output:
	// "\"ann b\"@example.org" null false, refused false
	// "" null true, refused false
	// "" null true, refused true
}

// What a client reads is typed: the code, the enhanced code and the text.
func ExampleParseReply() {
	r, err := smtp.ParseReply("452-4.2.2 the mailbox is full\r\n452 4.2.2 try later\r\n")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Code, r.Enhanced, r.Lines)
	// Output: 452 4.2.2 [the mailbox is full try later]
}
