package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// TestPutMailboxOn holds the plan of one PutMailbox against the names that are
// there afterwards; "!" marks a name that holds no messages.
func TestPutMailboxOn(t *testing.T) {
	ids := map[string]store.MailboxID{}
	rows := func(names []string) (list []store.Mailbox) {
		for _, name := range names {
			ids[name] = store.NewMailboxID()
			m := store.Mailbox{ID: ids[name], Name: name}
			if name[0] == '!' {
				m.Name, m.NoSelect = name[1:], true
			}
			list = append(list, m)
		}
		return list
	}
	for _, c := range []struct {
		what   string
		before []string
		op     func() store.PutMailbox
		after  []string
		err    error
	}{
		{"levels are made", []string{"INBOX"}, create("a/b"), []string{"INBOX", "a", "a/b"}, nil},
		{"a name is taken", []string{"INBOX"}, create("inbox"), nil, store.ErrExists},
		{"a NoSelect name is free", []string{"!a", "a/b"}, create("a"), []string{"a", "a/b"}, nil},
		{"INBOX stays", []string{"INBOX"}, remove(ids, "INBOX"), nil, store.ErrInbox},
		{"children keep the name", []string{"a", "a/b"}, remove(ids, "a"), []string{"!a", "a/b"}, nil},
		{"the last child takes it along", []string{"!a", "!a/b", "a/b/c"}, remove(ids, "a/b/c"), []string{}, nil},
		{"a subtree moves", []string{"a", "a/b", "ab"}, rename(ids, "a", "x/y"), []string{"ab", "x", "x/y", "x/y/b"}, nil},
		{"not below itself", []string{"a"}, rename(ids, "a", "a/b"), nil, store.ErrName},
		{"not onto another", []string{"a", "b"}, rename(ids, "a", "b"), nil, store.ErrExists},
		{"INBOX is copied", []string{"INBOX", "INBOX/x"}, rename(ids, "INBOX", "old"), []string{"INBOX", "INBOX/x", "old"}, nil},
	} {
		list := rows(c.before)
		plan, err := c.op().On(list, false)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", c.what, err, c.err)
		}
		if err != nil {
			continue
		}
		if got := after(list, plan); !slices.Equal(got, c.after) {
			t.Errorf("%s: %q, want %q", c.what, got, c.after)
		}
	}
}

func create(name string) func() store.PutMailbox {
	return func() store.PutMailbox {
		return store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name}
	}
}

func remove(ids map[string]store.MailboxID, name string) func() store.PutMailbox {
	return func() store.PutMailbox { return store.PutMailbox{ID: ids[name], Delete: true} }
}

func rename(ids map[string]store.MailboxID, name, to string) func() store.PutMailbox {
	return func() store.PutMailbox { return store.PutMailbox{ID: ids[name], Name: to} }
}

func after(list []store.Mailbox, plan store.MailboxPlan) []string {
	now := map[store.MailboxID]store.Mailbox{}
	for _, m := range slices.Concat(list, plan.Rows) {
		now[m.ID] = m
	}
	names := []string{}
	for _, m := range now {
		switch {
		case m.NoSelect:
			names = append(names, "!"+m.Name)
		case !m.Gone:
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names
}
