package imapurl

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const hexToken = "91354a473744909de610943775f92038"

var urls = map[string]URL{
	"imap://h":                      {Host: "h"},
	"imap://h/":                     {Host: "h"},
	"imap://joe@h:143/":             {User: "joe", Host: "h:143"},
	"imap://joe;AUTH=*@[::1]/INBOX": {User: "joe", Auth: "*", Host: "[::1]", Mailbox: "INBOX"},
	"imap://;auth=PLAIN@h/a/b":      {Auth: "PLAIN", Host: "h", Mailbox: "a/b"},
	"imap://h/Gr%C3%BC%25e;UIDVALIDITY=7?SUBJECT%20x": {
		Host: "h", Mailbox: "Grü%e", UIDValidity: 7, Search: "SUBJECT x",
	},
	"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME": {
		Form: Path, Mailbox: "Drafts", UIDValidity: 385759045, UID: 20, Section: "1.MIME",
	},
	"/a/b/;UID=1/;SECTION=HEADER.FIELDS%20(X/Y)/;PARTIAL=5.7": {
		Form: Path, Mailbox: "a/b", UID: 1, Section: "HEADER.FIELDS (X/Y)", Partial: true, Offset: 5, Count: 7,
	},
	"/;UID=20/;PARTIAL=0":   {Form: Relative, UID: 20, Partial: true},
	";UID=20/;SECTION=TEXT": {Form: Relative, UID: 20, Section: "TEXT"},
	"imap://joe@h/INBOX/;uid=20/;section=1.2;urlauth=submit+fred": {
		User: "joe", Host: "h", Mailbox: "INBOX", UID: 20, Section: "1.2", Access: Access{Submit, "fred"},
		Rump: "imap://joe@h/INBOX/;uid=20/;section=1.2;urlauth=submit+fred",
	},
	"imap://joe@h/INBOX/;UID=20;EXPIRE=2026-11-28T12:00:00Z;URLAUTH=user+f%40x:internal:" + hexToken: {
		User: "joe", Host: "h", Mailbox: "INBOX", UID: 20, Access: Access{User, "f@x"},
		Expire: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Mechanism: "INTERNAL", Token: hexToken,
		Rump: "imap://joe@h/INBOX/;UID=20;EXPIRE=2026-11-28T12:00:00Z;URLAUTH=user+f%40x",
	},
	"imap://h/x/;UID=1;URLAUTH=anonymous": {Host: "h", Mailbox: "x", UID: 1, Access: Access{Kind: Anonymous}, Rump: "imap://h/x/;UID=1;URLAUTH=anonymous"},
	"imap://h/x/;UID=1;URLAUTH=authuser":  {Host: "h", Mailbox: "x", UID: 1, Access: Access{Kind: AuthUser}, Rump: "imap://h/x/;UID=1;URLAUTH=authuser"},
}

func TestParse(t *testing.T) {
	for text, want := range urls {
		if got, err := Parse(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "http://h/", "imap:", "imap://", "imap:///x", "imap://@h/", "imap://a b/", "imap://u;X=y@h/", "imap://u;AUTH=@h/",
		"INBOX", "/", "//h/x", "/a b", "/%", "/%4", "/%gg", "/%FF", "/a%00b", "/a%0Ab", "/a;b", "/a/;UID=0", "/a/;UID=4294967296", "/a;UID=1",
		"/a/;UID=1/", "/a/;UID=1x", "/a/;UID=1/;SECTION=", "/a/;UID=1/;PARTIAL=", "/a/;UID=1/;PARTIAL=1.0", "/a/;UID=1/;PARTIAL=9223372036854775808",
		"/a/;UID=1/;PARTIAL=1/;SECTION=1", "/a/;UID=1;EXPIRE=x;URLAUTH=anonymous", "/a/;UID=1;EXPIRE=2026-11-28T12:00:00Z", "/a/;UID=1;URLAUTH=",
		"/a/;UID=1;URLAUTH=submit+", "/a/;UID=1;URLAUTH=authuser+x", "/a/;UID=1;URLAUTH=nobody", "/a/;UID=1;URLAUTH=anonymous:internal",
		"/a/;UID=1;URLAUTH=anonymous::" + hexToken, "/a/;UID=1;URLAUTH=anonymous:internal:" + hexToken[1:], "/a/;UID=1;URLAUTH=anonymous:internal:" + hexToken + "g",
		"/" + strings.Repeat("x", MaxLength),
	} {
		if got, err := Parse(text); err != ErrSyntax {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// Invariant I1.
func FuzzParse(f *testing.F) {
	for text := range urls {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			return
		}
		if u.Rump != "" && !strings.HasPrefix(text, u.Rump) {
			t.Fatalf("rump %q of %q", u.Rump, text)
		}
		again, err := Parse(u.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, u, err)
		}
		same := u.Expire.Equal(again.Expire)
		u.Rump, again.Rump, u.Expire, again.Expire = "", "", time.Time{}, time.Time{}
		if !same || !reflect.DeepEqual(u, again) {
			t.Fatalf("%q:\n%+v\n%+v", text, u, again)
		}
	})
}
