package saslmech

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

// target is a mechanism under fuzzing: a server that accepts one set of
// credentials, and clients that have them, or others.
type target struct {
	name   string
	server func(judge func(ok bool) error) sasl.Server
	client func() sasl.Client
	wrong  func() sasl.Client
}

// targets are all mechanisms. SCRAM's verifier is made once.
func targets(t testing.TB) []target {
	password := func(c Credentials, name string) func() sasl.Client {
		return func() sasl.Client { return c.client(name, nil) }
	}
	right := Credentials{Username: "user", Password: "pencil", Token: "abc", Certificate: true, Anonymous: true, Trace: "user"}
	wrong := Credentials{Username: "user", Password: "pencils", Token: "abcd", Certificate: true, Anonymous: true, Trace: "eve", Authzid: "eve"}
	bearer := func(judge func(bool) error) func(BearerRequest) error {
		return func(r BearerRequest) error {
			if err := judge(r.Token == "abc" && r.Authzid == "user"); err != nil {
				return &BearerFailure{Err: err}
			}
			return nil
		}
	}
	secret := NewCRAMSecret("pencil")
	all := []target{
		{Plain, func(judge func(bool) error) sasl.Server {
			return NewPlainServer(func(_, u, p string) error { return judge(u == "user" && p == "pencil") })
		}, password(right, Plain), password(wrong, Plain)},
		{Login, func(judge func(bool) error) sasl.Server {
			return NewLoginServer(func(u, p string) error { return judge(u == "user" && p == "pencil") })
		}, password(right, Login), func() sasl.Client { return NewLoginClient("user", "x") }},
		{External, func(judge func(bool) error) sasl.Server {
			return NewExternalServer(func(z string) error { return judge(z == "") })
		}, password(right, External), password(wrong, External)},
		{Anonymous, func(judge func(bool) error) sasl.Server {
			return NewAnonymousServer(func(trace string) error { return judge(trace == "user") })
		}, password(right, Anonymous), password(wrong, Anonymous)},
		{OAuthBearer, func(judge func(bool) error) sasl.Server { return NewOAuthBearerServer(bearer(judge)) }, password(right, OAuthBearer), password(wrong, OAuthBearer)},
		{XOAuth2, func(judge func(bool) error) sasl.Server { return NewXOAuth2Server(bearer(judge)) }, password(right, XOAuth2), password(wrong, XOAuth2)},
		{CRAMMD5, func(judge func(bool) error) sasl.Server {
			return CRAMMD5Server{Judge: func(u string, proved func(CRAMSecret) bool) error { return judge(proved(secret) && u == "user") }}.New()
		}, password(right, CRAMMD5), func() sasl.Client { return NewCRAMMD5Client("user", "x") }},
	}
	for _, hash := range []SCRAMHash{SHA1, SHA256, SHA512} {
		for _, plus := range []bool{false, true} {
			all = append(all, scramTarget(t, hash, plus))
		}
	}
	return all
}

func scramTarget(t testing.TB, hash SCRAMHash, plus bool) target {
	v := verifierWith(t, hash, "pencil", []byte("salt"))
	binding := Binding{}
	x := target{name: hash.Mechanism()}
	if plus {
		binding, x.name = Binding{TLSExporter, []byte("channel")}, x.name+"-PLUS"
	}
	x.server = func(judge func(bool) error) sasl.Server {
		s := SCRAMServer{
			Hash: hash, Plus: plus, Lookup: func(string) (Verifier, error) { return v, nil },
			Judge: func(u, _ string, proved func() bool) error { return judge(proved() && u == "user") },
		}
		if plus {
			s.Bindings = []Binding{binding}
		}
		return s.New()
	}
	x.client = func() sasl.Client {
		return SCRAMClient{Hash: hash, Username: "user", Password: "pencil", Binding: binding}.New()
	}
	x.wrong = func() sasl.Client {
		return SCRAMClient{Hash: hash, Username: "user", Password: "pencils", Binding: binding}.New()
	}
	return x
}

