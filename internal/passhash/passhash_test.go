package passhash

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

// Hashes made by crypt(3) of libxcrypt, by OpenSSL and by Python's hashlib.
var vectors = []struct{ stored, password string }{
	{`$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1`, "secret"},
	{`$1$ab$dslkcXxVH.x8LwW1W/oAB/`, "secret"},
	{`$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.`, "secret"},
	{`$5$rounds=10000$saltstringsaltst$nRVJUfBu7b60x4u50TScFun8GLsggmlJvebgklaft49`, "secret"},
	{`$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.`, "secret"},
	{`$6$rounds=1000$a$EO06KpA4dY4rcQyxbgyqAqCfX6Y3jTFNZTMtMMJ8fEeaLpk5OTEYAPw6mn4jNvHAKYGbluaXVE9prhfmyceQW0`, "secret"},
	{`$6$rounds=656000$0123456789abcdef$RXDt7OZxTvH4z.9aVNkxrhlfEt5Zf/xS0On785GNbUPtRfzuytM8fgs3JsHiQcXL0sPgQ.HU/numt3Q0m8bMg/`, "secret"},
	{`$1$abcdefgh$6qENbeetgn0exf.OCTQaP0`, "pässword"},
	{`$1$ab$zSxXTAOa3MsUL6fbBrrN71`, "pässword"},
	{`$5$saltstring$cRBhKSfYzTy7ht1J5qVPFV0KZImJ0U5L5Ezw0UdIOW4`, "pässword"},
	{`$5$rounds=10000$saltstringsaltst$5Uo6g/7gvpk/iZnVRJHZBWMI3evQwuvhIlcpyPx5oI6`, "pässword"},
	{`$6$saltstring$CSTM8ggie.dU5m6eoS07/LZ2D/r4hrX.jxMSo1fYZexnehwOFJu1o2u1p.BZSnrxIhERrHnuxI8ONbt/kSPvF0`, "pässword"},
	{`$6$rounds=1000$a$2zwO9I2Q7rwcUpH4fEbHi73AvIDe076SLCTqn9mmB2MFYsZf4FgaYht4uUJoYfyv8BvmHQRqEwEKlGwhXRuPM.`, "pässword"},
	{`$1$abcdefgh$ax3Kvr/hbxTbyc0QiTLcg/`, strings.Repeat("x", 100)},
	{`$1$ab$s5cdzXI1VZ8fHADCvf1uE1`, strings.Repeat("x", 100)},
	{`$5$saltstring$Oa4FAe3j12NEBjTMwR61FXUth0v2z1HlRVgHK3bteq/`, strings.Repeat("x", 100)},
	{`$5$rounds=10000$saltstringsaltst$PnANyOwVdWZQCc0NcYywW7.v96X1OvJiNYWxUQSzj8B`, strings.Repeat("x", 100)},
	{`$6$saltstring$MTEOJx1zhJ5109YzqYzCaFk55JWZM1QJeKTBu63saMo0UwwWLpCB56lyhLVgvClgMHXn3tBaHXoSTCac4QqUv0`, strings.Repeat("x", 100)},
	{`$6$rounds=1000$a$CO2q6WLDf6IiaoFwwuOJRQWVFfgLFBdcCYpUAWbzAgORBJxry2w7LSeobEVmh9FMVw63RpSx02Sx68wLhx9IQ0`, strings.Repeat("x", 100)},
	{`{CRYPT}$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.`, "secret"},
	{`{SHA512-CRYPT}$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.`, "secret"},
	{`{CRYPT.b64}JDYkc2FsdHN0cmluZyRBSXNScy9FZTU2Ry90QzhNRUhodlJlWlRmeDh1M3JYWE1sNmVZcmpDRzlpYml4MTlEeG9NQkxvZ2RURVQ1VWt3OVNmN2VaVElUc3VrMFJ5NXF1bFl6Lg==`, "secret"},
	{`{MD5}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1`, "secret"},
	{`{MD5-CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1`, "secret"},
	{`{SSHA512}Enu6C74BUnsH3FJ5DbcJeTfPKMqMpMZOm66wJaf/iZqtrDfdcDyFhEmcwbcWyY5CUEDqbpdskEI2yPdeCZGVPXNhbHQxMjM0`, "secret"},
	{`{ssha512.hex}127bba0bbe01527b07dc52790db7097937cf28ca8ca4c64e9baeb025a7ff899aadac37dd703c8584499cc1b716c98e425040ea6e976c904236c8f75e0991953d73616c7431323334`, "secret"},
	{`{SSHA512.B64}Enu6C74BUnsH3FJ5DbcJeTfPKMqMpMZOm66wJaf/iZqtrDfdcDyFhEmcwbcWyY5CUEDqbpdskEI2yPdeCZGVPXNhbHQxMjM0`, "secret"},
	{`{SSHA256}lXT7qF+fT7OVoVlwD0tMd02E1ak2dLDbk993wZxIM65zYWx0MTIzNA==`, "secret"},
	{`{ssha256.hex}9574fba85f9f4fb395a159700f4b4c774d84d5a93674b0db93df77c19c4833ae73616c7431323334`, "secret"},
	{`{SSHA256.B64}lXT7qF+fT7OVoVlwD0tMd02E1ak2dLDbk993wZxIM65zYWx0MTIzNA`, "secret"},
	{`{SSHA}Wcm1xEisNjqp921ALcHfuQ7avFdzYWx0MTIzNA==`, "secret"},
	{`{ssha.hex}59c9b5c448ac363aa9f76d402dc1dfb90edabc5773616c7431323334`, "secret"},
	{`{SSHA.B64}Wcm1xEisNjqp921ALcHfuQ7avFdzYWx0MTIzNA`, "secret"},
	{`{SMD5}c7G0Nl6ylVxXllw3AyNwdXNhbHQxMjM0`, "secret"},
	{`{smd5.hex}73b1b4365eb2955c57965c370323707573616c7431323334`, "secret"},
	{`{SMD5.B64}c7G0Nl6ylVxXllw3AyNwdXNhbHQxMjM0`, "secret"},
	{`{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==`, "secret"},
	{`{SHA512}bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2`, "secret"},
	{`{SHA512.base64}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==`, "secret"},
	{`{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=`, "secret"},
	{`{SHA256}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b`, "secret"},
	{`{SHA256.base64}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=`, "secret"},
	{`{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=`, "secret"},
	{`{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4`, "secret"},
	{`{SHA.base64}5en6G6MezRroT3XKqkdPOmY/BfQ=`, "secret"},
	{`{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=`, "secret"},
	{`{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4`, "secret"},
	{`{SHA1.base64}5en6G6MezRroT3XKqkdPOmY/BfQ=`, "secret"},
	{`{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==`, "secret"},
	{`{LDAP-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69`, "secret"},
	{`{LDAP-MD5.base64}Xr4ilOzQ4PCOq3aQ0qbuaQ==`, "secret"},
	{`{PLAIN-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==`, "secret"},
	{`{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69`, "secret"},
	{`{PLAIN-MD5.base64}Xr4ilOzQ4PCOq3aQ0qbuaQ==`, "secret"},
	{`{PBKDF2}$1$saltsalt$5000$9d0487892cf650c51cd61d0b11d60b9c5114b27e`, "secret"},
	{`{PLAIN}secret`, "secret"},
	{`{CLEARTEXT}secret`, "secret"},
	{`{plain.hex}736563726574`, "secret"},
	{`{CLEAR.b64}c2VjcmV0`, "secret"},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		h, err := Parse(v.stored)
		if err != nil {
			t.Errorf("%s: %v", v.stored, err)
			continue
		}
		if testing.Short() && strings.Contains(v.stored, "rounds=656000") {
			continue
		}
		if !h.Matches([]byte(v.password)) {
			t.Errorf("%s does not fit %q", v.stored, v.password)
		}
		for _, wrong := range []string{v.password + "x", v.password[1:], ""} {
			if h.Matches([]byte(wrong)) {
				t.Errorf("%s fits %q", v.stored, wrong)
			}
		}
		if !h.Weaker(Params{MemoryKiB: 8, Time: 1, Threads: 1}) {
			t.Errorf("%s would be kept", v.stored)
		}
	}
}

