package mailloop

import (
	"strings"
	"testing"
)

const (
	ours   = "Received: from a.example (a.example [192.0.2.1])\r\n\tby MX.example.org with ESMTP id 1;\r\n\tdate\r\n"
	theirs = "Received: from a.example by old.example.org with ESMTP id 1; date\r\n"
	to     = "Delivered-To: Ann@example.org\r\n"
)

func TestReturned(t *testing.T) {
	for _, test := range []struct {
		head string
		want bool
	}{
		{"", false},
		{ours + theirs, false},
		{to, false},
		{theirs + to + ours, true},
		{ours + theirs + to + "Authentication-Results: x\r\n" + ours, true},
		{ours + to + theirs, false},        // moved here from the other host, or fetched from it
		{ours + to + theirs + ours, false}, // the other host delivered it
		{ours + "Delivered-To: bob@example.org\r\n" + ours, false},
		{ours + "delivered-to:\r\n ann@EXAMPLE.org\r\n" + ours, true},
		{ours + to + "Delivered-To: bob@example.org\r\n" + ours, true},
		{theirs + "\r\n" + to + ours, false}, // the body
		{to + "Received: by\r\n", false},
		{to + "Received: by mx.example.org; date\r\n", true},
	} {
		got := Returned([]byte(test.head), "mx.example.org", func(a string) bool { return strings.EqualFold(a, "ann@example.org") })
		if got != test.want {
			t.Errorf("%q: %v", test.head, got)
		}
	}
	if Returned([]byte(to+"Received: by\r\n"), "", func(string) bool { return true }) {
		t.Error("a host without a name has delivered something")
	}
}

func FuzzReturned(f *testing.F) {
	f.Add([]byte(ours+to+theirs), "h")
	f.Fuzz(func(_ *testing.T, head []byte, host string) {
		Returned(head, host, func(a string) bool { return a == host })
	})
}
