package saslmech

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

// vector is an exchange of an RFC: user "user", password "pencil".
type vector struct {
	section                  string
	hash                     SCRAMHash
	salt                     string
	clientNonce, serverNonce string
	clientFirst, serverFirst string
	clientFinal, serverFinal string
}

func vectors() []vector {
	return []vector{{
		section: "RFC 5802 §5", hash: SHA1, salt: "QSXCR+Q6sek8bf92",
		clientNonce: "fyko+d2lbbFgONRv9qkxdawL", serverNonce: "3rfcNHYJY1ZVvWVs7j",
		clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	}, {
		section: "RFC 7677 §3", hash: SHA256, salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
		clientNonce: "rOprNGfwEbeRWgbNEkqO", serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	}}
}

// verifier returns what a server would keep for the vector's user.
func (v vector) verifier(t testing.TB) Verifier {
	t.Helper()
	salt, err := base64.StdEncoding.DecodeString(v.salt)
	if err != nil {
		t.Fatal(err)
	}
	return verifierWith(t, v.hash, "pencil", salt)
}

// verifierWith makes a verifier with a given salt.
func verifierWith(t testing.TB, hash SCRAMHash, password string, salt []byte) Verifier {
	t.Helper()
	v := Verifier{Hash: hash, Iterations: MinIterations, Salt: salt}
	keys, err := v.derive(password)
	if err != nil {
		t.Fatal(err)
	}
	v.StoredKey, v.ServerKey = keys.StoredKey, keys.ServerKey
	return v
}

// serverOf returns a server that knows one user and notes what it judged.
func serverOf(v Verifier, user string, judged *[]string) SCRAMServer {
	return SCRAMServer{
		Hash: v.Hash,
		Lookup: func(username string) (Verifier, error) {
			if username != user {
				return Decoy{Key: []byte("k"), Iterations: MinIterations}.Verifier(v.Hash, username)
			}
			return v, nil
		},
		Judge: func(username, authzid string, proved func() bool) error {
			ok := proved()
			*judged = append(*judged, username+"/"+authzid)
			if !ok || username != user {
				return errDenied
			}
			return nil
		},
	}
}

var errDenied = errors.New("denied")

func TestSCRAMVectors(t *testing.T) {
	for _, v := range vectors() {
		t.Run(v.section, func(t *testing.T) {
			var judged []string
			cfg := serverOf(v.verifier(t), "user", &judged)
			cfg.nonce = func() string { return v.serverNonce }
			s := cfg.New()
			client := SCRAMClient{Hash: v.hash, Username: "user", Password: "pencil", nonce: func() string { return v.clientNonce }}.New()
			name, first, err := client.Start()
			if err != nil || name != v.hash.Mechanism() || string(first) != v.clientFirst {
				t.Fatalf("client first: %s %q, %v", name, first, err)
			}
			challenge, done, err := s.Next(first)
			if err != nil || done || string(challenge) != v.serverFirst {
				t.Fatalf("server first: %q, %t, %v", challenge, done, err)
			}
			final, err := client.Next(challenge)
			if err != nil || string(final) != v.clientFinal {
				t.Fatalf("client final: %q, %v", final, err)
			}
			if !errors.Is(Outcome(client), ErrUnproved) {
				t.Error("the client trusts a server that has not proved itself")
			}
			challenge, done, err = s.Next(final)
			if err != nil || done || string(challenge) != v.serverFinal {
				t.Fatalf("server final: %q, %t, %v", challenge, done, err)
			}
			last, err := client.Next(challenge)
			if err != nil || last == nil || len(last) != 0 || Outcome(client) != nil {
				t.Fatalf("client's last: %q, %v, %v", last, err, Outcome(client))
			}
			if _, done, err = s.Next(last); !done || err != nil || len(judged) != 1 {
				t.Errorf("end: %t, %v, %v", done, err, judged)
			}
			if _, done, err = s.Next(last); !done || !errors.Is(err, ErrMalformed) {
				t.Errorf("after the end: %t, %v", done, err)
			}
		})
	}
}

