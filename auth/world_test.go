package auth

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
)

// world has a domain that signs and publishes policies, and a client of it.
type world struct {
	zone
	keys []dkim.Key // of example.org: RSA with 2048 bits, Ed25519
}

const plain = "From: Joe <joe@example.org>\r\nTo: b@example.net\r\nSubject: a message\r\n" +
	"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nHello.\r\n"

var (
	client   = netip.MustParseAddr("192.0.2.1")
	stranger = netip.MustParseAddr("198.51.100.9")
	session  = Session{IP: client, Helo: "mx.example.org", MailFrom: "joe@example.org"}
)

func newWorld(t testing.TB) *world {
	t.Helper()
	r, err := dkim.GenerateRSA(0)
	if err != nil {
		t.Fatal(err)
	}
	e, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{keys: []dkim.Key{{Domain: "example.org", Selector: "rsa", Signer: r}, {Domain: "example.org", Selector: "ed", Signer: e}}}
	w.records = map[string][]string{
		"example.org TXT":    {"v=spf1 ip4:192.0.2.0/24 -all"},
		"mx.example.org TXT": {"v=spf1 a -all"},
		"mx.example.org A":   {"192.0.2.1"},

		"1.2.0.192.in-addr.arpa PTR": {"mx.example.org"},
		"_dmarc.example.org TXT":     {"v=DMARC1; p=reject"},
	}
	for _, k := range w.keys {
		w.publish(t, k, "")
	}
	return w
}

// publish puts a key into the zone, with tags in front of it.
func (w *world) publish(t testing.TB, k dkim.Key, tags string) {
	t.Helper()
	record, err := dkim.Record(k.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	record = strings.Replace(record, "v=DKIM1;", "v=DKIM1;"+tags, 1)
	w.records[k.Selector+"._domainkey."+k.Domain+" TXT"] = []string{record}
}

func sign(t testing.TB, message string, keys ...dkim.Key) string {
	t.Helper()
	s := &dkim.Signer{Keys: keys}
	fields, err := s.Sign(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + message
}

// judge verifies a message, whole and octet by octet.
func judge(t testing.TB, v *Verifier, s Session, message string) *Result {
	t.Helper()
	r, err := v.Verify(t.Context(), s, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	m := v.Start(t.Context(), s)
	for i := range len(message) {
		m.Write([]byte{message[i]})
	}
	if again := m.Finish(t.Context()); len(message) < 1<<16 && words(again) != words(r) {
		t.Errorf("octet by octet %s, in large pieces %s", words(again), words(r))
	}
	return r
}

// words is a result in short.
func words(r *Result) string {
	s := ""
	for _, st := range r.Statements() {
		if st.Method == authres.IPRev { // see TestClientName
			continue
		}
		s += string(st.Method) + "=" + string(st.Result) + " "
	}
	return s + r.Weak.String()
}
