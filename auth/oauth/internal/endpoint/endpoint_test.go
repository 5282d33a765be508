package endpoint

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// roundTrip is a server without a network.
type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// counting is a body without end.
type counting struct{ n int64 }

func (c *counting) Read(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func (c *counting) Close() error { return nil }

func TestBodyIsBounded(t *testing.T) {
	body := &counting{}
	c := Client{MaxBytes: 1000, HTTP: &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body}
	})}}
	if _, err := c.Get(t.Context(), "https://a.example/"); !errors.Is(err, ErrTooLarge) || body.n > 4096 {
		t.Errorf("%v after %d octets", err, body.n)
	}
}

// A redirect within the host: a GET goes there, a form does not, and cookies
// are not kept.
func TestRedirectWithinHost(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked []string
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.Path)
			if len(r.Cookies()) > 0 {
				t.Error("a cookie came back")
			}
			if r.URL.Path == "/" {
				http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
				http.Redirect(w, r, "/next", status)
				return
			}
			_, _ = io.WriteString(w, "{}")
		}))
		t.Cleanup(s.Close)
		c := Client{MaxBytes: 1000, HTTP: s.Client()}
		if r, err := c.Get(t.Context(), s.URL+"/"); err != nil || string(r.Body) != "{}" {
			t.Errorf("%d: %v", status, err)
		}
		asked = nil
		form := url.Values{"token": {"secret"}}
		if _, err := c.Post(t.Context(), s.URL+"/", form, Secret{}); !errors.Is(err, ErrRedirect) || len(asked) != 1 {
			t.Errorf("%d: %v, asked %v", status, err, asked)
		}
	}
}

func TestResponse(t *testing.T) {
	for text, want := range map[string]bool{
		"application/json": true, "Application/JSON; charset=utf-8": true, "application/jwk-set+json": true,
		"text/html": false, "": false, "application/jsonp": false, "text/plain; application/json": false,
	} {
		c := Client{MaxBytes: 10, HTTP: &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
			h := http.Header{"Content-Type": {text}, "Retry-After": {"999999999"}}
			return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader("{}"))}
		})}}
		r, err := c.Get(t.Context(), "https://a.example/")
		if err != nil || r.JSON() != want || r.RetryAfter != 24*time.Hour {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for address, want := range map[string]bool{
		"https://a.example": true, "https://a.example:8443/x?y=z": true, "HTTPS://a.example": true,
		"http://127.0.0.1/": true, "http://127.9.9.9:1/": true, "http://[::1]:1/": true, "http://[::ffff:127.0.0.1]/": true, "http://LOCALHOST/": true,
		"http://a.example": false, "http://localhost.a.example/": false, "http://127.0.0.1.a.example/": false, "http://127.0.0.1@a.example/": false,
		"http://0.0.0.0/": false, "http://10.0.0.1/": false,
		"": false, "https://": false, "https:///x": false, "//a.example": false, "a.example": false, "ftp://a.example": false,
		"https://u:p@a.example": false, "https://a.example/#x": false, "https://a.example/\x00": false, "https://a b/": false, "javascript:x": false,
	} {
		if err := CheckURL(address, false); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
	if err := CheckURL("http://a.example/", true); err != nil {
		t.Error(err)
	}
}

func TestSecret(t *testing.T) {
	for _, tt := range []struct {
		secret Secret
		form   string
		basic  string
	}{
		{Secret{}, "", ""},
		{Secret{ClientID: "a"}, "client_id=a", ""},
		{Secret{ClientID: "a", Value: login.NewPassword("b:c")}, "", "a:b%3Ac"},
		{Secret{ClientID: "a:b", Value: login.NewPassword("c")}, "", "a%3Ab:c"},
		{Secret{ClientID: "a", Value: login.NewPassword("b"), InBody: true}, "client_id=a&client_secret=b", ""},
	} {
		form := url.Values{}
		r := http.Request{Header: tt.secret.apply(form)}
		user, password, ok := r.BasicAuth()
		if basic := user + ":" + password; form.Encode() != tt.form || ok != (tt.basic != "") || ok && basic != tt.basic {
			t.Errorf("%v: form %s, Basic %s", tt.secret.ClientID, form.Encode(), basic)
		}
	}
}
