package verp_test

import (
	"fmt"
	"log"

	"github.com/mailstead/mailstead/deliver/verp"
	"github.com/mailstead/mailstead/smtp"
)

// A bounce says by its address for whom it is.
func Example() {
	s := &verp.Scheme{Prefix: "news", Domain: "lists.example"}
	bob, err := smtp.ParseMailbox("bob@example.net", false)
	if err != nil {
		log.Fatal(err)
	}
	path, err := s.Encode(bob)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(path)

	bounced, err := s.Decode(path.Path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("bounced:", bounced.Path)
	// Output:
	// news+bob=example.net@lists.example
	// bounced: bob@example.net
}