// run carries out an exchange and returns what the server and the client say.
func run(s sasl.Server, c sasl.Client) (serverErr, clientErr error) {
	_, response, err := c.Start()
	if err != nil {
		return nil, err
	}
	for range 10 {
		challenge, done, err := s.Next(response)
		if err != nil || done {
			return err, Outcome(c)
		}
		if response, err = c.Next(challenge); err != nil {
			return errCancelled, err
		}
	}
	return errors.New("endless"), nil
}

var errCancelled = errors.New("cancelled")

// Names and passwords that need escaping or preparation arrive, in all hashes.
func TestSCRAMNames(t *testing.T) {
	for _, hash := range []SCRAMHash{SHA1, SHA256, SHA512} {
		for _, tt := range []struct{ user, authzid, password, stored string }{
			{"user", "", "pencil", "pencil"},
			{"user", "shared@example.org", "pencil", "pencil"},
			{"a,b=c", "x=2C,=", "pen,cil=", "pen,cil="},
			{"jürgen@exämple.org", "", "Ω≈ç√", "Ω≈ç√"},
			{"user", "", "I\u00adX", "IX"},              // RFC 4013 §3
			{"user", "", "\u2168", "IX"},                // RFC 4013 §3
			{"user", "", "pass\u00a0word", "pass word"}, // RFC 4013 §2.1
			{"user", "", "😀 unassigned in Unicode 3.2", "😀 unassigned in Unicode 3.2"},
		} {
			var judged []string
			v := verifierWith(t, hash, tt.stored, []byte("salt"))
			c := SCRAMClient{Hash: hash, Username: tt.user, Password: tt.password, Authzid: tt.authzid}
			serverErr, clientErr := run(serverOf(v, tt.user, &judged).New(), c.New())
			if serverErr != nil || clientErr != nil || len(judged) != 1 || judged[0] != tt.user+"/"+tt.authzid {
				t.Errorf("%s %+v: server %v, client %v, judged %q", hash, tt, serverErr, clientErr, judged)
			}
		}
	}
}

func TestSCRAMRefusals(t *testing.T) {
	v := verifierWith(t, SHA256, "pencil", []byte("salt"))
	for name, c := range map[string]SCRAMClient{
		"wrong password": {Hash: SHA256, Username: "user", Password: "pencils"},
		"unknown user":   {Hash: SHA256, Username: "eve", Password: "pencil"},
	} {
		var judged []string
		client := c.New()
		serverErr, clientErr := run(serverOf(v, "user", &judged).New(), client)
		if !errors.Is(serverErr, errDenied) || !errors.Is(clientErr, ErrUnproved) || len(judged) != 1 {
			t.Errorf("%s: server %v, client %v, judged %q", name, serverErr, clientErr, judged)
		}
	}
	for name, c := range map[string]SCRAMClient{
		"no password":            {Hash: SHA256, Username: "user"},
		"no user":                {Hash: SHA256, Password: "x"},
		"control character":      {Hash: SHA256, Username: "user", Password: "a\x07b"},
		"nothing left":           {Hash: SHA256, Username: "user", Password: "\u00ad"},
		"bidi (RFC 4013 §3)":     {Hash: SHA256, Username: "user", Password: "\u0627\u0031"},
		"unknown hash":           {Hash: "MD5", Username: "user", Password: "x"},
		"name longer than bound": {Hash: SHA256, Username: strings.Repeat("x", MaxName+1), Password: "x"},
	} {
		client := c.New()
		_, _, err := client.Start()
		if err == nil || strings.Contains(err.Error(), "\x07") || c.Password != "" && strings.Contains(err.Error(), c.Password) && c.Password != "x" {
			t.Errorf("%s: %v", name, err)
		}
		if Outcome(client) == nil {
			t.Errorf("%s: an outcome without an exchange", name)
		}
	}
}

