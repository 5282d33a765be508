package imap_test

import (
	"fmt"
	"log"

	"github.com/mailstead/mailstead/imap"
)

// A set is kept as it was written; in a mailbox of 10 messages it means these.
func ExampleParseNumSet() {
	set, err := imap.ParseNumSet("8:*,2,4:5")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set, "is", set.Resolve(10))
	// Output: 8:*,2,4:5 is 2,4:5,8:10
}
