package mime_test

import (
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
)

func ExampleWalk() {
	msg := "From: Joe <joe@example.org>\r\nSubject: Re: hello\r\n\r\nHello, Ann.\r\n"
	r := strings.NewReader(msg)
	tree, err := mime.Walk(r, r.Size(), mime.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", tree.Root().Envelope.Subject)
	body, err := mime.Form{Tree: tree, Content: r}.Append(nil)
	fmt.Printf("%s %v\n", body, err)
	span, _ := mime.Section(tree, []uint32{1}, mime.SectionAll)
	fmt.Println(span)
	// Output:
	// Re: hello
	// ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1) <nil>
	// {51 64}
}
