package oauthclient

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// deviceServer answers polls with the codes of script, then with tokens.
func deviceServer(interval any, script ...string) *server {
	s := &server{}
	s.answer = func(w http.ResponseWriter, form url.Values) {
		switch form.Get("grant_type") {
		case "":
			answerJSON(w, 200, map[string]any{
				"device_code": "d3vice", "user_code": "ABCD-EFGH", "verification_uri": "https://idp.example.org/device",
				"verification_uri_complete": "https://idp.example.org/device?code=ABCD-EFGH", "expires_in": 600, "interval": interval,
			})
		case "urn:ietf:params:oauth:grant-type:device_code":
			if len(script) == 0 {
				answerJSON(w, 200, map[string]any{"access_token": "a", "refresh_token": "r", "token_type": "Bearer", "expires_in": 3600})
				return
			}
			code := script[0]
			if code != "forever" {
				script = script[1:]
			}
			switch code {
			case "forever":
				code = "authorization_pending"
			case "503":
				http.Error(w, "x", http.StatusServiceUnavailable)
				return
			}
			answerJSON(w, 400, map[string]any{"error": code})
		}
	}
	return s
}

func TestDeviceLogin(t *testing.T) {
	tests := []struct {
		name     string
		interval any
		script   []string
		took     time.Duration
		want     error
	}{
		{"at once", 5, nil, 5 * time.Second, nil},
		{"after a while", nil, []string{"authorization_pending", "authorization_pending", "x"}, (5 + 5 + 5 + 10) * time.Second, nil},
		{"slow down", 2, []string{"slow_down", "authorization_pending"}, (2 + 7 + 7) * time.Second, nil},
		{"server fails for a while", 5, []string{"503", "503"}, (5 + 10 + 20) * time.Second, nil},
		{"denied", 5, []string{"authorization_pending", "access_denied"}, 10 * time.Second, ErrDenied},
		{"expired", 5, []string{"expired_token"}, 5 * time.Second, ErrExpired},
		{"nobody comes", 60, []string{"forever"}, 600 * time.Second, ErrExpired},
		{"invalid client", 5, []string{"invalid_client"}, 5 * time.Second, ErrInvalidClient},
		{"interval of nothing", 0.001, nil, time.Second, nil},
		{"interval of an hour", 3600, nil, time.Minute, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				idp := deviceServer(tt.interval, tt.script...)
				r := idp.registration()
				d, err := r.StartDevice(t.Context())
				if err != nil || d.UserCode != "ABCD-EFGH" || d.VerificationURI != "https://idp.example.org/device" {
					t.Fatal(d, err)
				}
				start := time.Now()
				got, err := d.Wait(t.Context())
				if took := time.Since(start); !errors.Is(err, tt.want) || took != tt.took || err == nil && got.Refresh.Reveal() != "r" {
					t.Errorf("%v after %v, want %v after %v", err, took, tt.want, tt.took)
				}
			})
		})
	}
}

func TestDeviceLoginGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := deviceServer(5, "forever")
		r := idp.registration()
		d, err := r.StartDevice(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		if _, err := d.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if n := idp.count(); n != 3 {
			t.Errorf("%d requests", n)
		}
	})
}

// What a server wants to be shown is not passed on to a terminal unseen.
func TestDeviceBadAnswers(t *testing.T) {
	for name, value := range map[string]any{
		"device_code": "", "user_code": "\x1b[2Jcode", "verification_uri": "javascript:alert(1)", "verification_uri_complete": "http://evil.example/",
	} {
		idp := &server{answer: func(w http.ResponseWriter, _ url.Values) {
			object := map[string]any{"device_code": "d", "user_code": "c", "verification_uri": "https://idp.example.org/device", "expires_in": 600}
			object[name] = value
			answerJSON(w, 200, object)
		}}
		r := idp.registration()
		if d, err := r.StartDevice(t.Context()); !errors.Is(err, ErrServer) {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	r := Google()
	if _, err := r.StartDevice(t.Context()); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

// visit is the browser at the end of its way.
func visit(t *testing.T, address string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestBrowserLogin(t *testing.T) {
	idp := &server{answer: func(w http.ResponseWriter, _ url.Values) {
		answerJSON(w, 200, map[string]any{"access_token": "a", "refresh_token": "r", "token_type": "Bearer"})
	}}
	r := idp.registration()
	b, err := r.StartBrowser()
	if err != nil {
		t.Fatal(err)
	}
	page, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	query := page.Query()
	redirect, state := query.Get("redirect_uri"), query.Get("state")
	if !strings.HasPrefix(b.URL, "https://idp.example.org/auth?") || query.Get("x") != "1" || query.Get("scope") != "mail offline_access" ||
		query.Get("response_type") != "code" || query.Get("client_id") != "mailstead" || !strings.HasPrefix(redirect, "http://127.0.0.1:") ||
		len(state) < 20 || strings.Contains(b.URL, "s3cret") {
		t.Errorf("%s", b.URL)
	}
	type result struct {
		tokens Tokens
		err    error
	}
	results := make(chan result, 1)
	go func() {
		tokens, err := b.Wait(t.Context())
		results <- result{tokens, err}
	}()
	for _, wrong := range []string{"?code=evil", "?code=evil&state=x", "favicon.ico?state=" + state} {
		if status, _ := visit(t, redirect+wrong); status != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, status)
		}
	}
	if status, body := visit(t, redirect+"?code=c0de&state="+state); status != 200 || !strings.Contains(body, "close this page") {
		t.Error(status, body)
	}
	got := <-results
	if got.err != nil || got.tokens.Refresh.Reveal() != "r" {
		t.Error(got.err)
	}
	form := idp.asked[0]
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if form.Get("grant_type") != "authorization_code" || form.Get("code") != "c0de" || form.Get("redirect_uri") != redirect ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != query.Get("code_challenge") || len(form.Get("code_verifier")) < 43 {
		t.Errorf("%v", form)
	}
	if _, err := http.Get(redirect); err == nil {
		t.Error("the port is still open")
	}
}

func TestBrowserLoginEndsOtherwise(t *testing.T) {
	idp := issuing()
	r := idp.registration()
	b, err := r.StartBrowser()
	if err != nil {
		t.Fatal(err)
	}
	answer := url.Values{"error": {"access_denied"}, "error_description": {"no\x1b[2J"}}
	if _, err := b.exchange(t.Context(), answer); !errors.Is(err, ErrDenied) || strings.ContainsRune(err.Error(), 0x1b) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	b, err = r.StartBrowser()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Wait(t.Context()); err == nil {
		t.Error("it waited at a closed port")
	}
	if n := idp.count(); n != 0 {
		t.Errorf("%d requests", n)
	}
}
