package saslwire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/authtest"
)

func TestInitialAndResponse(t *testing.T) {
	for in, want := range map[string]struct {
		initial, response       []byte
		initialErr, responseErr error
	}{
		"=":        {initial: []byte{}, responseErr: ErrBase64},
		"":         {initialErr: ErrBase64, response: []byte{}},
		"*":        {initialErr: ErrBase64, responseErr: ErrCancelled},
		"YQ==":     {initial: []byte("a"), response: []byte("a")},
		"YQ":       {initialErr: ErrBase64, responseErr: ErrBase64},
		"YR==":     {initialErr: ErrBase64, responseErr: ErrBase64}, // bits behind the last octet
		"YQ==\r\n": {initialErr: ErrBase64, responseErr: ErrBase64},
		"Y\nQ==":   {initialErr: ErrBase64, responseErr: ErrBase64},
		"YQ== ":    {initialErr: ErrBase64, responseErr: ErrBase64},
		"**":       {initialErr: ErrBase64, responseErr: ErrBase64},
	} {
		got, err := Initial([]byte(in))
		if !errors.Is(err, want.initialErr) || !bytes.Equal(got, want.initial) || err == nil && got == nil {
			t.Errorf("Initial(%q): %q, %v", in, got, err)
		}
		got, err = Response([]byte(in))
		if !errors.Is(err, want.responseErr) || !bytes.Equal(got, want.response) || err == nil && got == nil {
			t.Errorf("Response(%q): %q, %v", in, got, err)
		}
	}
}

func begin(t *testing.T, mechanism string) *Exchange {
	t.Helper()
	x, err := Begin(t.Context(), authtest.Authenticator{}, &authn.Peer{Secure: true}, mechanism)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestExchange(t *testing.T) {
	x := begin(t, "X-LAST")
	if challenge, done, err := x.Next([]byte("alice")); string(challenge) != "last word" || done || err != nil {
		t.Errorf("%q, %v, %v", challenge, done, err)
	}
	if _, done, err := x.Next([]byte{}); !done || err != nil || x.Account() != "alice" {
		t.Errorf("%v, %v, %q", done, err, x.Account())
	}
	x = begin(t, "X-LAST")
	x.Next([]byte("alice"))
	if _, done, err := x.Next([]byte("more")); done || !errors.Is(err, authn.ErrMalformed) {
		t.Errorf("%v, %v", done, err)
	}
	if _, done, err := begin(t, "X-LAST").Next([]byte{}); done || !errors.Is(err, ErrNoAccount) {
		t.Errorf("%v, %v", done, err)
	}
	if _, done, err := begin(t, "X-ERROR").Next([]byte("none")); done || !errors.Is(err, ErrNoAccount) {
		t.Errorf("%v, %v", done, err)
	}
}

func TestBegin(t *testing.T) {
	for _, test := range []struct {
		a         authn.Authenticator
		secure    bool
		mechanism string
		want      error
	}{
		{nil, true, "PLAIN", authn.ErrMechanism},
		{authtest.Authenticator{}, true, "PLAIN", nil},
		{authtest.Authenticator{}, true, "plain", authn.ErrMechanism},
		{authtest.Authenticator{}, false, "PLAIN", authn.ErrTLSRequired},
		{authtest.Authenticator{}, false, "X-FIRST", nil},
		{authtest.Authenticator{}, true, "EXTERNAL", authn.ErrMechanism},
		{authtest.Authenticator{NoPasswords: true}, true, "PLAIN", authn.ErrMechanism},
	} {
		_, err := Begin(t.Context(), test.a, &authn.Peer{Secure: test.secure}, test.mechanism)
		if !errors.Is(err, test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func FuzzResponse(f *testing.F) {
	for _, seed := range []string{"", "*", "=", "YQ==", "Y\nQ=="} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		b, err := Response(line)
		if err != nil {
			return
		}
		if got := AppendChallenge(nil, b); !bytes.Equal(got, line) {
			t.Errorf("%q came back as %q", line, got)
		}
	})
}
