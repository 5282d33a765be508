package oauthclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// server is an authorization server without a network, so that a synctest
// bubble may wait for it. answer is asked for each request.
type server struct {
	answer func(w http.ResponseWriter, form url.Values)

	mu    sync.Mutex
	asked []url.Values
	basic []string // user:password of each
}

// RoundTrip implements http.RoundTripper.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	user, password, _ := r.BasicAuth()
	s.mu.Lock()
	s.asked = append(s.asked, r.PostForm)
	s.basic = append(s.basic, user+":"+password)
	s.mu.Unlock()
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.answer(w, r.PostForm)
	}()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

func (s *server) registration() Registration {
	return Registration{
		TokenURL: "https://idp.example.org/token", DeviceURL: "https://idp.example.org/device", AuthURL: "https://idp.example.org/auth?x=1",
		ClientID: "mailstead", ClientSecret: login.NewPassword("cl1ent-s3cret"), Scopes: []string{"mail", "offline_access"},
		Client: &http.Client{Transport: s},
	}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the test sees a cut answer
}

// issuing gives out access-1, access-2, … for an hour.
func issuing() *server {
	s := &server{}
	s.answer = func(w http.ResponseWriter, _ url.Values) {
		answerJSON(w, 200, map[string]any{"access_token": fmt.Sprintf("access-%d", s.count()), "token_type": "Bearer", "expires_in": 3600})
	}
	return s
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// memory is a RefreshStore in memory that can fail.
type memory struct {
	mu    sync.Mutex
	token string
	fail  error
	saved int
}

func (m *memory) Load(context.Context) (login.Password, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token == "" {
		return login.Password{}, ErrNoToken
	}
	return login.NewPassword(m.token), nil
}

func (m *memory) Save(_ context.Context, token login.Password) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.token = token.Reveal()
	m.saved++
	return nil
}

// rotating gives out a new refresh token each time and takes back the old one.
func rotating(first string) (*server, *string) {
	current, n := first, 0
	s := &server{}
	s.answer = func(w http.ResponseWriter, form url.Values) {
		if form.Get("refresh_token") != current {
			answerJSON(w, 400, map[string]any{"error": "invalid_grant", "error_description": "AADSTS70043: expired"})
			return
		}
		n++
		current = fmt.Sprintf("refresh-%d", n)
		answerJSON(w, 200, map[string]any{
			"access_token": fmt.Sprintf("access-%d", n), "token_type": "bearer", "expires_in": "3600", "refresh_token": current,
		})
	}
	return s, &current
}

const hour = time.Hour
