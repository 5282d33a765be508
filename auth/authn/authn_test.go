package authn_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/authtest"
)

func TestOffered(t *testing.T) {
	for _, test := range []struct {
		a         authn.Authenticator
		secure    bool
		want      []string
		passwords bool
	}{
		{nil, true, nil, false},
		{authtest.Authenticator{}, true, []string{"X-FIRST", "X-LAST", "X-ERROR", "PLAIN"}, true},
		{authtest.Authenticator{}, false, []string{"X-FIRST", "X-LAST", "X-ERROR"}, false},
		{authtest.Authenticator{NoPasswords: true}, true, []string{"X-FIRST", "X-LAST", "X-ERROR"}, false},
		{authn.PasswordFunc(nil), false, nil, false},
	} {
		p := &authn.Peer{Secure: test.secure}
		if got := authn.Offered(test.a, p); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v", test, got)
		}
		if got := authn.TakesPasswords(test.a, p); got != test.passwords {
			t.Errorf("%+v: takes passwords: %v", test, got)
		}
	}
}

// PLAIN as RFC 4616 has it, and every way to get it wrong.
func TestPasswordFuncPlain(t *testing.T) {
	f := authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, username, password string) (string, error) {
		if username != "tim" || password != "tanstaaftanstaaf" {
			return "", authn.ErrRejected
		}
		return "tim@example.org", nil
	})
	for response, want := range map[string]error{
		"\x00tim\x00tanstaaftanstaaf":                nil,
		"tim\x00tim\x00tanstaaftanstaaf":             nil,
		"tim@example.org\x00tim\x00tanstaaftanstaaf": nil,
		"root\x00tim\x00tanstaaftanstaaf":            authn.ErrRejected,
		"\x00tim\x00wrong":                           authn.ErrRejected,
		"":                                           authn.ErrMalformed,
		"tim":                                        authn.ErrMalformed,
		"\x00tim":                                    authn.ErrMalformed,
		"\x00\x00tanstaaftanstaaf":                   authn.ErrMalformed,
		"\x00tim\x00":                                authn.ErrMalformed,
		"\x00tim\x00tanstaaf\x00tanstaaf":            authn.ErrMalformed,
		"\x00tim\x00\xff":                            authn.ErrMalformed,
	} {
		account := ""
		x, err := f.Start(t.Context(), &authn.Peer{}, "PLAIN", func(a string) { account = a })
		if err != nil {
			t.Fatal(err)
		}
		if challenge, done, err := x.Next(nil); len(challenge) != 0 || done || err != nil {
			t.Fatal(challenge, done, err)
		}
		_, _, err = x.Next([]byte(response))
		if !errors.Is(err, want) || (account == "tim@example.org") != (want == nil) {
			t.Errorf("%q: %v, %q; want %v", response, err, account, want)
		}
	}
	if _, err := f.Start(t.Context(), &authn.Peer{}, "LOGIN", nil); !errors.Is(err, authn.ErrMechanism) {
		t.Error(err)
	}
}
