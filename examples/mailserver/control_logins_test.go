package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store/control"
)

// loginAs tries a password as IMAP's LOGIN does.
func loginAs(t *testing.T, s *server, name, password string) error {
	t.Helper()
	p := &authn.Peer{Protocol: authn.IMAP, Addr: netip.MustParseAddr("192.0.2.1"), Secure: true}
	_, err := s.login.Authenticator().Password(t.Context(), p, name, password)
	return err
}

func TestControlLogins(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	if err := loginAs(t, s, "Alice@example.org", "x"); err != nil {
		t.Fatal(err)
	}
	if loginAs(t, s, "alice@example.org", "wrong") == nil || loginAs(t, s, "nobody@example.org", "x") == nil {
		t.Fatal("who is not alice got in")
	}
	for _, stored := range []bool{false, true} {
		if stored {
			if err := s.activity.Flush(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			s.activity = &activity.Log{Store: s.activity.Store}
		}
		var a answer.Logins
		if code := asks(t, c, "GET", "/v1/accounts/alice@example.org/logins", nil, &a); code != "" {
			t.Fatal(code)
		}
		if a.Last == nil || a.Last.Addr.String() != "192.0.2.1" || a.Last.Mechanism != "LOGIN" || a.Failed != 1 ||
			len(a.Failures) != 1 || a.Failures[0].Reason != "wrong password" {
			t.Errorf("stored %v: %+v", stored, a)
		}
	}
	if code := asks(t, c, "GET", "/v1/accounts/nobody@example.org/logins", nil, nil); code != control.CodeNotFound {
		t.Errorf("logins of nobody: %q", code)
	}
}

func TestControlRefused(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	if loginAs(t, s, "nobody@example.org", "x") == nil {
		t.Fatal("nobody got in")
	}
	var r struct {
		Refused []activity.Failure `json:"refused"`
	}
	if code := asks(t, c, "GET", "/v1/logins/refused", nil, &r); code != "" || len(r.Refused) != 1 || r.Refused[0].User != "nobody@example.org" {
		t.Errorf("%q, %+v", code, r)
	}
}

func TestControlAppPasswords(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	const path = "/v1/accounts/alice@example.org/app-passwords"
	var made struct{ Password string }
	if code := asks(t, c, "POST", path, fields{"label": "phone/2", "protocols": []string{"imap"}}, &made); code != "" {
		t.Fatal(code)
	}
	if code := asks(t, c, "PUT", path+"-only", fields{"only": true}, nil); code != "" {
		t.Fatal(code)
	}
	if err := loginAs(t, s, "alice@example.org", made.Password); err != nil {
		t.Errorf("the app password: %v", err)
	}
	if loginAs(t, s, "alice@example.org", "x") == nil {
		t.Error("the own password counts although only app passwords may")
	}
	var list answer.AppPasswords
	if code := asks(t, c, "GET", path, nil, &list); code != "" || len(list.AppPasswords) != 1 || !list.Only || list.AppPasswords[0].LastUsed == nil {
		t.Errorf("%q, %+v", code, list)
	}
	for _, tt := range []struct {
		method, path string
		in           any
		code         string
	}{
		{"POST", path, fields{"label": "phone/2"}, control.CodeBadRequest},
		{"POST", path, fields{"label": "x", "protocols": []string{"ftp"}}, control.CodeBadRequest},
		{"POST", "/v1/accounts/nobody@example.org/app-passwords", fields{"label": "x"}, control.CodeNotFound},
		{"DELETE", path + "/phone%2F2", nil, ""},
		{"DELETE", path + "/phone%2F2", nil, control.CodeNotFound},
		{"PUT", path + "-only", fields{"only": false}, ""},
	} {
		if code := asks(t, c, tt.method, tt.path, tt.in, nil); code != tt.code {
			t.Errorf("%s %s %v: code %q, want %q", tt.method, tt.path, tt.in, code, tt.code)
		}
	}
	if err := loginAs(t, s, "alice@example.org", "x"); err != nil {
		t.Error(err)
	}
	if loginAs(t, s, "alice@example.org", made.Password) == nil {
		t.Error("a revoked app password counts")
	}
}

// What login.toml switches on, and what it may not say.
func TestLoginFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, loginFileName)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := readLoginFile(path); err != nil || f.OAuth != nil || len(f.Enable) != 0 {
		t.Errorf("without a file: %+v, %v", f, err)
	}
	write("enable = [\"LOGIN\"]\n[oauth]\nissuer = \"https://sso.example.org\"\naudience = [\"mail\"]\n")
	f, err := readLoginFile(path)
	if err != nil {
		t.Fatal(err)
	}
	svc := &login.Service{Backend: &login.Memory{}, Enable: f.Enable}
	if err := f.oauth(svc); err != nil {
		t.Fatal(err)
	}
	offered := svc.Authenticator().Mechanisms(&authn.Peer{Secure: true})
	if want := []string{"OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"}; !slices.Equal(slices.DeleteFunc(offered, func(m string) bool { return strings.HasPrefix(m, "SCRAM") }), want) {
		t.Errorf("offered %q, want %q beside SCRAM", offered, want)
	}
	for text, want := range map[string]string{
		"enabel = []":             "unknown name",
		"enable = [\"CRAM-MD5\"]": "CRAM-MD5",
		"enable = 1":              loginFileName,
		"[oauth]\nissuer = \"https://x.example\"": "Audience",
		"client-ca = \"missing.pem\"":             "missing.pem",
	} {
		write(text)
		f, err := readLoginFile(path)
		if err == nil {
			err = f.oauth(&login.Service{})
		}
		if err == nil {
			_, err = f.clients(dir)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
