package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `
hostname = "connector.example.org"
[targets.exchange]
type = "lmtp"
address = "127.0.0.1:24"
[[source]]
name = "office"
protocol = "pop3s"
host = "pop.example.net"
user = "office"
password = "secret"
recipient = "ann@example.org"
`

func parse(doc string) (*Settings, error) { return Parse("c.toml", []byte(doc)) }

func TestDefaults(t *testing.T) {
	s, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	src := s.Sources[0]
	got := fmt.Sprint(s.Data, s.HTTP, s.Target, src.Port, src.TLS, src.Every, src.Target, src.Leave)
	if want := fmt.Sprint(DefaultData, "off", "exchange", 995, "implicit", DefaultEvery, "exchange", ""); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if s, err := parse(`hostname = "h.example"`); err != nil || s.Targets[StoreTarget].Type != "store" || s.Target != StoreTarget {
		t.Errorf("without targets: %v %v", s, err)
	}
}

// source is a good source with some lines more, behind line 5.
func source(lines string) string {
	return "hostname = \"h.example\"\n[[source]]\nname = \"a\"\nhost = \"h\"\nuser = \"u\"\n" + lines
}

const personal = "protocol = \"imaps\"\npassword = \"x\"\nrecipient = \"a@example.org\"\n"

func TestFaults(t *testing.T) {
	for _, tt := range []struct{ name, doc, want string }{
		{"syntax", "data = \"x\n", "c.toml:1"},
		{"unknown name", "hostname = \"h.example\"\nbogus = 1\n", "c.toml:2: bogus: unknown name"},
		{"unknown name in a source", source(personal + "passwrod = \"x\"\n"), "c.toml:9: source.passwrod: unknown name"},
		{"type", "every = 5\n", "c.toml:1: every: want a string, not a TOML integer"},
		{"type of a source", source(personal + "port = \"995\"\n"), "c.toml:9: source.port: want a number, not a TOML string"},
		{"list", source(personal + "folders = \"INBOX\"\n"), "c.toml:9: source.folders: want a list of strings, not a TOML string"},
		{"one bracket", "hostname = \"h.example\"\n[source]\nname = \"a\"\n", "c.toml:2: source: want [[source]]"},
		{"time", "every = \"5 minutes\"\nhostname = \"h.example\"\n", "c.toml:1: every: \"5 minutes\" is no time"},
		{"no time", "every = \"0s\"\nhostname = \"h.example\"\n", "c.toml:1: every: want a time above zero"},
		{"http", "http = \"8025\"\nhostname = \"h.example\"\n", "c.toml:1: http: \"8025\" is not HOST:PORT"},
		{"host name", "hostname = \"a b\"\n", "c.toml:1: hostname: \"a b\" is not a host name"},
		{"target", "hostname = \"h.example\"\ntarget = \"x\"\n", "c.toml:2: target: there is no [targets.x]"},
		{"target type", "hostname = \"h.example\"\n[targets.x]\ntype = \"ftp\"\n", "c.toml:3: targets.x.type: \"ftp\" is none of"},
		{"target address", "hostname = \"h.example\"\n[targets.x]\ntype = \"smtp\"\naddress = \"mail\"\n", "c.toml:4: targets.x.address: \"mail\" is not HOST:PORT"},
		{"misplaced", "hostname = \"h.example\"\n[targets.x]\ntype = \"store\"\naddress = \"mail:25\"\n", "c.toml:4: targets.x.address: does not go with type store"},
		{"mbox", "hostname = \"h.example\"\n[targets.x]\ntype = \"mbox\"\npath = \"/var/mail/$user/\"\n", "c.toml:4: targets.x.path: the path of a Maildir ends in /"},
		{"command", "hostname = \"h.example\"\n[targets.x]\ntype = \"program\"\ncommand = [\"procmail\"]\n", "c.toml:4: targets.x.command: want the whole path"},
		{"protocol", source("protocol = \"pop2\"\npassword = \"x\"\nrecipient = \"a@example.org\"\n"), "c.toml:6: source[0].protocol: \"pop2\" is none of pop3, pop3s, imap, imaps"},
		{"two names", source(personal) + "[[source]]\nname = \"a\"\nhost = \"h\"\nuser = \"u\"\n" + personal, "c.toml:10: source[1].name: a second source has the name"},
		{"no password", source("protocol = \"imaps\"\nrecipient = \"a@example.org\"\n"), "c.toml:2: source[0].password: want one of"},
		{"no oauth", source("protocol = \"imaps\"\noauth = \"m\"\nrecipient = \"a@example.org\"\n"), "c.toml:7: source[0].oauth: there is no [oauth.m]"},
		{"oauth", "hostname = \"h.example\"\n[oauth.m]\nprovider = \"microsoft365\"\n", "oauth.m.client-id: missing"},
		{"no recipient", source("protocol = \"imaps\"\npassword = \"x\"\n"), "c.toml:2: source[0].recipient: missing"},
		{"recipient", source("protocol = \"imaps\"\npassword = \"x\"\nrecipient = \"ann\"\n"), "c.toml:8: source[0].recipient: \"ann\" is not a whole address"},
		{"both", source(personal + "[source.catch-all]\naccept = [\"example.org\"]\n"), "c.toml:8: source[0].recipient: a mailbox is personal"},
		{"leave", source(personal + "leave = \"sometimes\"\n"), "c.toml:9: source[0].leave: want never, always"},
		{"size", source(personal + "max-message-size = \"huge\"\n"), "c.toml:9: source[0].max-message-size: \"huge\" is no size"},
		{"tls", source(personal + "tls = \"starttls\"\n"), "c.toml:9: source[0].tls: imaps is TLS from the first octet"},
		{"fingerprint", source(personal + "tls-fingerprint = [\"AB\"]\n"), "c.toml:9: source[0].tls-fingerprint[0]: want the SHA-256"},
		{"no file", source(personal + "tls-ca = \"/nonexistent\"\n"), "c.toml:9: source[0].tls-ca: open /nonexistent"},
		{"folders", source("protocol = \"pop3\"\npassword = \"x\"\nrecipient = \"a@example.org\"\nfolders = [\"A\"]\n"), "c.toml:9: source[0].folders: POP3 has no such thing"},
		{"field", source("protocol = \"imaps\"\npassword = \"x\"\n[source.catch-all]\naccept = [\"example.org\"]\nfield = \"X To\"\n"), "c.toml:10: source[0].catch-all.field: \"X To\" is not the name"},
		{"switch-over", "hostname = \"h.example\"\n[switch-over]\n", "c.toml:2: switch-over.old: missing"},
		{"two queues", "hostname = \"h.example\"\n[targets.x]\ntype = \"queue\"\naddress = \"a:25\"\n[targets.y]\ntype = \"queue\"\naddress = \"b:25\"\n", "targets.y.type: a second target is a queue"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.doc)
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			for _, f := range faults {
				if f.Line == 0 && !strings.Contains(tt.name, "switch") {
					t.Errorf("a fault without a line: %v", f)
				}
			}
		})
	}
}