// A stored password is prepared as the one that comes.
func TestPlain(t *testing.T) {
	h, err := Parse("{PLAIN}pa\u0308ss\u3000word")
	if err != nil || !h.Matches([]byte("päss word")) || h.Matches([]byte("pass word")) {
		t.Errorf("%v", err)
	}
}

func TestNew(t *testing.T) {
	p := Params{MemoryKiB: 64, Time: 2, Threads: 1}
	stored := New([]byte("secret"), p)
	h, err := Parse(stored)
	if err != nil || !h.Matches([]byte("secret")) || h.Matches([]byte("Secret")) || h.Fast() {
		t.Fatalf("%s: %v", stored, err)
	}
	if h.Weaker(p) || !h.Weaker(Params{MemoryKiB: 65, Time: 2, Threads: 1}) || !h.Weaker(Params{}) {
		t.Error("weaker")
	}
	if New([]byte("secret"), p) == stored {
		t.Error("no fresh salt")
	}
	d := Dummy(p).(argon2Hash)
	if d.params != p || len(d.salt) != saltLength || len(d.key) != keyLength || d.Matches([]byte("secret")) {
		t.Errorf("dummy %+v", d)
	}
}

// What each refusal says.
func TestRefusals(t *testing.T) {
	for stored, want := range map[string]error{
		"secret": ErrScheme, "{UNKNOWN}x": ErrScheme, "{SHA256.b32}x": ErrScheme, "{DES-CRYPT}abcdefghijklm": ErrScheme,
		"{CRYPT}abcdefghijklm": errDES, "abcdefghijklm": errDES, "_J9..rasmBYk8r9AiWNc": errDES,
		"$y$j9T$abc$def": errYescrypt, "{CRYPT}$2x$10$x": ErrDamaged, "{CRYPT}secret": ErrScheme,
		"{SHA512-CRYPT}$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.":   ErrDamaged,
		"$6$rounds=1000001$a$" + strings.Repeat("a", sha512CryptKey):                ErrCost,
		"$6$rounds=999999999$a$" + strings.Repeat("a", sha512CryptKey):              ErrCost,
		"$6$rounds=99999999999999$a$" + strings.Repeat("a", sha512CryptKey):         ErrDamaged,
		"$6$rounds=1$a$" + strings.Repeat("a", sha512CryptKey):                      ErrDamaged,
		"$6$a$" + strings.Repeat("a", sha512CryptKey-1):                             ErrDamaged,
		"$6$a$" + strings.Repeat("!", sha512CryptKey):                               ErrDamaged,
		"$6$" + strings.Repeat("a", 17) + "$" + strings.Repeat("a", sha512CryptKey): ErrDamaged,
		"$6$": ErrDamaged, "$6": ErrScheme, "$1$": ErrDamaged, "$1$abcdefghi$" + strings.Repeat("a", md5CryptKey): ErrDamaged,
		"{PBKDF2}$1$salt$2000001$9d0487892cf650c51cd61d0b11d60b9c5114b27e": ErrCost,
		"{PBKDF2}$1$salt$0$9d0487892cf650c51cd61d0b11d60b9c5114b27e":       ErrDamaged,
		"{PBKDF2}$1$salt$10$9d04": ErrDamaged, "{PBKDF2}$2$salt$10$9d0487892cf650c51cd61d0b11d60b9c5114b27e": ErrDamaged,
		"{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=": ErrDamaged, "{SSHA}!": ErrDamaged, "{SHA}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=": ErrDamaged,
		"{SHA.hex}5en6G6MezRroT3XKqkdPOmY/BfQ=": ErrDamaged, "{PLAIN}": ErrDamaged, "{PLAIN}a\x00b": ErrDamaged, "{": ErrDamaged, "{}": ErrScheme,
	} {
		if _, err := Parse(stored); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", stored, err, want)
		}
	}
}

