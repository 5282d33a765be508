package imapscope

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
)

func sources(line string) (string, error) {
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{MaxLine: 64 << 10})
	if err := dec.Begin(); err != nil {
		return "", err
	}
	list, err := ReadSources(dec, dec.AString)
	if err == nil {
		err = dec.End()
	}
	return fmt.Sprint(list), err
}

func TestReadSources(t *testing.T) {
	for line, want := range map[string]string{
		"(selected)":                               "[{0 []}]",
		"(personal Subscribed INBOXES)":            "[{3 []} {4 []} {2 []}]",
		"(mailboxes a subtree-one \"b c\")":        "[{7 [a]} {6 [b c]}]",
		"(subtree (a {1+}\r\nb) selected)":         "[{5 [a b]} {0 []}]",
		"(mailboxes personal mailboxes mailboxes)": "[{7 [personal]} {7 [mailboxes]}]",
	} {
		if got, err := sources(line); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", line, got, err, want)
		}
	}
	for _, line := range []string{
		"", "()", "(all)", "selected", "(selected-delayed)", "(mailboxes)", "(mailboxes ())", "(mailboxes (a", "(subtree a b)",
		"(selected (option))", "(personal personal", "(mailboxes (" + strings.Repeat("a ", 1000) + "a))", "(" + strings.Repeat("personal ", 1000) + "personal)",
	} {
		if got, err := sources(line); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%.40s: %s, %v", line, got, err)
		}
	}
}

func FuzzReadSources(f *testing.F) {
	f.Add("(mailboxes (a b) subtree-one c selected)")
	f.Fuzz(func(t *testing.T, line string) {
		_, _ = sources(line)
	})
}

// TestSet: which mailboxes scopes mean (RFC 5465 §6, RFC 7377 §2.2).
func TestSet(t *testing.T) {
	box := func(name string) Mailbox { return Mailbox{Name: name} }
	for _, tt := range []struct {
		scope Scope
		m     Mailbox
		want  bool
	}{
		{Scope{Kind: Personal}, Mailbox{Name: "x", Own: true}, true},
		{Scope{Kind: Inboxes}, Mailbox{Name: "x", Own: true}, true},
		{Scope{Kind: Personal}, Mailbox{Name: "x", Subscribed: true}, false},
		{Scope{Kind: Subscribed}, Mailbox{Name: "x", Subscribed: true}, true},
		{Scope{Kind: Subscribed}, Mailbox{Name: "x", Own: true}, false},
		{Scope{Selected, nil}, Mailbox{Name: "x", Own: true, Subscribed: true}, false},
		{Scope{Subtree, []string{"a"}}, box("a"), true},
		{Scope{Subtree, []string{"a"}}, box("a/b/c"), true},
		{Scope{Subtree, []string{"a"}}, box("ab"), false},
		{Scope{SubtreeOne, []string{"a"}}, box("a/b"), true},
		{Scope{SubtreeOne, []string{"a"}}, box("a/b/c"), false},
		{Scope{Mailboxes, []string{"a", "b"}}, box("b"), true},
		{Scope{Mailboxes, []string{"a", "b"}}, box("b/c"), false},
	} {
		set := NewSet(tt.scope)
		if got := set.Names(tt.m.Name) || set.Covers(tt.m); got != tt.want {
			t.Errorf("%+v, %+v: %v", tt.scope, tt.m, got)
		}
	}
}
