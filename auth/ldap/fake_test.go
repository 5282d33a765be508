package ldap_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
)

// fake is an LDAP server in memory that answers as its test says, rightly or
// not. Its connections are pipes, so that time can be synctest's.
type fake struct {
	answer func(r *request)

	mu      sync.Mutex
	dials   []string   // addresses, in order
	conns   []net.Conn // the server's ends
	history [][]string // what each connection was asked: "bind DN", "search FILTER", …
	all     []string   // the same of all, in order
	running sync.WaitGroup
}

// request is what a client asks.
type request struct {
	net.Conn
	fake    *fake
	conn    int // index into fake.history
	id      int64
	op      ber.Tag
	address string

	dn, password string // of a bind
	base, filter string // of a search
	attributes   []string
}

// dial is Config.Dial.
func (f *fake) dial(_ context.Context, _, address string) (net.Conn, error) {
	client, server := net.Pipe()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, address)
	f.conns = append(f.conns, server)
	f.history = append(f.history, nil)
	n := len(f.conns) - 1
	f.running.Go(func() { f.serve(server, n, address) })
	return client, nil
}

func (f *fake) serve(c net.Conn, n int, address string) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		p, err := ber.ReadPacket(r)
		if err != nil {
			return
		}
		q := &request{Conn: c, fake: f, conn: n, id: p.Children[0].Value.(int64), op: p.Children[1].Tag, address: address}
		what := q.read(p.Children[1])
		f.mu.Lock()
		f.history[n] = append(f.history[n], what)
		f.all = append(f.all, what)
		answer := f.answer
		f.mu.Unlock()
		if q.op == goldap.ApplicationUnbindRequest {
			return
		}
		answer(q)
	}
}

// read takes the operation apart and names it.
func (r *request) read(p *ber.Packet) string {
	switch r.op {
	case goldap.ApplicationBindRequest:
		r.dn = p.Children[1].Value.(string)
		r.password = p.Children[2].Data.String()
		return "bind " + r.dn
	case goldap.ApplicationSearchRequest:
		r.base = p.Children[0].Value.(string)
		r.filter, _ = goldap.DecompileFilter(p.Children[6])
		for _, a := range p.Children[7].Children {
			r.attributes = append(r.attributes, a.Value.(string))
		}
		return "search " + r.filter
	case goldap.ApplicationUnbindRequest:
		return "unbind"
	}
	return fmt.Sprint("operation ", r.op)
}

// becomes changes what the server answers from now on.
func (f *fake) becomes(answer func(*request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// hangUp closes all connections, as a server that ends does.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
}

// asked is what all connections were asked, in order.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// send writes one message.
func (r *request) send(op *ber.Packet, controls ...goldap.Control) {
	p := ber.NewSequence("LDAP message")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, r.id, "id"))
	p.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "controls")
		for _, c := range controls {
			list.AppendChild(c.Encode())
		}
		p.AppendChild(list)
	}
	_, _ = r.Write(p.Bytes())
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func operation(tag ber.Tag) *ber.Packet {
	return ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
}

// result ends an operation.
func (r *request) result(code int, text string, controls ...goldap.Control) {
	tags := map[ber.Tag]ber.Tag{
		goldap.ApplicationBindRequest:     goldap.ApplicationBindResponse,
		goldap.ApplicationSearchRequest:   goldap.ApplicationSearchResultDone,
		goldap.ApplicationExtendedRequest: goldap.ApplicationExtendedResponse,
	}
	p := operation(tags[r.op])
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	p.AppendChild(octets(""))
	p.AppendChild(octets(text))
	r.send(p, controls...)
}

