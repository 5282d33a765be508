package mime

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// nilOr shows a slice so that nil and empty differ.
func nilOr(b []byte) string {
	if b == nil {
		return "-"
	}
	return string(b)
}

func addresses(list string) string {
	var out []string
	for a := range Addresses([]byte(list)) {
		switch a.Kind {
		case GroupStart:
			out = append(out, "["+string(a.Name))
		case GroupEnd:
			out = append(out, "]")
		default:
			out = append(out, nilOr(a.Name)+"|"+nilOr(a.Route)+"|"+nilOr(a.Local)+"|"+nilOr(a.Domain))
		}
	}
	return strings.Join(out, " / ")
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{" , ; ,", ""},
		{"user@domain", "-|-|user|domain"},
		{"<user@domain>", "-|-|user|domain"},
		{"foo bar <user@domain>", "foo bar|-|user|domain"},
		{`"foo  \"bar" <user@domain>`, `foo  "bar|-|user|domain`},
		{`J. "Q" Doe<user@domain>`, "J. Q Doe|-|user|domain"},
		{`"a b"@domain`, "-|-|a b|domain"},
		{`"a@b"@domain`, "-|-|a@b|domain"},
		{"user@domain (Joe Doe)", "Joe Doe|-|user|domain"},
		{"(c) Joe <user@domain> (d)", "Joe|-|user|domain"},
		{"(Joe \\) (x)) user@domain", `Joe ) (x)|-|user|domain`},
		{"user (a) . b @ domain (c) . org", "c|-|user.b|domain.org"},
		{"<@a,@b:user@domain>", "-|@a,@b|user|domain"},
		{"hello <@a , @b : user@domain>, x@y", "hello|@a , @b|user|domain / -|-|x|y"},
		{"user", "-|-|user|-"},
		{"user (Joe)", "Joe|-|user|-"},
		{"Joe Doe", "Joe Doe|-|-|-"},
		{"Joe <user>", "Joe|-|user|-"},
		{"Joe <>", "Joe|-|-|-"},
		{"<>", "-|-|-|-"},
		{"@domain", "-|-|-|domain"},
		{"user@", "-|-|user|-"},
		{"Joe <user@domain", "Joe|-|user|domain"},
		{"Joe <user@domain, x@y", "Joe|-|user|domain / -|-|x|y"},
		{"Joe <user@domain>> x", "Joe > x|-|user|domain"},
		{"joe@a.org <joe@b.org>", "joe@a.org|-|joe|b.org"},
		{"Joe Doe joe@a.org", "Joe Doe|-|joe|a.org"},
		{"joe@a.org Joe Doe", "Joe Doe|-|joe|a.org"},
		{"a@b@c", "-|-|a@b|c"},
		{"Doe, Joe <a@b>", "-|-|Doe|- / Joe|-|a|b"},
		{"a@b,,c@d;e@f", "-|-|a|b / -|-|c|d / -|-|e|f"},
		{"x@[IPv6:::1]", "-|-|x|[IPv6:::1]"},
		{"undisclosed-recipients:;", "[undisclosed-recipients / ]"},
		{"A \"B\": a@b, C <c@d>; , e@f", "[A B / -|-|a|b / C|-|c|d / ] / -|-|e|f"},
		{"open: a@b", "[open / -|-|a|b / ]"},
		{":;", "[ / ]"},
		{"\"unclosed <a@b>", "-|-|unclosed <a@b>|-"},
		{"(unclosed <a@b>", "unclosed <a@b>|-|-|-"},
		{"J\xf6rg <a@b>", "J\xf6rg|-|a|b"},
		{"=?utf-8?q?a,_b?= <a@b>", "-|-|=?utf-8?q?a|- / _b?=|-|a|b"},
	} {
		if got := addresses(tt.in); got != tt.want {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

// FuzzAddresses: the parser ends, groups are closed, and a list with anything
// but separators, space and comments gives an element (I5).
func FuzzAddresses(f *testing.F) {
	f.Add("a <@b,@c:d@e>, f:g (h);")
	f.Add("\"\\\"<(")
	f.Fuzz(func(t *testing.T, list string) {
		n, depth := 0, 0
		for a := range Addresses([]byte(list)) {
			switch a.Kind {
			case GroupStart:
				depth++
			case GroupEnd:
				depth--
			}
			if depth < 0 || depth > 1 {
				t.Fatalf("groups of %q", list)
			}
			if n++; n > 2*len(list)+1 {
				t.Fatalf("%q does not end", list)
			}
		}
		if depth != 0 {
			t.Fatalf("%q leaves a group open", list)
		}
		if n == 0 && strings.Trim(list, ",; \t\r\n") != "" {
			t.Fatalf("%q is lost", list)
		}
		left := 1 << 30
		form := appendAddresses(nil, []byte(list), &left)
		if m, err := imapwire.SkipValue(append(form, ' '), 3); err != nil || m != len(form) {
			t.Fatalf("%q: %v", form, err)
		}
	})
}

// parse walks a message given with LF.
func parse(t testing.TB, msg string) (*Tree, string) {
	t.Helper()
	msg = strings.ReplaceAll(msg, "\n", "\r\n")
	root, err := Walk(strings.NewReader(msg), int64(len(msg)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return root, msg
}

func TestEnvelope(t *testing.T) {
	const a = `((NIL NIL "a" "b"))`
	for _, tt := range []struct{ in, want string }{
		{"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"Date:\nSubject: \nFrom:\nSender: ,\nMessage-ID:\n", `("" "" NIL NIL NIL NIL NIL NIL NIL "")`},
		{"From: a@b\n", "(NIL NIL " + a + " " + a + " " + a + " NIL NIL NIL NIL NIL)"},
		{"From: a@b\nReply-To: c@d\nSender:\n", "(NIL NIL " + a + " " + a + ` ((NIL NIL "c" "d")) NIL NIL NIL NIL NIL)`},
		{"Subject: first\nSUBJECT: a\n\tb\n  c  \n", "(NIL \"a b c\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"Subject: \xfc\"\\\n", "(NIL {3}\r\n\xfc\"\\ NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"Subject: a\x00b\rc\n", "(NIL {4}\r\nab c NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"To: a@b\nto : c@d\n", `(NIL NIL NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)`},
		{"Cc: g: a@b;\nBcc: x\n", `(NIL NIL NIL NIL NIL NIL ((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) ((NIL NIL "x" "MISSING_DOMAIN")) NIL NIL)`},
		{"In-Reply-To: <a@b>\nMessage-Id: <c@d>\n", `(NIL NIL NIL NIL NIL NIL NIL NIL "<a@b>" "<c@d>")`},
	} {
		root, _ := parse(t, tt.in+"\n")
		if got := string(AppendEnvelope(nil, &root.Root().Envelope)); got != tt.want {
			t.Errorf("%q\n got %q\nwant %q", tt.in, got, tt.want)
		}
	}
	if got := string(AppendEnvelope(nil, nil)); got != "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" {
		t.Error(got)
	}
}

func TestAppendBody(t *testing.T) {
	for _, tt := range []struct{ in, body, structure string }{
		{
			"\nhi\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1 NIL NIL NIL NIL)`,
		},
		{
			"Content-Type: Text/HTML; Charset=\"UTF-8\" (x); format=flowed\nContent-Transfer-Encoding: BASE64\n\nhi\n",
			`("Text" "HTML" ("Charset" "UTF-8" "format" "flowed") NIL NIL "BASE64" 4 1)`, "",
		},
		{"Content-Type: text/x; a=b\n\n", `("text" "x" ("a" "b" "charset" "us-ascii") NIL NIL "7bit" 0 0)`, ""},
		{
			"Content-Type: image/png; name*0*=utf-8''%41; name*1=b c\nContent-ID: <i@d>\nContent-Description: some \"thing\"\nContent-MD5: abc=\nContent-Disposition: attachment; filename=\"a\\\"b.png\"\nContent-Language: en, de\nContent-Location: http://x/\n\n1234",
			`("image" "png" ("name*" "utf-8''%41b%20c") "<i@d>" "some \"thing\"" "7bit" 4)`,
			`("image" "png" ("name*" "utf-8''%41b%20c") "<i@d>" "some \"thing\"" "7bit" 4 "abc=" ("attachment" ("filename" "a\"b.png")) ("en" "de") "http://x/")`,
		},
		{
			"Content-Type: multipart/mixed\nContent-Disposition: inline\n\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")`,
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" NIL ("inline" NIL) NIL NIL)`,
		},
		{
			"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: s\n\ntwo\n--b--\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0)("message" "rfc822" NIL NIL NIL "7bit" 17 2 `,
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`,
		},
	} {
		root, msg := parse(t, tt.in)
		check(t, root, []byte(msg))
		if got := structure(t, root, msg, 0, false); got != tt.body && tt.structure == "" {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, tt.body)
		}
		if got := structure(t, root, msg, 0, true); got != tt.structure && tt.structure != "" {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, tt.structure)
		}
	}
}
