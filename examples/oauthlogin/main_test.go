package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// provider gives out one refresh token for a code, and access tokens for that.
func provider(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch _, secret, _ := r.BasicAuth(); {
		case secret == "s3cret" && r.PostFormValue("code") == "c0de":
			_, _ = io.WriteString(w, `{"access_token":"a","refresh_token":"r3fresh","token_type":"Bearer","expires_in":60}`)
		case secret == "s3cret" && r.PostFormValue("refresh_token") == "r3fresh":
			_, _ = io.WriteString(w, `{"access_token":"a","token_type":"Bearer","expires_in":60}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// person opens the page that is printed and is sent back at once.
type person struct {
	t       *testing.T
	printed bytes.Buffer
}

func (p *person) Write(b []byte) (int, error) {
	p.printed.Write(b)
	for line := range strings.Lines(string(b)) {
		page, err := url.Parse(strings.TrimSpace(line))
		if err != nil || page.Query().Get("redirect_uri") == "" {
			continue
		}
		back := page.Query().Get("redirect_uri") + "?code=c0de&state=" + page.Query().Get("state")
		go func() {
			resp, err := http.Get(back)
			if err != nil {
				p.t.Error(err)
				return
			}
			_ = resp.Body.Close()
		}()
	}
	return len(b), nil
}

func TestLoginAndCheck(t *testing.T) {
	s := provider(t)
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "token"), filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAILSTEAD_CLIENT_SECRET", "@"+secret)
	args := []string{"-provider", "other", "-token-url", s.URL, "-auth-url", s.URL, "-client-id", "x", "-token", file}
	p := &person{t: t}
	var stderr bytes.Buffer
	if code := run(t.Context(), append(args, "-browser"), p, &stderr); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "r3fresh\n" {
		t.Errorf("%q, %v", got, err)
	}
	if code := run(t.Context(), append(args, "-check"), p, &stderr); code != 0 || !strings.Contains(p.printed.String(), "The token works") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	if err := os.WriteFile(file, []byte("spent"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), append(args, "-check"), p, &stderr); code != 1 || !strings.Contains(stderr.String(), "invalid_grant") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	for _, hidden := range []string{"s3cret", "r3fresh", "spent"} {
		if strings.Contains(p.printed.String()+stderr.String(), hidden) {
			t.Errorf("%s is printed", hidden)
		}
	}
}

func TestUse(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-h"}, 0, "usage"},
		{nil, 2, "-client-id"},
		{[]string{"-x"}, 2, "-x"},
		{[]string{"x"}, 2, "argument"},
		{[]string{"-provider", "x"}, 2, "-provider"},
		{[]string{"-provider", "other", "-client-id", "x", "-token", "x", "-token-url", "http://idp.example.org"}, 2, "https"},
		{[]string{"-client-secret", "@/does/not/exist"}, 2, "-client-secret"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), tt.args, &stdout, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%v: exit %d: %s", tt.args, code, stderr.String())
		}
	}
}
