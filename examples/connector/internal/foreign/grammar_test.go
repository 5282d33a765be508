package foreign

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestFetchmailTokens(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`poll a;b,c:d`, "kw:poll str:a str:b str:c str:d"},
		{`user user password password is is`, "kw:user str:user kw:password str:password kw:is str:is"},
		{`auth password port 110`, "kw:auth str:password kw:port num:110"},
		{`nokeep noenvelope nothing no keep`, "kw:no kw:keep kw:no kw:envelope str:nothing kw:no kw:keep"},
		{`server proto username pass local`, "kw:poll kw:protocol kw:user str:pass kw:localdomains"},
		{`"a b" 'c "d"' "12" 12 -1 12a`, `str:a b str:c "d" str:12 num:12 num:-1 str:12a`},
		{`a=b *`, "str:a map:= str:b star:*"},
		{"x # no\n#all\ny \\\n z", "str:x str:y str:z"},
		{`pass#word #comment`, `str:pass#word`},
	} {
		l := &lexer{text: tt.text, line: 1}
		var got []string
		for {
			tok, err := l.next()
			if err != nil {
				t.Fatalf("%q: %v", tt.text, err)
			}
			if tok.kind == tokenEnd {
				break
			}
			got = append(got, [...]string{"", "kw", "str", "num", "star", "map"}[tok.kind]+":"+tok.text)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%q: got  %q\nwant %q", tt.text, s, tt.want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		`a`: "a", `\n\t\b\r`: "\n\t\b\r", `\65`: "A", `\0101`: "\b1", `\0x`: "\x00x", `\x41z`: "Az", `\x4`: "\x04", `\x`: "\x00",
		`\\`: `\`, `\"`: `"`, "a\\\nb": "ab", `a\`: "a", `\233`: "\xe9", `\0`: "\x00", `\1234`: "{4",
	} {
		if got := unescape(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestFetchmailFaults(t *testing.T) {
	for _, tt := range []struct {
		text string
		line int
		want string
	}{
		{"bogus", 1, "want set, defaults, poll or skip, not a name"},
		{"\npoll", 2, "want the name of a server, not the end of the file"},
		{"poll a\nbogus x", 2, "want an option, not a name"},
		{"poll a proto", 1, "want a value behind protocol"},
		{"poll a user \"x\n\ny", 1, "a quoted string does not end"},
		{"poll a user b c password d", 1, "want one name behind user"},
		{"poll a user b is c = ", 1, "want a local name behind ="},
		{"poll a no timeout", 1, "no does not go with timeout"},
		{"defaults\ndefaults", 2, "a second entry defaults"},
		{"poll a proto pop3 ssl user b", 1, "in front of user"},
		{"set bogus", 1, "a name cannot be set"},
		{"poll a user b is", 1, "want a name, not the end of the file"},
		{"poll a user b password \"hunter2\" \"hunter2\"", 1, "want an option, not a name"},
	} {
		err := NewImporter(Options{}).Fetchmail("rc", tt.text)
		var e *Error
		if !errors.As(err, &e) || e.Line != tt.line || !strings.Contains(e.Text, tt.want) || strings.Contains(e.Error(), "hunter2") {
			t.Errorf("%q: got %v, want line %d: %s", tt.text, err, tt.line, tt.want)
		}
	}
}

func TestFetchmailWords(t *testing.T) {
	one := func(text string) string {
		im := NewImporter(Options{Domain: "d.example"})
		if err := im.Fetchmail("rc", text); err != nil {
			return err.Error()
		}
		var out []string
		for _, s := range im.Result().Settings.Sources {
			out = append(out, fmt.Sprintf("%s %s %s %s %s %s %s", s.Protocol, s.Host, s.TLS, s.User, string(s.Password), s.Recipient, s.Leave))
		}
		return strings.Join(out, " | ")
	}
	for text, want := range map[string]string{
		"poll h proto pop3 user a is b here pass c":                                       "pop3 h  a c b@d.example ",
		"poll h proto pop3 user b here is a there pass c":                                 "pop3 h  a c b@d.example ",
		"poll h proto POP3 user a there is b@x.example here and wants pass c;":            "pop3 h  a c b@x.example ",
		"server h protocol imap: username a, password c, to b, keep":                      "imap h  a c b@d.example always",
		"defaults proto imap ssl keep\npoll h user a pass b\npoll i user c pass d nokeep": "imaps h  a b a@d.example always | imaps i  c d c@d.example ",
		"poll x via h proto pop3 user a pass b sslproto ''":                               "pop3 h none a b a@d.example ",
		"poll h proto pop3 user a pass \"\\x40b\"":                                        "pop3 h  a @@b a@d.example ",
		"poll h proto pop3 user a pass b smtpname z@y.example":                            "pop3 h  a b z@y.example ",
	} {
		if got := one(text); got != want {
			t.Errorf("%s: got  %q\nwant %q", text, got, want)
		}
	}
}

func TestGetmailFaults(t *testing.T) {
	for _, tt := range []struct {
		text string
		line int
		want string
	}{
		{"x = y", 1, "want a section"},
		{"[retriever]\nx", 2, "want NAME = VALUE"},
		{"[retriever]\n[retriever]", 2, "a second section"},
		{"[retriever]\ntype = a\ntype: b", 3, "a second type"},
		{"[destination]", 1, "no section [retriever]"},
		{"\n[retriever]\ntype = Bogus", 2, "\"Bogus\" is no type of retriever"},
		{"[retriever]\ntype = BogusRetriever", 1, "is no type of retriever"},
		{"[retriever]\ntype = SimplePOP3Retriever\n", 1, "no section [destination]"},
		{"[retriever]\ntype = SimplePOP3Retriever\n[destination]\ntype=MultiSorter\nlocals=((1,", 3, "want locals"},
		{"[retriever]\ntype = SimplePOP3Retriever\n[destination]\ntype=MultiDestination", 3, "want destinations"},
	} {
		err := NewImporter(Options{}).Getmail("rc", tt.text)
		var e *Error
		if !errors.As(err, &e) || e.Line != tt.line || !strings.Contains(e.Text, tt.want) {
			t.Errorf("%q: got %v, want line %d: %s", tt.text, err, tt.line, tt.want)
		}
	}
}

func TestTuples(t *testing.T) {
	str := func(s ...string) (t tuple) {
		t = tuple{}
		for _, x := range s {
			t = append(t, tupleItem{text: x})
		}
		return t
	}
	for text, want := range map[string]tuple{
		``: str(), `()`: str(), `("a", )`: str("a"), `"a", "b"`: str("a", "b"), `('a "b"', "c'd")`: str(`a "b"`, "c'd"),
		`(0x1f, -1_0)`: {{text: "31", number: true}, {text: "-10", number: true}}, `("a" 'b', r"\d" "\x41\101\u0041\n")`: str("ab", "\\dAAA\n"),
		"('''a\n'b''', 'a\\\nb')":  str("a\n'b", "ab"),
		`("a\\b", r"a\d", "\'")`:   str(`a\b`, `a\d`, "'"),
		`(("a", "b"), ("c", "d"))`: {{inner: str("a", "b")}, {inner: str("c", "d")}},
		"(\n # no\n \"a\",\n)":     str("a"),
	} {
		if got, ok := parseTuple(text); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"(", "a", "1", `("a"`, `("a" "b")`, `("a")`, `"a"`, `(a)`, "(\"a\nb\",)", "\"a\",\n\"b\"", `(b"a",)`, `(f"a",)`, `("\x4",)`, `("\N{DASH}",)`,
		"(010,)", "(1.5,)", `("\ud800",)`, ",", `("a",))`, `(,)`, "((((((()))))))",
	} {
		if got, ok := parseTuple(text); ok {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestCSVFaults(t *testing.T) {
	for _, tt := range []struct {
		text string
		line int
		want string
	}{
		{"", 1, "it is empty"},
		{"host,user,pasword\n", 1, "none of the columns"},
		{"host,password\n", 1, "there is no column user"},
		{"host,user,host\n", 1, "a second column host"},
		{"host,user,port\nh,u,995\nh,u,x\n", 3, "the port is no number"},
		{"host,user\nh,u,v\n", 2, "3 columns"},
		{"host,user\n,u\n", 2, "want a host and a user"},
		{"host,user\n\"h,u\n", 2, "extraneous or missing"},
		{"host,user,enabled\nh,u,maybe\n", 2, "neither yes nor no"},
	} {
		err := NewImporter(Options{}).CSV("t.csv", tt.text)
		var e *Error
		if !errors.As(err, &e) || e.Line != tt.line || !strings.Contains(e.Text, tt.want) {
			t.Errorf("%q: got %v, want line %d: %s", tt.text, err, tt.line, tt.want)
		}
	}
}

// checkResult holds for whatever is read.
func checkResult(t *testing.T, text string, im *Importer, err error) {
	t.Helper()
	lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r")
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Line > lines+1) {
		t.Fatalf("error %v, %d lines", err, lines)
	}
	r := im.Result()
	for _, n := range r.Notices {
		if n.Line < 0 || n.Line > lines || strings.ContainsAny(n.Text, "\n\x1b") {
			t.Fatalf("notice %q at line %d of %d", n.Text, n.Line, lines)
		}
	}
	names := make(map[string]bool)
	for _, s := range r.Settings.Sources {
		if key := strings.ToLower(s.Name); names[key] && s.Name == "" {
			t.Fatalf("two sources %q", s.Name)
		}
		names[strings.ToLower(s.Name)] = true
	}
	if _, err := r.Settings.Encode(); err != nil {
		t.Fatal(err)
	}
}

func seeds(f *testing.F, pattern string) {
	f.Helper()
	for _, text := range readSeeds(f, pattern) {
		f.Add(text)
	}
}

func FuzzFetchmail(f *testing.F) {
	seeds(f, "*.fetchmailrc")
	f.Fuzz(func(t *testing.T, text string) {
		im := NewImporter(Options{})
		checkResult(t, text, im, im.Fetchmail("rc", text))
	})
}

func FuzzGetmail(f *testing.F) {
	seeds(f, "*.getmailrc")
	for _, text := range getmailSeeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		im := NewImporter(Options{})
		checkResult(t, text, im, im.Getmail("rc", text))
	})
}

func FuzzCSV(f *testing.F) {
	seeds(f, "*.csv")
	f.Fuzz(func(t *testing.T, text string) {
		im := NewImporter(Options{})
		checkResult(t, text, im, im.CSV("t.csv", text))
	})
}

func FuzzNetrc(f *testing.F) {
	seeds(f, "netrc")
	f.Fuzz(func(t *testing.T, text string) {
		if n := ParseNetrc(text); len(n) > len(text) {
			t.Fatal(len(n))
		}
	})
}
