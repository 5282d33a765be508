package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// The example of the specification.
func TestSignature(t *testing.T) {
	s, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := s.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if fmt.Sprint(s) != "secret" || fmt.Sprintf("%v %s", s, s) != "secret secret" || s.Reveal() != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" {
		t.Error("a secret shows")
	}
	for _, text := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_!"} {
		if _, err := ParseSecret(text); !errors.Is(err, ErrSecret) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestVerify(t *testing.T) {
	old, young, stranger := NewSecret(), NewSecret(), NewSecret()
	now := time.Unix(1_800_000_000, 0)
	body := []byte(`{"x":1}`)
	signed := func(secrets ...Secret) http.Header {
		h := http.Header{}
		sign(h, secrets, "id1", now, body)
		return h
	}
	with := func(h http.Header, name, value string) http.Header {
		h = h.Clone()
		h.Set(name, value)
		return h
	}
	for _, test := range []struct {
		name   string
		h      http.Header
		body   string
		now    time.Time
		secret []Secret
		want   error
	}{
		{"good", signed(old), `{"x":1}`, now, []Secret{old}, nil},
		{"the new secret, where both sign", signed(old, young), `{"x":1}`, now, []Secret{young}, nil},
		{"both are known, one signs", signed(young), `{"x":1}`, now, []Secret{old, young}, nil},
		{"clocks differ", signed(old), `{"x":1}`, now.Add(-4 * time.Minute), []Secret{old}, nil},
		{"another body", signed(old), `{"x":2}`, now, []Secret{old}, ErrSignature},
		{"another id", with(signed(old), headerID, "id2"), `{"x":1}`, now, []Secret{old}, ErrSignature},
		{"another time", with(signed(old), headerTimestamp, "1800000001"), `{"x":1}`, now, []Secret{old}, ErrSignature},
		{"no id", with(signed(old), headerID, ""), `{"x":1}`, now, []Secret{old}, ErrSignature},
		{"no time", with(signed(old), headerTimestamp, "soon"), `{"x":1}`, now, []Secret{old}, ErrSignature},
		{"no secret", signed(), `{"x":1}`, now, []Secret{old}, ErrSignature},
		{"an empty secret", signed(Secret{}), `{"x":1}`, now, []Secret{{}}, ErrSignature},
		{"a stranger", signed(stranger), `{"x":1}`, now, []Secret{old, young}, ErrSignature},
		{"another version", with(signed(old), headerSignature, "v2"+signed(old).Get(headerSignature)[2:]), `{"x":1}`, now, []Secret{old}, ErrSignature},
		{"replayed", signed(old), `{"x":1}`, now.Add(6 * time.Minute), []Secret{old}, ErrTimestamp},
		{"of the future", signed(old), `{"x":1}`, now.Add(-6 * time.Minute), []Secret{old}, ErrTimestamp},
	} {
		if id, err := Verify(test.h, []byte(test.body), test.now, test.secret...); !errors.Is(err, test.want) || err == nil && id != "id1" {
			t.Errorf("%s: %q, %v", test.name, id, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-1": 0, "99999999999999999999": 0, "999999": time.Hour,
		"Sat, 28 Nov 2026 12:10:00 GMT": 10 * time.Minute, "Sat, 28 Nov 2026 11:00:00 GMT": 0, "Sun, 29 Nov 2026 12:00:00 GMT": time.Hour, "tomorrow": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// Whatever the header says: nothing is believed that was not signed, and nothing
// breaks.
func FuzzVerify(f *testing.F) {
	secret := Secret("0123456789abcdef0123456789abcdef")
	now := time.Unix(1_800_000_000, 0)
	good := secret.signature("id", now.Unix(), []byte("body"))
	f.Add("id", "1800000000", good, []byte("body"))
	f.Add("id", "1800000000", "v1,AAAA "+good+" v1,", []byte("body"))
	f.Add("", "x", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)), []byte(nil))
	f.Fuzz(func(t *testing.T, id, at, signature string, body []byte) {
		h := http.Header{headerID: {id}, headerTimestamp: {at}, headerSignature: {signature}}
		_, err := Verify(h, body, now, secret)
		if err == nil && (id != "id" || string(body) != "body") {
			t.Errorf("believed: %q %q %q", id, at, signature)
		}
	})
}
