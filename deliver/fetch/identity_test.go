package fetch_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/smtp"
)

// A server that gives an ID to another message loses nothing: not while the
// message stays, not when it is deleted at last.
func TestReusedID(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("1", letterText("one"))
	r.add("2", letterText("two"))
	c, s := w.collector(r)
	s.Keep = fetch.Keep{Always: true}
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.messages = nil
	r.add("1", letterText("new"))
	c, _ = w.collector(r)
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "new")
	wants(t, "server", r.ids())
	if w.events(fetch.EventReused) != 1 {
		t.Errorf("%d reused", w.events(fetch.EventReused))
	}
}

// Without IDs, and with IDs that two messages have, headers tell them apart; two
// messages that are alike are two.
func TestNoIDs(t *testing.T) {
	for _, id := range []string{"", "same"} {
		w, r := newWorld(t), &remote{}
		for _, subject := range []string{"one", "two", "two"} {
			r.add(id, letterText(subject))
		}
		for _, keep := range []bool{true, true, false, false} {
			c, s := w.collector(r)
			s.Keep.Always = keep
			if err := c.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "two")
		}
		wants(t, "server", r.ids())
		r.add(id, strings.Replace(letterText("two"), "Hello", "Jello", 1)) // those before are off the server
		c, _ := w.collector(r)
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "two", "two")
	}
}

// Of messages that only their bodies tell apart none is deleted before all are
// here: nobody could say which one is left when the answer to a deletion is lost.
func TestAlike(t *testing.T) {
	w, r := newWorld(t), &remote{}
	commits := 0
	r.faults = &faults{fail: func(_ int, what string) fault {
		if what == "commit" {
			if commits++; commits == 1 {
				return after
			}
		}
		return none
	}}
	r.add("", letterText("one")+"a")
	r.add("", letterText("one")+"b")
	c, s := w.collector(r)
	n := 0
	f := &faults{fail: func(int, string) fault {
		if n++; n == 2 {
			return before
		}
		return none
	}}
	s.Target = faultyTarget{s.Target, f}
	c.Once(t.Context())
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one")
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "server", r.ids())
	got := w.texts("ann@example.org", "INBOX")
	if len(got) != 2 || !strings.HasSuffix(got[0], "a") || !strings.HasSuffix(got[1], "b") {
		t.Errorf("%q", got)
	}
}

// A folder with another UIDVALIDITY has the messages that were fetched from it.
func TestGeneration(t *testing.T) {
	w, r := newWorld(t), &remote{}
	add := func(generation, subject string) {
		r.add(generation+"/"+subject, letterText(subject)).Generation = generation
	}
	add("1", "one")
	add("1", "two")
	c, s := w.collector(r)
	s.Keep.Always = true
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.messages = nil
	add("2", "zero")
	add("2", "one")
	add("2", "two")
	for range 2 {
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "zero")
	}
	s.Keep.Always = false
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "server", r.ids())
}

// Catch-all mail without an envelope: copies for several recipients are told
// from a message to several.
func TestCopies(t *testing.T) {
	w, r := newWorld(t), &remote{}
	text := letterText("both")
	r.add("1", text)
	r.add("2", strings.Replace(text, "Received: from x", "Received: from y", 1))
	c, s := w.collector(r)
	s.Recipients = fetch.RecipientsFunc(func(context.Context, *fetch.Message) (fetch.Decision, error) {
		return fetch.Decision{Recipients: []smtp.ForwardPath{path("ann@example.org"), path("bob@example.org")}, Step: "to", Guessed: true}, nil
	})
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "ann", w.subjects("ann@example.org", "INBOX"), "both")
	wants(t, "bob", w.subjects("bob@example.org", "INBOX"), "both")
	r.add("3", text)
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "ann", w.subjects("ann@example.org", "INBOX"), "both")
	wants(t, "quarantine", w.subjects("connector", "Quarantine"), "both")
}
