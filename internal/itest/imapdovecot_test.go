package itest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// newIMAP serves alice out of memory, without TLS.
func newIMAP(t *testing.T) string {
	t.Helper()
	st := memstore.New(nil)
	if err := st.Create(t.Context(), alice, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	srv, err := imapserver.New(imapserver.Config{
		Store: st, AllowPlaintextAuth: true, Hostname: "localhost", JMAPAccess: "https://localhost/jmap",
		Auth: authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, pass string) (string, error) {
			if user != alice || pass != password {
				return "", authn.ErrRejected
			}
			return user, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	t.Cleanup(func() {
		srv.Close()
		st.Close()
	})
	return l.Addr().String()
}

// dialAlice logs in without TLS.
func dialAlice(t *testing.T, addr string) *imapConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ic := &imapConn{t: t, c: c, r: bufio.NewReaderSize(c, 64<<10)}
	ic.line()
	ic.ok("LOGIN %s %q", alice, password)
	return ic
}

// answered is one FETCH response: item in upper case → value, strings quoted in
// one way whatever form the server chose.
type answered map[string]string

// fetchOne fetches items of message n.
func (ic *imapConn) fetchOne(n int, items string) answered {
	ic.t.Helper()
	got := answered{}
	status := ic.command(func(line string, literals []string) {
		rest, ok := strings.CutPrefix(line, fmt.Sprintf("* %d FETCH (", n))
		if !ok {
			return
		}
		p := valueParser{text: rest, literals: literals}
		for p.text != "" && p.text[0] != ')' {
			name := p.itemName()
			got[strings.ToUpper(name)] = p.value()
			p.text = strings.TrimPrefix(p.text, " ")
		}
	}, "FETCH %d (%s)", n, items)
	if !strings.HasPrefix(status, "OK") {
		code, _, _ := strings.Cut(status, "]")
		return answered{"status": code}
	}
	return got
}

// valueParser reads the values of a response, whose literals lie apart.
type valueParser struct {
	text     string
	literals []string
}

// itemName takes a name with its section and offset.
func (p *valueParser) itemName() string {
	end := strings.IndexAny(p.text, " [")
	if end >= 0 && p.text[end] == '[' {
		end += strings.IndexByte(p.text[end:], ']')
		end += strings.IndexByte(p.text[end:], ' ')
	}
	name := p.text[:end]
	p.text = p.text[end+1:]
	return strings.ReplaceAll(name, `"`, "")
}

// value takes one value and returns its one form.
func (p *valueParser) value() string {
	switch {
	case p.text == "":
		return "END"
	case p.text[0] == '(':
		p.text = p.text[1:]
		var list []string
		for p.text != "" && p.text[0] != ')' {
			list = append(list, p.value())
			p.text = strings.TrimLeft(p.text, " ")
		}
		p.text = strings.TrimPrefix(p.text, ")")
		return "(" + strings.Join(list, " ") + ")"
	case p.text[0] == '"':
		var b strings.Builder
		i := 1
		for ; i < len(p.text) && p.text[i] != '"'; i++ {
			if p.text[i] == '\\' {
				i++
			}
			b.WriteByte(p.text[i])
		}
		p.text = p.text[i+1:]
		return fmt.Sprintf("%q", b.String())
	case p.text[0] == '{' || strings.HasPrefix(p.text, "~{"):
		_, p.text, _ = strings.Cut(p.text, "\r\n")
		s := p.literals[0]
		p.literals = p.literals[1:]
		return fmt.Sprintf("%q", s)
	}
	end := strings.IndexAny(p.text, " ()")
	if end < 0 {
		end = len(p.text)
	}
	atom := p.text[:end]
	p.text = p.text[end:]
	return atom
}

// dovecotItems are what both servers are asked for, a command each.
func dovecotItems() []string {
	items := []string{
		"RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE",
		"RFC822.HEADER BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[]<0.10> BODY.PEEK[TEXT]<3.5> BODY.PEEK[]<100000.5>",
		"BODY.PEEK[HEADER.FIELDS (Subject To X-Dup)]", "BODY.PEEK[HEADER.FIELDS.NOT (Subject To X-Dup)]",
		"BODY.PEEK[HEADER.FIELDS (X-None)] BODY.PEEK[HEADER.FIELDS (Content-Type)]<3.9>",
	}
	for _, part := range strings.Fields("1 2 3 1.1 1.2 2.1 2.2 3.1 1.1.1 1.2.1 2.1.1 2.2.1") {
		items = append(items, fmt.Sprintf("BODY.PEEK[%[1]s] BODY.PEEK[%[1]s]<2.7> BODY.PEEK[%[1]s.MIME]", part),
			fmt.Sprintf("BINARY.PEEK[%[1]s] BINARY.SIZE[%[1]s]", part),
			fmt.Sprintf("BODY.PEEK[%[1]s.HEADER] BODY.PEEK[%[1]s.TEXT] BODY.PEEK[%[1]s.HEADER.FIELDS (Subject)]", part))
	}
	return items
}

// TestFetchLikeDovecot holds what FETCH answers against what Debian's Dovecot
// answers, for messages that are hard to read. What differs stands in
// dovecotDiffers with its reason.
func TestFetchLikeDovecot(t *testing.T) {
	f, _ := newDovecot(t)
	theirs, ours := dialAlice(t, f.imap), dialAlice(t, newIMAP(t))
	corpus := nastyMessages()
	if len(corpus) < 60 {
		t.Fatalf("only %d messages", len(corpus))
	}
	for _, ic := range []*imapConn{theirs, ours} {
		for _, m := range corpus {
			ic.ok("APPEND INBOX {%d+}\r\n%s", len(m.text), m.text)
		}
		ic.ok("EXAMINE INBOX")
	}
	used := map[string]bool{}
	for i, m := range corpus {
		for _, items := range dovecotItems() {
			a, b := theirs.fetchOne(i+1, items), ours.fetchOne(i+1, items)
			for _, name := range allItems(a, b) {
				if a[name] == b[name] {
					continue
				}
				if why := dovecotDiffers(m.name, name, a[name], b[name]); why != "" {
					used[why] = true
					continue
				}
				t.Errorf("%s, %s:\nDovecot %s\nours    %s", m.name, name, a[name], b[name])
			}
		}
	}
	for _, d := range dovecotDifferences {
		if !used[d.why] {
			t.Errorf("no difference any more: %s", d.why)
		}
	}
}

func allItems(a, b answered) []string {
	var names []string
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