// None of these may take memory or time.
func TestBombs(t *testing.T) {
	const tail = "$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	long := strings.Repeat("A", 400)
	start := time.Now()
	for _, stored := range []string{
		"", "{", "{}", "{ARGON2ID}", "secret", "{MD5}x", "{CRYPT}$1$x$y",
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
		if _, err := Parse(stored); err == nil {
			t.Errorf("%.60s: %v", stored, err)
		}
	}
	if d := time.Since(start); d > 30*time.Second { // a bomb takes minutes or the machine
		t.Errorf("took %v", d)
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.stored)
	}
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA")
	f.Add("{PLAIN.hex}" + hex.EncodeToString([]byte("secret")))
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := Parse(stored)
		if err != nil {
			if h != nil || !errors.Is(err, ErrScheme) && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrCost) {
				t.Fatalf("error %v", err)
			}
			return
		}
		switch h := h.(type) {
		case argon2Hash:
			again, err := Parse(h.text())
			if !h.params.Valid() || err != nil || again.(argon2Hash).text() != h.text() {
				t.Fatalf("%q becomes %q, %v", stored, h.text(), err)
			}
		case shaCrypt:
			if h.rounds > maxSHARounds {
				t.Fatalf("%d rounds", h.rounds)
			}
		case pbkdf2Hash:
			if h.rounds > MaxIterations {
				t.Fatalf("%d rounds", h.rounds)
			}
		default:
			if h.Fast() {
				h.Matches([]byte("x"))
			}
		}
	})
}