// What a client may send first (RFC 5802 §7).
func TestSCRAMClientFirst(t *testing.T) {
	v := verifierWith(t, SHA256, "pencil", []byte("salt"))
	tests := []struct {
		name, message string
		err           error
	}{
		{"plain", "n,,n=user,r=abc", nil},
		{"y without -PLUS", "y,,n=user,r=abc", nil},
		{"authzid", "n,a=other,n=user,r=abc", nil},
		{"extension", "n,,n=user,r=abc,x=y,z=1", nil},
		{"empty", "", ErrMalformed},
		{"NUL", "\x00", ErrMalformed},
		{"star", "*", ErrMalformed},
		{"control A", "\x01", ErrMalformed},
		{"no header", "n=user,r=abc", ErrMalformed},
		{"other flag", "x,,n=user,r=abc", ErrMalformed},
		{"nonstandard flag (RFC 5801 F)", "F,n,,n=user,r=abc", ErrMalformed},
		{"p without name", "p=,,n=user,r=abc", ErrMalformed},
		{"p alone", "p,,n=user,r=abc", ErrMalformed},
		{"binding to nothing", "p=tls-exporter,,n=user,r=abc", ErrBinding},
		{"authzid without a=", "n,other,n=user,r=abc", ErrMalformed},
		{"empty authzid", "n,a=,n=user,r=abc", ErrMalformed},
		{"mandatory extension", "n,,m=x,n=user,r=abc", ErrMalformed},
		{"mandatory extension behind", "n,,n=user,r=abc,m=x", ErrMalformed},
		{"order", "n,,r=abc,n=user", ErrMalformed},
		{"no user", "n,,n=,r=abc", ErrMalformed},
		{"no nonce", "n,,n=user,r=", ErrMalformed},
		{"nonce missing", "n,,n=user", ErrMalformed},
		{"space in nonce", "n,,n=user,r=a c", ErrMalformed},
		{"bad escape", "n,,n=us=2er,r=abc", ErrMalformed},
		{"lower-case escape", "n,,n=us=2cer,r=abc", ErrMalformed},
		{"not UTF-8", "n,,n=us\xffer,r=abc", ErrMalformed},
		{"NUL in name", "n,,n=us\x00er,r=abc", ErrMalformed},
		{"long nonce", "n,,n=user,r=" + strings.Repeat("x", maxNonce+1), ErrMalformed},
		{"long name", "n,,n=" + strings.Repeat("x", MaxName+1) + ",r=abc", ErrMalformed},
		{"1 MB", "n,,n=user,r=" + strings.Repeat("x", 1<<20), ErrMalformed},
		{"1 MB of commas", strings.Repeat(",", 1<<20), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var judged []string
			challenge, done, err := serverOf(v, "user", &judged).New().Next([]byte(tt.message))
			if !errors.Is(err, tt.err) || done != (tt.err != nil) || (challenge == nil) != (tt.err != nil) {
				t.Errorf("%q, %t, %v; want %v", challenge, done, err, tt.err)
			}
		})
	}
	var judged []string
	s := serverOf(v, "user", &judged).New()
	if c, done, err := s.Next(nil); c == nil || len(c) != 0 || done || err != nil {
		t.Errorf("no initial response: %q, %t, %v", c, done, err)
	}
	if _, done, err := s.Next(nil); !done || !errors.Is(err, ErrMalformed) {
		t.Errorf("asked twice: %t, %v", done, err)
	}
}

// What a client may send last. A proof of another length is none; a client that answers the server's signature with more than nothing
// breaks off.
func TestSCRAMClientFinal(t *testing.T) {
	v := verifierWith(t, SHA256, "pencil", []byte("salt"))
	const n = "r=abcdef"
	proof := func(length int) string {
		return ",p=" + base64.StdEncoding.EncodeToString(make([]byte, length))
	}
	tests := []struct {
		name, message string
		err           error
	}{
		{"wrong proof", "c=biws," + n + proof(32), errDenied},
		{"extension", "c=biws," + n + ",x=1" + proof(32), errDenied},
		{"other nonce", "c=biws,r=abcdeg" + proof(32), errDenied},
		{"other header", "c=eSws," + n + proof(32), errDenied},
		{"no header", "c=," + n + proof(32), ErrMalformed},
		{"proof too long", "c=biws," + n + proof(33), ErrMalformed},
		{"proof of 4 KB", "c=biws," + n + proof(4096), ErrMalformed},
		{"proof too short", "c=biws," + n + proof(31), ErrMalformed},
		{"no proof", "c=biws," + n, ErrMalformed},
		{"empty proof", "c=biws," + n + ",p=", ErrMalformed},
		{"proof not base64", "c=biws," + n + ",p=*", ErrMalformed},
		{"newline in base64", "c=bi\nws," + n + proof(32), ErrMalformed},
		{"order", n + ",c=biws" + proof(32), ErrMalformed},
		{"mandatory extension", "c=biws," + n + ",m=1" + proof(32), ErrMalformed},
		{"empty", "", ErrMalformed},
		{"star", "*", ErrMalformed},
		{"control A", "\x01", ErrMalformed},
		{"1 MB", "c=biws," + n + proof(1<<20), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var judged []string
			cfg := serverOf(v, "user", &judged)
			cfg.nonce = func() string { return "def" }
			s := cfg.New()
			if _, _, err := s.Next([]byte("n,,n=user,r=abc")); err != nil {
				t.Fatal(err)
			}
			challenge, done, err := s.Next([]byte(tt.message))
			if !errors.Is(err, tt.err) || !done || challenge != nil {
				t.Errorf("%q, %t, %v; want %v", challenge, done, err, tt.err)
			}
			if (len(judged) == 1) != errors.Is(tt.err, errDenied) {
				t.Errorf("judged %q", judged)
			}
		})
	}
}

