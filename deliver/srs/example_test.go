package srs_test

import (
	"fmt"
	"log"

	"github.com/mailstead/mailstead/deliver/srs"
	"github.com/mailstead/mailstead/smtp"
)

// The reverse-path of forwarded mail is rewritten; a bounce finds its way back,
// and one with an invented hash does not.
func Example() {
	s := &srs.Scheme{Domain: "fwd.example", Secrets: []string{"a long secret"}}
	if err := s.Validate(); err != nil {
		log.Fatal(err)
	}
	alice, err := smtp.ParseReversePath("<alice@example.com>", false)
	if err != nil {
		log.Fatal(err)
	}
	forwarded, err := s.Forward(alice)
	if err != nil {
		log.Fatal(err)
	}
	back, err := s.Reverse(forwarded.Path)
	fmt.Println(forwarded.Domain, "leads back to", back, err)

	forged, err := smtp.ParseMailbox("SRS0=AAAA=AA=example.com=mallory@fwd.example", false)
	if err != nil {
		log.Fatal(err)
	}
	_, err = s.Reverse(forged)
	fmt.Println("forged:", err != nil)
	// Output:
	// fwd.example leads back to alice@example.com <nil>
	// forged: true
}
