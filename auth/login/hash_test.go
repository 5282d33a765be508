package login

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestHashPassword(t *testing.T) {
	h, err := HashPassword(NewPassword("pässword"), Params{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(h, "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", h)
	}
	for password, want := range map[string]bool{"pässword": true, "pa\u0308ssword": true, "password": false, "": false, "a\x00": false} {
		if ok, err := Verify(h, NewPassword(password)); ok != want || err != nil {
			t.Errorf("%q: %t, %v", password, ok, err)
		}
	}
	if again, _ := HashPassword(NewPassword("pässword"), Params{}); again == h {
		t.Error("no fresh salt")
	}
	if _, err := HashPassword(NewPassword(""), cheap); !errors.Is(err, ErrPassword) {
		t.Errorf("empty password: %v", err)
	}
	for _, p := range []Params{{MemoryKiB: maxMemoryKiB + 1}, {MemoryKiB: 7}, {Time: maxTime + 1}, {Threads: maxThreads + 1}, {MemoryKiB: maxMemoryKiB, Time: 17}} {
		if _, err := HashPassword(NewPassword("x"), p); !errors.Is(err, ErrHash) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// Hashes made by the reference implementations (argon2 command, bcrypt
// libraries) and the same in other dresses.
func TestVerifyForeign(t *testing.T) {
	b, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	two := string(b[3:]) // what follows "$2a"
	// RFC test vectors have a secret and associated data; this one is the
	// phc-winner-argon2 test with password "password" and salt "somesalt".
	const argon = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for stored, password := range map[string]string{
		argon: "password", "{ARGON2ID}" + argon: "password", "{argon2id}" + argon: "password", "{CRYPT}" + argon: "password",
		"$2a" + two: "secret", "{BCRYPT}$2y" + two: "secret", "{BLF-CRYPT}$2b" + two: "secret", "{CRYPT}$2y" + two: "secret",
	} {
		if ok, err := Verify(stored, NewPassword(password)); !ok || err != nil {
			t.Errorf("%s: %t, %v", stored, ok, err)
		}
		if ok, err := Verify(stored, NewPassword("wrong")); ok || err != nil {
			t.Errorf("%s accepts a wrong password: %t, %v", stored, ok, err)
		}
	}
}

// Invariant I5. None of these may take memory or time.
func TestHashBombs(t *testing.T) {
	const tail = "$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	long := strings.Repeat("A", 400)
	start := time.Now()
	for _, stored := range []string{
		"", "{", "{}", "{ARGON2ID}", "{PLAIN}secret", "secret", "{MD5}x", "{CRYPT}$1$x$y",
		"$argon2id$v=19$m=10485760,t=1,p=1" + tail,
		"$argon2id$v=19$m=4294967295,t=4294967295,p=255" + tail,
		"$argon2id$v=19$m=99999999999999999999,t=1,p=1" + tail,
		"$argon2id$v=19$m=64,t=4294967295,p=1" + tail,
		"$argon2id$v=19$m=262144,t=64,p=1" + tail,
		"$argon2id$v=19$m=64,t=0,p=1" + tail,
		"$argon2id$v=19$m=64,t=1,p=0" + tail,
		"$argon2id$v=19$m=0,t=1,p=1" + tail,
		"$argon2id$v=19$m=64,t=1,p=16" + tail,
		"$argon2id$v=19$m=-1,t=1,p=1" + tail,
		"$argon2id$v=16$m=64,t=1,p=1" + tail,
		"$argon2i$v=19$m=64,t=1,p=1" + tail,
		"$argon2id$v=19$m=64,t=1,p=1,x=1" + tail,
		"$argon2id$v=19$t=1,m=64,p=1" + tail,
		"$argon2id$v=19$m=64,t=1,p=1$c2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAA",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" + long,
		"$argon2id$v=19$m=64,t=1,p=1$" + long + "$c29tZXNhbHRzb21lc2FsdA",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ=$c29tZXNhbHRzb21lc2FsdA==",
		"$2y$31$" + strings.Repeat("a", 53), "$2y$16$" + strings.Repeat("a", 53), "$2y$10$short",
		"$2x$10$" + strings.Repeat("a", 53), "$2y$10$" + strings.Repeat("a", 52) + ":", "$2y$xx$" + strings.Repeat("a", 53),
		strings.Repeat("$", 1<<20),
	} {
		if _, err := Verify(stored, NewPassword("x")); !errors.Is(err, ErrHash) {
			t.Errorf("%.60s: %v", stored, err)
		}
		if err := CheckHash(stored); !errors.Is(err, ErrHash) {
			t.Errorf("CheckHash(%.60s): %v", stored, err)
		}
	}
	if d := time.Since(start); d > 30*time.Second { // a bomb takes minutes or the machine
		t.Errorf("took %v", d)
	}
}

func TestNeedsRehash(t *testing.T) {
	h := mustHash(t, "x")
	b, _ := bcrypt.GenerateFromPassword([]byte("x"), bcrypt.MinCost)
	for _, tt := range []struct {
		hash string
		p    Params
		want bool
	}{
		{h, cheap, false},
		{h, Params{}, true},
		{h, Params{MemoryKiB: 8, Time: 2}, true},
		{h, Params{MemoryKiB: 9, Time: 1}, true},
		{string(b), cheap, true},
		{"{MD5}x", cheap, true},
		{"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", cheap, true}, // short salt
	} {
		if got := NeedsRehash(tt.hash, tt.p); got != tt.want {
			t.Errorf("%s for %+v: %t", tt.hash, tt.p, got)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(mustHash(f, "x"))
	f.Add("{BCRYPT}$2y$10$" + strings.Repeat("a", 53))
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA")
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := parseHash(stored)
		if err != nil {
			if err != ErrHash {
				t.Fatalf("error %v", err)
			}
			return
		}
		switch h := h.(type) {
		case argon2id:
			if !h.params.valid() || len(h.salt) > maxSaltKey || len(h.key) > maxSaltKey || len(h.key) < minKey {
				t.Fatalf("out of bounds: %+v", h)
			}
			again, err := parseHash(h.String())
			if err != nil || again.(argon2id).String() != h.String() {
				t.Fatalf("%q becomes %q, %v", stored, h, err)
			}
		case bcryptHash:
			if cost, err := bcrypt.Cost([]byte(h)); err != nil || cost > maxBcryptCost {
				t.Fatalf("cost %d, %v", cost, err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	h, err := HashPassword(NewPassword("secret"), Params{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := Verify(h, NewPassword("secret")); !ok {
			b.Fatal("refused")
		}
	}
}
