package imapnotify

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapscope"
	"github.com/mailstead/mailstead/internal/imapwire"
)

func parse(line string) (Request, error) {
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return Request{}, err
	}
	r, err := Parse(dec, imapfetch.Dialect{}, dec.AString)
	if err == nil {
		err = dec.End()
	}
	return r, err
}

func TestParse(t *testing.T) {
	// RFC 5465 §3.1 and §6.
	r, err := parse("set status (selected MessageNew)")
	if !errors.As(err, new(*imapwire.SyntaxError)) {
		t.Errorf("events without parentheses: %+v, %v", r, err)
	}
	r, err = parse("set status (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) " +
		"(subtree Lists (MessageNew MessageExpunge)) (personal (SubscriptionChange mailboxname))")
	switch {
	case err != nil:
		t.Fatal(err)
	case !r.Status || r.None || r.Delayed || r.Selected != MessageNew|MessageExpunge:
		t.Errorf("%+v", r)
	case r.New == nil || r.New.Items != imap.FetchUID || len(r.New.Sections) != 1:
		t.Errorf("%+v", r.New)
	}
	for _, tt := range []struct {
		m    imapscope.Mailbox
		want Event
	}{
		{imapscope.Mailbox{Name: "Lists", Own: true}, MessageNew | MessageExpunge | SubscriptionChange | MailboxName},
		{imapscope.Mailbox{Name: "Lists/Lemonade"}, MessageNew | MessageExpunge},
		{imapscope.Mailbox{Name: "Listsx"}, 0},
		{imapscope.Mailbox{Name: "x", Own: true}, SubscriptionChange | MailboxName},
	} {
		if got := r.Events(tt.m); got != tt.want {
			t.Errorf("%+v: %b, want %b", tt.m, got, tt.want)
		}
	}
	r, err = parse("SET (SELECTED-DELAYED (messagenew messageexpunge flagchange)) (mailboxes (a \"b c\") NONE) (subscribed NONE)")
	if err != nil || !r.Delayed || r.Selected != Messages || r.New != nil || r.Status || len(r.Groups[0].Scope.Names) != 2 || r.Has(Messages) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = parse("none"); err != nil || !r.None {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, line := range []string{
		"", "SET", "SET ", "NONE x", "FOO", "SET STATUS", "SET X (personal NONE)", "SET ()", "SET (personal)", "SET (personal ())", "SET (foo NONE)", "SET (subtree-one a NONE)",
		"SET (selected (MailboxName))", "SET (selected NONE) (selected-delayed NONE)", "SET (personal (MessageNew))",
		"SET (personal (MessageExpunge))", "SET (personal (FlagChange))", "SET (personal (MessageNew (UID) MessageExpunge))",
		"SET (subtree (MessageNew MessageExpunge))", "SET (mailboxes () NONE)", "SET (selected (MessageNew () MessageExpunge))",
	} {
		if r, err := parse(line); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	for _, line := range []string{
		"SET (selected (MessageNew MessageExpunge AnnotationChange))", "SET (personal (X-New))",
	} {
		if r, err := parse(line); !errors.Is(err, ErrEvent) {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	many := "SET" + strings.Repeat(" (personal NONE)", MaxGroups+1)
	if _, err := parse(many); !errors.Is(err, ErrMany) {
		t.Errorf("groups: %v", err)
	}
	names := "SET (mailboxes (" + strings.TrimSpace(strings.Repeat("a ", MaxNames+1)) + ") NONE)"
	if _, err := parse(names); !errors.Is(err, ErrMany) {
		t.Errorf("names: %v", err)
	}
	if got := Supported(true); !strings.HasPrefix(got, "MessageNew MessageExpunge ") || len(strings.Fields(got)) != len(events) {
		t.Error(got)
	}
	if got := Supported(false); strings.Contains(got, "Metadata") || len(strings.Fields(got)) != len(events)-2 {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("set status (selected (MessageNew (uid) MessageExpunge)) (subtree (a b) (FlagChange MessageNew MessageExpunge))")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parse(line)
		if err != nil {
			return
		}
		n := 0
		for _, g := range r.Groups {
			n += len(g.Scope.Names)
			if e := g.Events; (e&MessageNew != 0) != (e&MessageExpunge != 0) || e&FlagChange != 0 && e&MessageNew == 0 {
				t.Fatalf("%q: %s", line, fmt.Sprint(g))
			}
		}
		if len(r.Groups) > MaxGroups || n > MaxNames {
			t.Fatalf("%q: %d groups, %d names", line, len(r.Groups), n)
		}
	})
}