// judged counts what a callback was asked and answered.
type judged struct{ calls, accepted int }

func (j *judged) judge(ok bool) error {
	j.calls++
	if !ok {
		return errDenied
	}
	j.accepted++
	return nil
}

// exchange runs a client whose messages go through change, and checks the
// server's invariants: it ends, and without error only after its callback
// accepted, once.
func (x target) exchange(t testing.TB, c sasl.Client, change func(step int, message []byte) []byte) {
	var j judged
	s := x.server(j.judge)
	_, message, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	for step := range 6 {
		message = change(step, message)
		challenge, done, err := s.Next(message)
		switch {
		case j.calls > 1:
			t.Fatalf("%s: judged %d times", x.name, j.calls)
		case err == nil && done && j.accepted != 1:
			t.Fatalf("%s: ended well without being accepted; last %q", x.name, message)
		case err != nil && (!done || challenge != nil):
			t.Fatalf("%s: %v beside %q, %t", x.name, err, challenge, done)
		case err != nil && !errors.Is(err, errDenied) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrBinding) && !errors.Is(err, ErrDowngrade):
			t.Fatalf("%s: %q: %v", x.name, message, err)
		case len(challenge) > 4*maxBearer:
			t.Fatalf("%s: challenge of %d octets", x.name, len(challenge))
		}
		if done {
			if _, done, err := s.Next(message); !done || !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s: after the end: %t, %v", x.name, done, err)
			}
			return
		}
		if message, err = c.Next(challenge); err != nil {
			message = []byte{} // the change may still make something of it
		}
	}
	t.Fatalf("%s: does not end", x.name)
}

// TestFuzzedExchanges runs 10,000 exchanges of each mechanism in which one or
// more messages are damaged, and the same number of undamaged ones between.
func TestFuzzedExchanges(t *testing.T) {
	runs := 10_000
	if testing.Short() {
		runs = 500
	}
	for _, x := range targets(t) {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(len(x.name))))
			scram := strings.HasPrefix(x.name, "SCRAM")
			for i := range runs {
				c := x.client()
				if i%4 == 3 {
					c = x.wrong()
				}
				if scram && i%16 != 0 { // a key derivation each: mostly reuse of a recorded one
					c = &replay{x: x}
				}
				damaged := r.IntN(3)
				x.exchange(t, c, func(step int, message []byte) []byte {
					if step != damaged && r.IntN(8) != 0 {
						return message
					}
					return damage(r, message)
				})
			}
		})
	}
}

// replay is a client that makes up the messages of SCRAM without deriving keys.
type replay struct {
	x    target
	step int
}

func (c *replay) Start() (string, []byte, error) {
	header := "n,,"
	if strings.HasSuffix(c.x.name, "-PLUS") {
		header = "p=tls-exporter,,"
	}
	return c.x.name, []byte(header + "n=user,r=abcdefghijkl"), nil
}

func (c *replay) Next(challenge []byte) ([]byte, error) {
	c.step++
	nonce, _, _ := bytes.Cut(challenge, []byte{','})
	return []byte("c=biws," + string(nonce) + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), nil
}

// hostile messages replace whole ones.
var hostile = []string{
	"", "*", "\x01", "\x00", "=", ",", "\x00\x00", "\x00\x00\x00", "n,,", "y,,n=user,r=x", "p=,,", "a b", "user=\x01auth=Bearer \x01\x01",
	"n,,\x01\x01", "c=biws,r=x,p=", "\xff\xfe", "e=other-error", "v=", "{}", "r=a,s=YQ==,i=10000000",
}

