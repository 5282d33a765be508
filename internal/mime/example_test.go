package mime_test

import (
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
)

func ExampleWalk() {
	msg := "From: Joe <joe@example.org>\r\nSubject: Re: hello\r\n\r\nHello, Ann.\r\n"
	root, err := mime.Walk(strings.NewReader(msg), int64(len(msg)), mime.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", root.Envelope.Subject)
	fmt.Printf("%s\n", mime.AppendBody(nil, root, false))
	span, _ := root.Section([]uint32{1}, mime.SectionAll)
	fmt.Println(span)
	// Output:
	// Re: hello
	// ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1)
	// {51 64}
}
