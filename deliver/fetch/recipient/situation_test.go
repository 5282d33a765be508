package recipient

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

// A situation is one paragraph of testdata/situations.txt: what a header looks
// like, how the mailbox is configured, and who gets the message.
//
//	== name
//	key: value        configuration, see configure
//	want: addresses   or "nobody"
//	by: Result.By     and the step in front of it: "envelope delivered-to"
//	reason: text      is in Result.Reason
//	unknown: addresses
//	without: what is taken away, so that the answer is another one
//	--
//	header
//
// In a header %%lines N TEXT is N lines, %%joined N NAME|TEXT one field with N
// times TEXT, and %d in TEXT its number; %%bare makes the line ends of the whole header
// LF.
type situation struct {
	name, header string
	config       Config
	unknown      []string
	want         []string
	by, reason   string
	guessed      bool
	unknowns     []string
	without      []string
}

func loadSituations(t testing.TB) []*situation {
	data, err := os.ReadFile("testdata/situations.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []*situation
	for _, text := range strings.Split("\n"+string(data), "\n== ")[1:] {
		top, header, ok := strings.Cut(text, "\n--\n")
		if !ok {
			t.Fatalf("no header: %q", text)
		}
		name, keys, _ := strings.Cut(top, "\n")
		s := &situation{name: name, header: expandHeader(header)}
		for line := range strings.Lines(keys) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			key, value, ok := strings.Cut(line, ":")
			if !ok || !s.set(key, strings.TrimSpace(value)) {
				t.Fatalf("%s: %q", name, line)
			}
		}
		if len(s.want) == 0 || s.by == "" && s.reason == "" || len(s.without) == 0 {
			t.Fatalf("%s: want, by or reason, without", name)
		}
		all = append(all, s)
	}
	return all
}

func expandHeader(text string) string {
	var b strings.Builder
	end := "\r\n"
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		var n int
		var what string
		if line == "%%bare" {
			end = "\n"
			continue
		}
		if _, err := fmt.Sscanf(line, "%%%%%s %d", &what, &n); err != nil {
			if line != "" {
				b.WriteString(line + end)
			}
			continue
		}
		_, rest, _ := strings.Cut(strings.TrimPrefix(line, "%%"), " ")
		_, rest, _ = strings.Cut(rest, " ")
		if name, value, ok := strings.Cut(rest, "|"); ok {
			b.WriteString(name)
			rest = value
		}
		for i := range n {
			b.WriteString(strings.ReplaceAll(rest, "%d", strconv.Itoa(i)))
			if what == "lines" || i == n-1 {
				b.WriteString(end)
			}
		}
	}
	return b.String()
}

func split(value string) []string {
	list := strings.Split(value, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// set reads a line of a situation.
func (s *situation) set(key, value string) bool {
	switch key {
	case "want":
		s.want = split(value)
	case "by":
		s.by = value
	case "reason":
		s.reason = value
	case "guessed":
		s.guessed = value == "yes"
	case "unknown":
		s.unknowns = split(value)
	case "without":
		s.without = append(s.without, value)
	case "nobody":
		s.unknown = split(value)
		s.config.Directory = nobody(s.unknown)
	default:
		return configure(&s.config, key, value)
	}
	return true
}

// configure reads a line of the configuration.
func configure(c *Config, key, value string) bool {
	number, _ := strconv.Atoi(value)
	switch key {
	case "to":
		c.To = split(value)
	case "accept":
		c.Accept = split(value)
	case "own":
		c.Own = split(value)
	case "steps":
		for _, step := range split(value) {
			c.Steps = append(c.Steps, Step(step))
		}
	case "field":
		c.Field = parseField(value)
	case "envelope":
		c.Envelope = append(c.Envelope, parseField(value))
	case "received":
		c.Trust.Received = number
	case "hosts":
		c.Trust.Hosts = split(value)
	case "strip":
		c.Strip = split(value)
	case "rule":
		c.Rules = append(c.Rules, parseRule(value))
	case "default":
		c.Default = split(value)
	case "map":
		from, to, _ := strings.Cut(value, " => ")
		rows := []Row{{from, to}}
		if t, ok := c.Map.(*testMap); ok {
			rows = append(t.rows, rows...)
		}
		table, err := NewTable(rows, "")
		c.Map = &testMap{table, rows}
		return err == nil
	case "separator":
		c.Separator = value
	case "max-header":
		c.MaxHeader = number
	case "max-recipients":
		c.MaxRecipients = number
	default:
		return false
	}
	return true
}

type testMap struct {
	*Table
	rows []Row
}

func parseField(value string) Field {
	words := strings.Fields(value)
	f := Field{Name: words[0]}
	for _, w := range words[1:] {
		switch w {
		case "all":
			f.All = true
		case "anywhere":
			f.Anywhere = true
		default:
			f.Index, _ = strconv.Atoi(w)
		}
	}
	return f
}

// parseRule: name; field=subject; regexp=…; to=…; all
func parseRule(value string) Rule {
	parts := strings.Split(value, "; ")
	r := Rule{Name: parts[0]}
	for _, part := range parts[1:] {
		key, v, _ := strings.Cut(part, "=")
		switch key {
		case "field":
			r.Field = v
		case "match":
			r.Match = v
		case "regexp":
			r.Regexp = v
		case "to":
			r.To = split(v)
		case "all":
			r.All = true
		case "continue":
			r.Continue = true
		case "trusted":
			r.Trusted = true
		}
	}
	return r
}

// nobody is a Directory that does not know some addresses.
type nobody []string

// Lookup implements deliver.Directory.
func (n nobody) Lookup(_ context.Context, paths []smtp.ForwardPath) ([]deliver.Entry, error) {
	out := make([]deliver.Entry, len(paths))
	for i, p := range paths {
		out[i].Kind = deliver.Local
		if slices.Contains(n, mailaddr.Address(p.Path)) {
			out[i].Kind = deliver.Unknown
		}
	}
	return out, nil
}

// answer is a Result as a situation has it.
func answer(r *Result) string {
	list := make([]string, len(r.Recipients))
	for i, p := range r.Recipients {
		list[i] = p.String()
	}
	if len(list) == 0 {
		list = []string{"nobody"}
	}
	by := string(r.Step)
	if r.By != by {
		by = strings.TrimSpace(by + " " + r.By)
	}
	return strings.Join(list, ", ") + " by " + by
}

func (s *situation) find(t testing.TB, c Config) Result {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Find(t.Context(), []byte(s.header))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *situation) wanted() string {
	return strings.Join(s.want, ", ") + " by " + s.by
}

func TestSituations(t *testing.T) {
	all := loadSituations(t)
	names := map[string]bool{}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			got := s.find(t, s.config)
			if a := answer(&got); a != s.wanted() {
				t.Errorf("got  %s\nwant %s\n%s", a, s.wanted(), got.Reason)
			}
			if got.Guessed != s.guessed || !strings.Contains(got.Reason, s.reason) || (got.Reason == "") != (len(got.Recipients) > 0) {
				t.Errorf("guessed %v, reason %q", got.Guessed, got.Reason)
			}
			var unknown []string
			for _, p := range got.Unknown {
				unknown = append(unknown, p.String())
			}
			if !slices.Equal(unknown, s.unknowns) {
				t.Errorf("unknown: %q", unknown)
			}
		})
		if names[s.name] {
			t.Errorf("%s: twice", s.name)
		}
		names[s.name] = true
	}
	if len(all) < 60 {
		t.Errorf("only %d situations", len(all))
	}
}