// The signature is answered by an empty message; anything else fails.
func TestSCRAMConfirmation(t *testing.T) {
	v := verifierWith(t, SHA256, "pencil", []byte("salt"))
	for _, answer := range []string{"\x01", "*", "x"} {
		var judged []string
		s := serverOf(v, "user", &judged).New()
		c := SCRAMClient{Hash: SHA256, Username: "user", Password: "pencil"}.New()
		_, first, _ := c.Start()
		challenge, _, _ := s.Next(first)
		final, _ := c.Next(challenge)
		if _, _, err := s.Next(final); err != nil {
			t.Fatal(err)
		}
		if _, done, err := s.Next([]byte(answer)); !done || !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %t, %v", answer, done, err)
		}
	}
}

// What a server may send first. Iteration counts out of bounds cost nothing.
func TestSCRAMServerFirst(t *testing.T) {
	tests := []struct {
		name, message string
		err           error
	}{
		{"plain", "r=abcdef,s=c2FsdA==,i=4096", nil},
		{"extension", "r=abcdef,s=c2FsdA==,i=4096,x=1", nil},
		{"10 million iterations", "r=abcdef,s=c2FsdA==,i=10000000", ErrIterations},
		{"one iteration", "r=abcdef,s=c2FsdA==,i=1", ErrIterations},
		{"4095 iterations", "r=abcdef,s=c2FsdA==,i=4095", ErrIterations},
		{"2^20 + 1", "r=abcdef,s=c2FsdA==,i=1048577", ErrIterations},
		{"2^64", "r=abcdef,s=c2FsdA==,i=18446744073709551616", ErrMalformed},
		{"negative", "r=abcdef,s=c2FsdA==,i=-4096", ErrMalformed},
		{"zero", "r=abcdef,s=c2FsdA==,i=0", ErrMalformed},
		{"leading zero", "r=abcdef,s=c2FsdA==,i=04096", ErrMalformed},
		{"other nonce", "r=xyzdef,s=c2FsdA==,i=4096", ErrMalformed},
		{"nothing added to the nonce", "r=abc,s=c2FsdA==,i=4096", ErrMalformed},
		{"no salt", "r=abcdef,s=,i=4096", ErrMalformed},
		{"mandatory extension", "m=1,r=abcdef,s=c2FsdA==,i=4096", ErrMalformed},
		{"empty", "", ErrMalformed},
		{"server error", "e=other-error", ErrMalformed},
		{"1 MB", "r=abc" + strings.Repeat("x", 1<<20) + ",s=c2FsdA==,i=4096", ErrMalformed},
	}
	for _, tt := range tests {
		c := SCRAMClient{Hash: SHA256, Username: "user", Password: "pencil", nonce: func() string { return "abc" }}.New()
		if _, _, err := c.Start(); err != nil {
			t.Fatal(err)
		}
		response, err := c.Next([]byte(tt.message))
		if !errors.Is(err, tt.err) || (response == nil) != (tt.err != nil) {
			t.Errorf("%s: %q, %v; want %v", tt.name, response, err, tt.err)
		}
	}
}

