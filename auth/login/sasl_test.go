package login

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

func plainService(t testing.TB) *Service {
	return &Service{
		Backend: users(t), Params: cheap, Guard: Unguarded{}, Logger: slog.New(slog.DiscardHandler),
		Authorize: authorizeShared,
	}
}

// authorizeShared is an Authorizer: alice may act for shared, and of down nobody
// can tell.
func authorizeShared(_ context.Context, id Identity, account string) error {
	switch {
	case account == "down@example.org":
		return errDown
	case id.User == "alice@example.org" && account == "shared@example.org":
		return nil
	}
	return ErrRejected
}

func TestPlain(t *testing.T) {
	const alice = "alice@example.org"
	tests := []struct {
		name, response string
		id             Identity
		err            error
	}{
		{"own", "\x00" + alice + "\x00secret", Identity{Account: alice, User: alice}, nil},
		{"own named", alice + "\x00" + alice + "\x00secret", Identity{Account: alice, User: alice}, nil},
		{"own in other case", "Alice@EXAMPLE.org\x00ALICE@example.org\x00secret", Identity{Account: alice, User: alice}, nil},
		{"allowed other", "shared@example.org\x00" + alice + "\x00secret", Identity{Account: "shared@example.org", User: alice}, nil},
		{"other", "bob@example.org\x00" + alice + "\x00secret", Identity{}, ErrRejected},
		{"other, wrong password", "shared@example.org\x00" + alice + "\x00wrong", Identity{}, ErrRejected},
		{"no name", "not a name\x00" + alice + "\x00secret", Identity{}, ErrRejected},
		{"authorizer down", "down@example.org\x00" + alice + "\x00secret", Identity{}, ErrTemporary},
		{"wrong password", "\x00" + alice + "\x00wrong", Identity{}, ErrRejected},
		{"unknown", "\x00eve@example.org\x00secret", Identity{}, ErrRejected},
		{"empty password", "\x00" + alice + "\x00", Identity{}, ErrRejected},
		{"empty user", "\x00\x00secret", Identity{}, ErrRejected},
		{"two NULs only", "\x00\x00", Identity{}, ErrRejected},
		{"empty", "", Identity{}, ErrMalformed},
		{"no NUL", "secret", Identity{}, ErrMalformed},
		{"one NUL", alice + "\x00secret", Identity{}, ErrMalformed},
		{"three NULs", "\x00" + alice + "\x00secret\x00", Identity{}, ErrMalformed},
		{"not UTF-8", "\x00" + alice + "\x00secret\xff", Identity{}, ErrMalformed},
		{"4 MB", strings.Repeat("x", 4<<20), Identity{}, ErrMalformed},
		{"4 MB of NULs", strings.Repeat("\x00", 4<<20), Identity{}, ErrMalformed},
		{"4 MB password", "\x00" + alice + "\x00" + strings.Repeat("x", 4<<20), Identity{}, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []Identity
			x, err := plainService(t).Server(t.Context(), "PLAIN", attempt("", ""), func(id Identity) { got = append(got, id) })
			if err != nil {
				t.Fatal(err)
			}
			challenge, done, err := x.Next([]byte(tt.response))
			if !errors.Is(err, tt.err) || !done || challenge != nil {
				t.Errorf("Next: %q, %t, %v; want %v", challenge, done, err, tt.err)
			}
			if tt.err == nil && (len(got) != 1 || got[0] != tt.id) {
				t.Errorf("identities %+v; want %+v", got, tt.id)
			}
			if tt.err != nil && got != nil {
				t.Errorf("done called beside %v", err)
			}
			if _, _, err := x.Next([]byte("\x00" + alice + "\x00secret")); !errors.Is(err, ErrMalformed) || len(got) > 1 {
				t.Errorf("a second response: %v, %+v", err, got)
			}
		})
	}
}

// Without an initial response the server asks once, with an empty challenge.
func TestPlainChallenge(t *testing.T) {
	x, err := plainService(t).Server(t.Context(), "PLAIN", attempt("", ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c, done, err := x.Next(nil); len(c) != 0 || c == nil || done || err != nil {
		t.Fatalf("first: %q, %t, %v", c, done, err)
	}
	_, ir, _ := sasl.NewPlainClient("", "alice@example.org", "secret").Start()
	if _, done, err := x.Next(ir); !done || err != nil {
		t.Errorf("response: %t, %v", done, err)
	}
	x, _ = plainService(t).Server(t.Context(), "PLAIN", attempt("", ""), nil)
	_, _, _ = x.Next(nil)
	if _, done, err := x.Next(nil); !done || !errors.Is(err, ErrMalformed) {
		t.Errorf("asked twice: %t, %v", done, err)
	}
}

func TestMechanisms(t *testing.T) {
	s := plainService(t)
	clear := Attempt{Protocol: SMTP}
	if got := s.Mechanisms(clear); got != nil {
		t.Errorf("without TLS: %v", got)
	}
	if _, err := s.Server(t.Context(), "PLAIN", clear, nil); !errors.Is(err, ErrTLSRequired) {
		t.Errorf("without TLS: %v", err)
	}
	for _, m := range []string{"", "plain", "LOGIN", "SCRAM-SHA-256"} {
		if _, err := s.Server(t.Context(), m, attempt("", ""), nil); !errors.Is(err, ErrMechanism) {
			t.Errorf("%q: %v", m, err)
		}
	}
	s.AllowPlaintext = true
	for _, m := range s.Mechanisms(clear) {
		if _, err := s.Server(t.Context(), m, clear, nil); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
}

func TestPlainLogsMechanism(t *testing.T) {
	var log bytes.Buffer
	s := plainService(t)
	s.Logger = slog.New(slog.NewTextHandler(&log, nil))
	x, _ := s.Server(t.Context(), "PLAIN", attempt("", ""), nil)
	_, _, _ = x.Next([]byte("bob@example.org\x00alice@example.org\x00secret"))
	if got := log.String(); !strings.Contains(got, "mechanism=PLAIN") || !strings.Contains(got, "authorization identity") || strings.Contains(got, "secret") {
		t.Errorf("log: %s", got)
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x00", "\x00alice@example.org\x00secret", "a\x00alice@example.org\x00secret", "\x00\xff\x00x", strings.Repeat("\x00", 4<<10)} {
		f.Add([]byte(s))
	}
	s := plainService(f)
	s.CacheTTL = -1
	f.Fuzz(func(t *testing.T, response []byte) {
		var got []Identity
		x, err := s.Server(t.Context(), "PLAIN", attempt("", ""), func(id Identity) { got = append(got, id) })
		if err != nil {
			t.Fatal(err)
		}
		_, done, err := x.Next(response)
		switch parts := strings.Split(string(response), "\x00"); {
		case response == nil:
			return
		case !done || len(got) > 1 || (err == nil) != (len(got) == 1):
			t.Fatalf("%q: %t, %v, %v", response, done, err, got)
		case err == nil && (len(parts) != 3 || parts[2] != "secret" || got[0].User != "alice@example.org"):
			t.Fatalf("%q let in %+v", response, got)
		case err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRejected) && !errors.Is(err, ErrTemporary):
			t.Fatalf("%q: %v", response, err)
		}
	})
}
