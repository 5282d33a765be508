package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store/backup"
)

// TestProgress: what a command shows where there is no terminal, as lines and as
// events.
func TestProgress(t *testing.T) {
	for _, x := range []struct {
		name string
		json bool
		want string
	}{
		{"lines", false, `import: 10 of 100 messages, 1.0 kB of 10.0 kB Lists/go
problem: account ann@example.org mailbox INBOX message 7: damaged
import: 30 of 100 messages, 3.0 kB of 10.0 kB Lists/go
`},
		{"events", true, `{"time":"2000-01-01T00:00:01Z","event":"progress","command":"import","progress":{"mailbox":"Lists/go","done":0,"total":100,"unit":"messages","messages":0,"bytes":0,"total_bytes":10000}}
{"time":"2000-01-01T00:00:03Z","event":"progress","command":"import","progress":{"mailbox":"Lists/go","done":5,"total":100,"unit":"messages","messages":5,"bytes":500,"total_bytes":10000}}
{"time":"2000-01-01T00:00:06Z","event":"progress","command":"import","progress":{"mailbox":"Lists/go","done":10,"total":100,"unit":"messages","messages":10,"bytes":1000,"total_bytes":10000}}
{"time":"2000-01-01T00:00:06Z","event":"problem","problem":{"account":"ann@example.org","mailbox":"INBOX","uid":7,"text":"damaged"}}
{"time":"2000-01-01T00:00:12Z","event":"progress","command":"import","progress":{"mailbox":"Lists/go","done":30,"total":100,"unit":"messages","messages":30,"bytes":3000,"total_bytes":10000}}
{"time":"2000-01-01T00:00:12Z","event":"progress","command":"import","progress":{"mailbox":"Lists/go","done":31,"total":100,"unit":"messages","messages":31,"bytes":3100,"total_bytes":10000}}
`},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				a := newApp(t.Context(), &cli{JSON: x.json}, streams{err: &out})
				m := a.meter("import")
				at := func(pause time.Duration, done int64) {
					time.Sleep(pause)
					m.show(step{Mailbox: "Lists/go", Done: done, Total: 100, Unit: "messages", Messages: done, Bytes: done * 100, TotalBytes: 10_000})
				}
				at(time.Second, 0)
				at(time.Second/2, 1) // too soon
				at(3*time.Second/2, 5)
				at(3*time.Second, 10)
				(&problems{a: a}).archive(&backup.Problem{Account: "ann@example.org", Mailbox: "INBOX", UID: 7, Err: errors.New("damaged")})
				at(6*time.Second, 30)
				at(0, 31)
				m.end()
				if got := out.String(); got != x.want {
					t.Errorf("got\n%s\nwant\n%s", got, x.want)
				}
			})
		})
	}
}

// TestEnds: how commands end, as lines and as events.
func TestEnds(t *testing.T) {
	for _, x := range []struct {
		args, line, event string
		exit              int
	}{
		{"send", "mailctl: say where to: --server URL, or --queue", `"event":"error","message":"say where to: --server URL, or --queue","exit":2}`, exitUse},
		{"backup --list DIR/none", "", "", exitOK},
		{"dkim genkey example.org s1 --key DIR/none/x", "mailctl: ", `"event":"error","message":"`, exitFault},
	} {
		args := strings.Fields(strings.ReplaceAll(x.args, "DIR", t.TempDir()))
		code, _, errs := ctl(t, "", args...)
		if code != x.exit || !strings.HasPrefix(errs, x.line) {
			t.Errorf("%s: exit %d, %s", x.args, code, errs)
		}
		code, _, errs = ctl(t, "", append([]string{"--json"}, args...)...)
		if code != x.exit || !strings.Contains(errs, x.event) || errs != "" && !json.Valid([]byte(errs)) {
			t.Errorf("%s: exit %d, %s", x.args, code, errs)
		}
	}
}

// TestScreen: steps in one line, whatever they hold.
func TestScreen(t *testing.T) {
	for want, s := range map[string]step{
		"":                               {},
		"bodies":                         {Phase: "bodies"},
		"3 messages, 2 bodies, 10 B ann": {Account: "ann", Messages: 3, Bodies: 2, Bytes: 10, Unit: "accounts"},
		"verify INBOX":                   {Phase: "verify", Mailbox: "INBOX", Messages: 3, Unit: "messages"},
		"1.0 kB of 2.0 MB":               {Bytes: 1000, TotalBytes: 2_000_000},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1 << 60: "1.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestHelp: every command explains itself.
func TestHelp(t *testing.T) {
	p, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var visit func(*kong.Node, []string)
	visit = func(node *kong.Node, path []string) {
		if len(node.Children) == 0 {
			n++
			code, out, errs := ctl(t, "", append(path, "-h")...)
			if code != exitOK || !strings.Contains(out, "Usage: mailctl "+strings.Join(path, " ")) || node.Help == "" {
				t.Errorf("%v: exit %d, %s%s", path, code, out, errs)
			}
		}
		for _, c := range node.Children {
			visit(c, append(path[:len(path):len(path)], c.Name))
		}
	}
	visit(p.Model.Node, nil)
	if n < 30 {
		t.Errorf("%d commands", n)
	}
}

// TestSame: an account is not copied into itself, whatever it is called.
func TestSame(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ok[answer.Account](t, "--data", data, "account", "add", "a@example.org")
	for _, target := range []string{"account:a@example.org", fmt.Sprintf("sqlite:%s#a@example.org", data)} {
		if code, _, errs := ctl(t, "", "--data", data, "migrate", "account:a@example.org", target); code != exitUse || !strings.Contains(errs, "are the same") {
			t.Errorf("exit %d, %s", code, errs)
		}
	}
}