// entry sends one entry that a search found.
func (r *request) entry(e fakeEntry) {
	p := operation(goldap.ApplicationSearchResultEntry)
	p.AppendChild(octets(e.dn))
	attrs := ber.NewSequence("")
	for _, name := range slices.Sorted(maps.Keys(e.attrs)) {
		a := ber.NewSequence("")
		a.AppendChild(octets(name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range e.attrs[name] {
			set.AppendChild(octets(v))
		}
		a.AppendChild(set)
		attrs.AppendChild(a)
	}
	p.AppendChild(attrs)
	r.send(p)
}

// reference sends a place where the search could go on.
func (r *request) reference(url string) {
	p := operation(goldap.ApplicationSearchResultReference)
	p.AppendChild(octets(url))
	r.send(p)
}

type fakeEntry struct {
	dn    string
	attrs map[string][]string
}

// person is an entry with a mail address NAME@example.org.
func person(name string) fakeEntry {
	return fakeEntry{"uid=" + name + "," + base, map[string][]string{
		"objectClass": {"inetOrgPerson"}, "uid": {name}, "mail": {name + "@example.org"},
	}}
}

// tree answers searches from entries by looking for a value in the filter, and
// binds from passwords. Searches of a base object find that entry.
type tree struct {
	entries   []fakeEntry
	passwords map[string]string // by DN
}

const (
	base      = "ou=people,dc=example,dc=org"
	serviceDN = "cn=service,dc=example,dc=org"
	servicePW = "service password"
)

func (d *tree) answer(r *request) {
	switch r.op {
	case goldap.ApplicationBindRequest:
		want, ok := d.passwords[r.dn]
		if r.dn == serviceDN {
			want, ok = servicePW, true
		}
		if !ok || r.password != want {
			r.result(goldap.LDAPResultInvalidCredentials, "")
			return
		}
		r.result(0, "")
	case goldap.ApplicationSearchRequest:
		for _, e := range d.entries {
			if e.dn == r.base || r.filter != "(objectClass=*)" && e.answers(r.filter) {
				r.entry(e)
			}
		}
		r.result(0, "")
	default:
		r.result(goldap.LDAPResultProtocolError, "")
	}
}

// answers reports whether some value of e stands in an equality of the filter.
func (e fakeEntry) answers(filter string) bool {
	for _, values := range e.attrs {
		for _, v := range values {
			if strings.Contains(strings.ToLower(filter), "="+strings.ToLower(goldap.EscapeFilter(v))+")") {
				return true
			}
		}
	}
	return false
}

// config is one for the fake, without TLS.
func (f *fake) config() ldap.Config {
	return ldap.Config{
		URLs: []string{"ldap://one"}, AllowPlaintext: true, Dial: f.dial,
		Base: base, BindDN: serviceDN, Password: login.NewPassword(servicePW),
		Addresses: ldap.AddressConfig{Domains: []string{"example.org"}},
		Logger:    slog.New(slog.DiscardHandler),
	}
}

// client is a client of the fake that ends with the test, after change.
func (f *fake) client(t *testing.T, change ...func(*ldap.Config)) *ldap.Client {
	t.Helper()
	conf := f.config()
	for _, c := range change {
		c(&conf)
	}
	return open(t, conf, f)
}

// open makes a client that ends with the test, and with it f if there is one.
func open(t *testing.T, conf ldap.Config, f *fake) *ldap.Client {
	t.Helper()
	c, err := ldap.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if f != nil {
			f.hangUp()
			f.running.Wait()
		}
	})
	return c
}

// logTo is a logger whose text can be read.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// lines is a buffer for a logger.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// try logs in as the service would: find the user, then check.
func try(ctx context.Context, c *ldap.Client, user, password string) error {
	rec, err := c.Users().Lookup(ctx, user)
	if err != nil {
		return err
	}
	if rec.Disabled {
		return errDisabled
	}
	return rec.Check(ctx, login.Attempt{Username: user, Password: login.NewPassword(password)})
}

var errDisabled = fmt.Errorf("disabled: %w", login.ErrRejected)

// Encode makes the control of an answer: error [1] ENUMERATED.
func (c policyControl) Encode() *ber.Packet {
	value := ber.NewSequence("")
	code := ber.Encode(ber.ClassContext, ber.TypePrimitive, 1, nil, "")
	code.Data.WriteByte(byte(c.code))
	value.AppendChild(code)
	p := ber.NewSequence("")
	p.AppendChild(octets(goldap.ControlTypeBeheraPasswordPolicy))
	p.AppendChild(octets(string(value.Bytes())))
	return p
}
