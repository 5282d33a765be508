package transfer

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/examples/internal/answer"
)

// TestParse: places, and what is none. No error shows a password.
func TestParse(t *testing.T) {
	for text, want := range map[string]Place{
		"account:ann@example.org":                   {Kind: Account, Name: "ann@example.org"},
		"sqlite:/var/mail#ann@example.org":          {Kind: SQLite, Path: "/var/mail", Name: "ann@example.org"},
		"postgres://u:p@h/db?x=y#ann%40example.org": {Kind: Postgres, Path: "postgres://u:p@h/db?x=y", Name: "ann@example.org"},
		"postgresql://h/db#ann":                     {Kind: Postgres, Path: "postgresql://h/db", Name: "ann"},
		"maildir:/m":                                {Kind: Maildir, Path: "/m"},
		"maildir:/m:UTF-8":                          {Kind: Maildir, Path: "/m", UTF8: true},
		"MBOX:old.mbox":                             {Kind: Mbox, Path: "old.mbox"},
		"eml:a:b":                                   {Kind: Eml, Path: "a:b"},
		"imap://ann%40example.org@h":                {Kind: IMAP, User: "ann@example.org", Host: "h", Addr: "h:143"},
		"imaps://ann:a%3Ab@h:9/":                    {Kind: IMAPS, User: "ann", Password: "a:b", Host: "h", Addr: "h:9"},
		"imap://ann@[::1]?tls=off":                  {Kind: IMAP, User: "ann", Host: "::1", Addr: "[::1]:143", NoTLS: true},
		"pop3://ann@h":                              {Kind: POP3, User: "ann", Host: "h", Addr: "h:110"},
		"pop3s://ann@h":                             {Kind: POP3S, User: "ann", Host: "h", Addr: "h:995"},
	} {
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		p.URL = nil
		if *p != want {
			t.Errorf("%s: %+v, want %+v", text, *p, want)
		}
	}
	for _, text := range []string{
		"", "x", ":x", "ftp://u:secret@h/", "account:", "sqlite:x", "sqlite:#ann", "postgres://u:secret@h/db", "postgres://u:secret@h/db#%zz", "maildir:", "maildir::UTF-8",
		"imap://h", "imap://:secret@h", "imap://u:secret@", "imap://u:secret@h/INBOX", "imap://u:secret@h/#x", "imap://u:sec ret@h", "imap://u:secret@h:x/",
		"imap://u:secret@h?tls=off", "imap://u:secret@127.0.0.1?tls=on", "imap://u:secret@127.0.0.1?tls=off&x=y", "imaps://u:secret@127.0.0.1?tls=off",
	} {
		p, err := Parse(text)
		if err == nil {
			t.Errorf("%q is %+v", text, *p)
		} else if strings.Contains(err.Error(), "sec") {
			t.Errorf("%q: shows a secret: %v", text, err)
		}
	}
}

// TestAbsolute: another process finds the same files.
func TestAbsolute(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"maildir:m":         "maildir:" + here + "/m",
		"maildir:m:UTF-8":   "maildir:" + here + "/m:UTF-8",
		"mbox:/m":           "mbox:/m",
		"sqlite:data#a@b":   "sqlite:" + here + "/data#a@b",
		"account:a@b":       "account:a@b",
		"imap://a:secret@h": "imap://a:secret@h",
		"postgres://h/db#a": "postgres://h/db#a",
	} {
		if got, err := Absolute(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

// TestStoreName: no secrets, and one name whatever the way to it.
func TestStoreName(t *testing.T) {
	dir := t.TempDir()
	real := RealPath(dir)
	for _, x := range []struct{ at, data, want string }{
		{"sqlite:", dir + "/.", "sqlite:" + real},
		{"maildir:", dir, "maildir:" + real},
		{"maildir:/none/../x", dir, "maildir:/x"},
		{"postgres://u:secret@h:1/db?sslmode=disable", dir, "postgres://h:1/db"},
		{"postgresql://u@h:1/db", "", "postgres://h:1/db"},
	} {
		if got := StoreName(x.at, x.data); got != x.want {
			t.Errorf("%s: %s, want %s", x.at, got, x.want)
		}
	}
	for text, want := range map[string]string{
		"imap://u:secret@h": "imap://u@h/", "imaps://u@h:993": "imap://u@h/", "imap://u@h:1143": "imap://u@h:1143/", "pop3s://u@h": "pop3://u@h/",
	} {
		if p, err := Parse(text); err != nil || p.serverName() != want {
			t.Errorf("%s: %s, %v", text, p.serverName(), err)
		}
	}
}

// TestRename says where mailboxes go.
func TestRename(t *testing.T) {
	dir := t.TempDir()
	for _, x := range []struct {
		source, target, into string
		include              []string
		box, want            string
	}{
		{"eml:x", "account:a", "", nil, "Lists/go", ""},
		{"eml:x", "account:a", "Old/2020", nil, "Lists/go", "Old/2020/Lists/go"},
		{"eml:x", "account:a", "Old", nil, "inbox", "Old"},
		{"mbox:" + dir, "account:a", "Old", nil, "sent", "Old/sent"},
		{"mbox:" + dir + "/one.mbox", "account:a", "Old", nil, "one", "Old"},
		{"account:a", "mbox:" + dir + "/one.mbox", "", []string{"INBOX"}, "INBOX", "one"},
		{"account:a", "mbox:" + dir + "/one.mbox", "", []string{"Lists/*"}, "Lists/go", ""},
		{"account:a", "mbox:" + dir, "", []string{"INBOX"}, "INBOX", ""},
	} {
		in := &answer.MigrateRequest{Source: answer.MigratePlace{URL: x.source}, Target: answer.MigratePlace{URL: x.target}}
		in.Into, in.Include = x.into, x.include
		got, f := "", rename(in)
		if f != nil {
			got = strings.Join(f(migrate.Mailbox{Path: strings.Split(x.box, "/")}), "/")
		}
		if got != x.want {
			t.Errorf("%+v: %q", x, got)
		}
	}
}

// FuzzParse: a place that is refused shows no password; one that is taken says
// where it is.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"account:ann", "sqlite:/d#ann", "postgres://u:p@h/d#ann%40x", "imap://ann%40x:secret@127.0.0.1:1/?tls=off", "pop3s://a:b@h", "maildir:/m:UTF-8", "x:y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err == nil {
			if p.Path == "" && p.Name == "" && p.Addr == "" {
				t.Errorf("%q: %+v", text, p)
			}
			return
		}
		if _, password, ok := strings.Cut(text, ":S3CRET"); ok && password == "" {
			t.Skip()
		}
		if strings.Contains(text, "S3CRET") && strings.Contains(err.Error(), "S3CRET") && !strings.HasPrefix(strings.ToUpper(text), "S3CRET") {
			t.Errorf("%q: %v", text, err)
		}
	})
}