func TestEncodeReads(t *testing.T) {
	s, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse("again.toml", doc); err != nil || string(again.Sources[0].Password) != "secret" {
		t.Errorf("%v of\n%s", err, doc)
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p")
	if err := os.WriteFile(file, []byte("from file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string { return map[string]string{"P": "from env"}[name] }
	for _, tt := range []struct {
		s         Secret
		env, want string
	}{
		{"plain", "", "plain"},
		{Secret("@" + file), "", "from file"},
		{"@@x", "", "@x"},
		{Literal("@x"), "", "@x"},
		{"", "P", "from env"},
		{"", "Q", ""},
		{"", "", ""},
		{Secret("@" + dir + "/none"), "", ""},
	} {
		got, err := tt.s.Reveal(tt.env, env)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q %q: %q, %v", string(tt.s), tt.env, got, err)
		}
	}
	var log strings.Builder
	s := Secret("hunter2")
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "source", Source{Password: s})
	shown := fmt.Sprintf("%v %+v %#v %s %q %v", s, Source{Password: s}, &Source{Password: s}, s, s, []Secret{s}) + log.String()
	if strings.Contains(shown, "hunter2") {
		t.Errorf("shown: %s", shown)
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "14d": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour, "5m": 5 * time.Minute} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if got, err := ParseDuration(FormatDuration(want)); err != nil || got != want {
			t.Errorf("%s: %v, %v", FormatDuration(want), got, err)
		}
	}
	for _, text := range []string{"", "d", "-5m", "5", "x", "99999999d", "1d-5m"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	for text, want := range map[string]int64{"0": 0, "1000": 1000, "64kB": 64000, "35MB": 35e6, "1GiB": 1 << 30, "7 MB": 7e6} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1TB", "9223372036854775807GB", "1.5MB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(source(personal + "[source.catch-all]\naccept = [\"example.org\"]\n[[source.catch-all.rule]]\nfield = \"To\"\n")))
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := Parse("f.toml", doc)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v, %v", s, err)
		}
		lines := 1 + strings.Count(string(doc), "\n")
		var faults Faults
		if errors.As(err, &faults) {
			for _, fault := range faults {
				if fault.Line > lines {
					t.Fatalf("line %d of %d: %v", fault.Line, lines, fault)
				}
			}
		}
	})
}