// damage returns a message that somebody meddled with.
func damage(r *rand.Rand, message []byte) []byte {
	out := bytes.Clone(message)
	switch r.IntN(8) {
	case 0:
		return nil
	case 1:
		return []byte(hostile[r.IntN(len(hostile))])
	case 2:
		return append(out, hostile[r.IntN(len(hostile))]...)
	case 3:
		return append([]byte(hostile[r.IntN(len(hostile))]), out...)
	case 4:
		if len(out) > 0 {
			return out[:r.IntN(len(out))]
		}
	case 5:
		if r.IntN(64) == 0 {
			return bytes.Repeat([]byte{byte(r.Uint32())}, 1<<20)
		}
		return bytes.Repeat(append(out, 'x'), 1+r.IntN(64))
	case 6:
		if i := bytes.IndexAny(out, ",=\x00\x01 "); i >= 0 {
			return append(out[:i:i], out[i+1:]...)
		}
	}
	for range 1 + r.IntN(4) {
		if len(out) > 0 {
			out[r.IntN(len(out))] ^= byte(1 << r.IntN(8))
		}
	}
	return out
}

// fuzzServer feeds a server of one mechanism with up to three messages.
func fuzzServer(f *testing.F, name string) {
	for _, x := range targets(f) {
		if x.name != name {
			continue
		}
		_, first, err := x.client().Start()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(first, []byte{1}, []byte{}, first == nil)
		for _, h := range hostile {
			f.Add([]byte(h), []byte(h), []byte{}, false)
			f.Add(first, []byte(h), []byte(h), true)
		}
		f.Fuzz(func(t *testing.T, a, b, c []byte, ask bool) {
			messages := [][]byte{a, b, c, {}, {}, {}}
			if ask {
				messages = append([][]byte{nil}, messages...)
			}
			x.exchange(t, x.client(), func(step int, _ []byte) []byte { return messages[step] })
		})
		return
	}
	f.Fatalf("no target %s", name)
}

func FuzzPlainServer(f *testing.F)       { fuzzServer(f, Plain) }
func FuzzLoginServer(f *testing.F)       { fuzzServer(f, Login) }
func FuzzExternalServer(f *testing.F)    { fuzzServer(f, External) }
func FuzzAnonymousServer(f *testing.F)   { fuzzServer(f, Anonymous) }
func FuzzOAuthBearerServer(f *testing.F) { fuzzServer(f, OAuthBearer) }
func FuzzXOAuth2Server(f *testing.F)     { fuzzServer(f, XOAuth2) }
func FuzzCRAMMD5Server(f *testing.F)     { fuzzServer(f, CRAMMD5) }
func FuzzSCRAMServer(f *testing.F)       { fuzzServer(f, SCRAMSHA256) }
func FuzzSCRAMPlusServer(f *testing.F)   { fuzzServer(f, SCRAMSHA256Plus) }

// FuzzSCRAMClient: a server's messages never panic nor cost more than allowed,
// and convince the client of nothing.
func FuzzSCRAMClient(f *testing.F) {
	f.Add([]byte("r=abcdef,s=c2FsdA==,i=4096"), []byte("v=AAAA"))
	f.Add([]byte("r=abcdef,s=c2FsdA==,i=10000000"), []byte("e=other-error"))
	for _, h := range hostile {
		f.Add([]byte(h), []byte(h))
	}
	f.Fuzz(func(t *testing.T, first, final []byte) {
		if m, ok := parseServerFirst(first); ok && m.iterations > MinIterations && boundedIterations(m.iterations) {
			t.Skip("honest work")
		}
		c := SCRAMClient{Hash: SHA256, Username: "user", Password: "pencil", nonce: func() string { return "abc" }}.New()
		_, _, _ = c.Start()
		_, _ = c.Next(first)
		_, _ = c.Next(final)
		if Outcome(c) == nil {
			t.Fatalf("convinced by %q, %q", first, final)
		}
	})
}

// FuzzVerifier: whatever is read is written the same.
func FuzzVerifier(f *testing.F) {
	f.Add("4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVerifier(SHA256, text)
		if err == nil && v.String() != text {
			t.Fatalf("%q became %q", text, v)
		}
	})
}
