package imapwire_test

import (
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// A server reads a command, answers a broken one with BAD, and goes on.
func ExampleDecoder() {
	input := "a1 DELETE {3+}\r\nold\r\na2 DELETE (\r\na3 NOOP\r\n"
	d := imapwire.NewDecoder(strings.NewReader(input), imapwire.Config{})
	parse := func() (tag, what string, err error) {
		if tag, err = d.Tag(); err != nil {
			return "*", "", err
		}
		if err = d.SP(); err != nil {
			return tag, "", err
		}
		if what, err = d.Word(); err != nil {
			return tag, "", err
		}
		if what == "DELETE" {
			if err = d.SP(); err != nil {
				return tag, "", err
			}
			name, err := d.AString()
			if err != nil {
				return tag, "", err
			}
			what += " " + name
		}
		return tag, what, d.End()
	}
	for d.Begin() == nil {
		tag, what, err := parse()
		if err != nil {
			fmt.Println(tag, "BAD", err)
		} else {
			fmt.Println(tag, "OK", what)
		}
		if d.Discard() != nil {
			return
		}
	}
	// Output:
	// a1 OK DELETE old
	// a2 BAD imapwire: astring expected at octet 10
	// a3 OK NOOP
}
