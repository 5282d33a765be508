package login

import (
	"errors"
	"os"
	"strings"
	"testing"

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
	for _, p := range []Params{{MemoryKiB: 256<<10 + 1}, {MemoryKiB: 7}, {Time: 65}, {Threads: 17}, {MemoryKiB: 256 << 10, Time: 17}} {
		if _, err := HashPassword(NewPassword("x"), p); !errors.Is(err, ErrHash) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// scram256 is what SCRAM-SHA-256 keeps of "secret".
const scram256 = "4096,c2FsdHNhbHRzYWx0c2FsdA==,Ce3wZiZ+yIBCjltccfRiqM0+XDsLE3qPdkEeZKe3hus=,k3q4nlLsA09ST5FLo9zNmfyXR+Ci1J4KmBK5JRVSxeI="

// A stored SCRAM verifier judges passwords that are shown, too.
func TestVerifySCRAM(t *testing.T) {
	for _, stored := range []string{
		"{SCRAM-SHA-256}" + scram256, "{scram-sha-256}" + scram256,
		"{SCRAM-SHA-1}4096,c2FsdHNhbHRzYWx0c2FsdA==,rDEFCUExgaG3sJdXCceJEWtQAMA=,slSXyd5ql3g7UWtr94XvgGzqDcY=",
		"{SCRAM-SHA-512}4096,c2FsdHNhbHRzYWx0c2FsdA==,oe3g62QpXd4k3K6Zd/b77hQ7G0gjAKnlGsXeybTkt+mgBEgNjfhKyf5kIv6DX4vNFw0iS9UxPQpZLHdcUHIY1A==,grywOwgDMnhdzZ3Z9ROPwrAGZQHV3o5TeZuiw7apAZo83UsrqoklFxHo/E2Ca/mpMpoOgp4Vl50rm68m1qsJnw==",
	} {
		for password, want := range map[string]bool{"secret": true, "Secret": false} {
			if ok, err := Verify(stored, NewPassword(password)); ok != want || err != nil {
				t.Errorf("%s, %s: %t, %v", stored, password, ok, err)
			}
		}
	}
	for _, stored := range []string{
		"{SCRAM-SHA-256}", "{SCRAM-SHA-224}" + scram256, "{SCRAM-SHA-1}" + scram256, "{SCRAM-SHA-256}x" + scram256,
		"{SCRAM-SHA-256}100000000" + scram256[4:], "{SCRAM-SHA-256}0" + scram256[4:], "{SCRAM-SHA-256}" + scram256[:40],
	} {
		if err := CheckHash(stored); !errors.Is(err, ErrHash) {
			t.Errorf("%s: %v", stored, err)
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
		{"{SSHA}Wcm1xEisNjqp921ALcHfuQ7avFdzYWx0MTIzNA==", cheap, true},
		{"{SCRAM-SHA-256}" + scram256, Params{}, false},
		{"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", cheap, true}, // short salt
	} {
		if got := NeedsRehash(tt.hash, tt.p); got != tt.want {
			t.Errorf("%s for %+v: %t", tt.hash, tt.p, got)
		}
	}
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

// What Dovecot wrote is read, apart from schemes that are refused by name.
func TestVerifyDovecot(t *testing.T) {
	data, err := os.ReadFile("testdata/dovecot.txt")
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{"DES-CRYPT": true, "PLAIN-MD4": true, "PLAIN-TRUNC": true, "DIGEST-MD5": true, "HMAC-MD5": true}
	read := 0
	for line := range strings.Lines(string(data)) {
		password, stored, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(stored[1:], "}")
		fits, err := Verify(stored, NewPassword(password))
		if refused[name] {
			if !errors.Is(err, ErrHash) {
				t.Errorf("%s: %v", stored, err)
			}
			continue
		}
		read++
		if !fits || err != nil {
			t.Errorf("%s does not fit %s: %v", stored, password, err)
		}
		if fits, err := Verify(stored, NewPassword(password+"x")); fits || err != nil {
			t.Errorf("%s fits another password: %v", stored, err)
		}
	}
	if read < 50 {
		t.Errorf("only %d stored forms", read)
	}
}