// What a server may send last.
func TestSCRAMServerFinal(t *testing.T) {
	for message, want := range map[string]error{
		"v=AAAA":               ErrUnproved,
		"v=" + "AAAA" + ",x=1": ErrUnproved,
		"e=invalid-proof":      ErrRefused,
		"e=":                   ErrMalformed,
		"":                     ErrMalformed,
		"v=*":                  ErrMalformed,
		"x=1":                  ErrMalformed,
	} {
		c := SCRAMClient{Hash: SHA256, Username: "user", Password: "pencil", nonce: func() string { return "abc" }}.New()
		_, _, _ = c.Start()
		if _, err := c.Next([]byte("r=abcdef,s=c2FsdA==,i=4096")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next([]byte(message)); !errors.Is(err, want) || Outcome(c) == nil {
			t.Errorf("%q: %v; want %v", message, err, want)
		}
		if _, err := c.Next([]byte(message)); !errors.Is(err, ErrMalformed) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// A Judge that accepts without asking for the proof lets nobody in.
func TestSCRAMJudgeWithoutProof(t *testing.T) {
	v := verifierWith(t, SHA256, "pencil", []byte("salt"))
	cfg := SCRAMServer{
		Hash:   SHA256,
		Lookup: func(string) (Verifier, error) { return v, nil },
		Judge:  func(_, _ string, _ func() bool) error { return nil },
	}
	if err, _ := run(cfg.New(), SCRAMClient{Hash: SHA256, Username: "user", Password: "pencil"}.New()); !errors.Is(err, errUnproved) {
		t.Errorf("got %v", err)
	}
	down := errors.New("down")
	cfg.Lookup = func(string) (Verifier, error) { return Verifier{}, down }
	if err, _ := run(cfg.New(), SCRAMClient{Hash: SHA256, Username: "user", Password: "pencil"}.New()); !errors.Is(err, down) {
		t.Errorf("lookup: %v", err)
	}
}

func TestVerifier(t *testing.T) {
	for _, hash := range []SCRAMHash{SHA1, SHA256, SHA512} {
		v, err := NewVerifier(hash, "pencil", 0)
		if err != nil || v.Iterations != DefaultIterations || len(v.Salt) != saltLength || !v.Matches("pencil") || v.Matches("pencils") || v.Matches("") {
			t.Errorf("%s: %+v, %v", hash, v, err)
		}
		again, err := ParseVerifier(hash, v.String())
		if err != nil || again.String() != v.String() {
			t.Errorf("%s: %v", hash, err)
		}
	}
	for text, ok := range map[string]bool{
		// The keys of RFC 7677 §3.
		"4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=":     true,
		"4095,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=":     false,
		"10000000,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=": false,
		"4096,,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=":                             false,
		"4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3A==,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=":                                     false,
		"4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=":                                                  false,
		"": false,
	} {
		v, err := ParseVerifier(SHA256, text)
		if (err == nil) != ok || ok && (!v.Matches("pencil") || v.String() != text) || !ok && !errors.Is(err, ErrVerifier) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := ParseVerifier("MD5", "4096,AAAA,AAAA,AAAA"); !errors.Is(err, ErrVerifier) {
		t.Error(err)
	}
	if _, err := NewVerifier(SHA256, "pencil", 10_000_000); !errors.Is(err, ErrVerifier) {
		t.Error(err)
	}
	if _, err := NewVerifier(SHA256, "\u00ad", 0); !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
}

// A decoy is always the same, and another for another name or key.
func TestDecoy(t *testing.T) {
	d := Decoy{Key: []byte("key")}
	for _, hash := range []SCRAMHash{SHA1, SHA256, SHA512} {
		a, err := d.Verifier(hash, "alice")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseVerifier(hash, a.String()); err != nil {
			t.Errorf("%s: not like a real one: %v", hash, err)
		}
		b, _ := d.Verifier(hash, "alice")
		c, _ := d.Verifier(hash, "bob")
		e, _ := Decoy{Key: []byte("other")}.Verifier(hash, "alice")
		if a.String() != b.String() || string(a.Salt) == string(c.Salt) || string(a.Salt) == string(e.Salt) {
			t.Errorf("%s: %s %s %s %s", hash, a, b, c, e)
		}
	}
}
