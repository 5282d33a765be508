package oauthclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

func source(s *server) *Source {
	return &Source{Grant: &ClientCredentials{Registration: s.registration()}}
}

// expect asks for a token.
func expect(t *testing.T, s *Source, refused, want string) {
	t.Helper()
	if got, err := s.Token(t.Context(), refused); got != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// expectError asks for a token that there is none of.
func expectError(t *testing.T, s *Source, refused string, want error) {
	t.Helper()
	if got, err := s.Token(t.Context(), refused); got != "" || !errors.Is(err, want) {
		t.Errorf("got %q, %v; want %v", got, err, want)
	}
}

func TestSourceReplacesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		s := source(idp)
		expect(t, s, "", "access-1")
		time.Sleep(hour - 2*time.Minute - time.Second)
		expect(t, s, "", "access-1")
		time.Sleep(time.Second)
		expect(t, s, "", "access-2")
		s.Margin = -1
		time.Sleep(hour - time.Second)
		expect(t, s, "", "access-2")
		time.Sleep(time.Second)
		expect(t, s, "", "access-3")
	})
}

func TestSourceMarginOfShortTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		idp.answer = func(w http.ResponseWriter, _ url.Values) {
			answerJSON(w, 200, map[string]any{"access_token": fmt.Sprintf("access-%d", idp.count()), "token_type": "Bearer", "expires_in": 60})
		}
		s := source(idp)
		expect(t, s, "", "access-1")
		time.Sleep(47 * time.Second)
		expect(t, s, "", "access-1")
		time.Sleep(time.Second)
		expect(t, s, "", "access-2")
	})
}

func TestSourceWithoutExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		idp.answer = func(w http.ResponseWriter, _ url.Values) {
			answerJSON(w, 200, map[string]any{"access_token": fmt.Sprintf("access-%d", idp.count()), "token_type": "Bearer"})
		}
		s := source(idp)
		expect(t, s, "", "access-1")
		time.Sleep(50 * time.Minute)
		expect(t, s, "", "access-1")
		time.Sleep(10 * time.Minute)
		expect(t, s, "", "access-2")
	})
}

func TestSourceSharesARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		fast := idp.answer
		idp.answer = func(w http.ResponseWriter, form url.Values) {
			time.Sleep(time.Second)
			fast(w, form)
		}
		s := source(idp)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { expect(t, s, "", "access-1") })
		}
		wg.Wait()
		if n := idp.count(); n != 1 {
			t.Errorf("%d requests", n)
		}
		// Near its end, one asks and the others go on with the old one.
		time.Sleep(hour - time.Minute)
		start := time.Now()
		wg.Go(func() { expect(t, s, "", "access-2") })
		synctest.Wait()
		expect(t, s, "", "access-1")
		if time.Since(start) != 0 {
			t.Error("it waited")
		}
		wg.Wait()
	})
}

func TestSourceCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		fast := idp.answer
		idp.answer = func(w http.ResponseWriter, form url.Values) {
			time.Sleep(time.Second)
			fast(w, form)
		}
		s := source(idp)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.Token(ctx, "") })
		synctest.Wait()
		cancel()
		expect(t, s, "", "access-1") // what it asked for is not lost
		wg.Wait()
		if _, err := s.Token(ctx, ""); !errors.Is(err, login.ErrTemporary) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if n := idp.count(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestSourceRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		s := source(idp)
		expect(t, s, "", "access-1")
		time.Sleep(10 * time.Minute)
		expect(t, s, "access-1", "access-2")
		expect(t, s, "access-1", "access-2") // another connection that was refused with the old one
		expect(t, s, "unknown", "access-2")
		if n := idp.count(); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

// A mail server that refuses every token does not make us ask without end.
func TestSourceRefusedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		s := source(idp)
		token, err := s.Token(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		refused := map[string]bool{}
		for start := time.Now(); time.Since(start) < hour; time.Sleep(time.Second) {
			if token != "" {
				refused[token] = true
			}
			token, err = s.Token(t.Context(), token)
			if refused[token] {
				t.Fatalf("%s was refused and is back", token)
			}
			if err != nil && (!errors.Is(err, ErrRefused) || !errors.Is(err, login.ErrTemporary)) {
				t.Fatal(err)
			}
		}
		if n := idp.count(); n < 10 || n > 30 {
			t.Errorf("%d requests in an hour", n)
		}
	})
}

// A server that gives out the same token again does not bring it back.
func TestSourceSameTokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := &server{}
		idp.answer = func(w http.ResponseWriter, _ url.Values) {
			answerJSON(w, 200, map[string]any{"access_token": "cached", "token_type": "Bearer", "expires_in": 3600})
		}
		s := source(idp)
		expect(t, s, "", "cached")
		time.Sleep(2 * time.Minute)
		expectError(t, s, "cached", ErrRefused)
		time.Sleep(time.Second)
		expectError(t, s, "", ErrRefused)
	})
}

func TestSourceBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := issuing()
		good := idp.answer
		down := func(w http.ResponseWriter, _ url.Values) { http.Error(w, "x", http.StatusServiceUnavailable) }
		idp.answer = down
		s := source(idp)
		for start := time.Now(); time.Since(start) < hour; time.Sleep(time.Second) {
			expectError(t, s, "", login.ErrTemporary)
		}
		// 1, 2, 4, … 256, then 300 s, each a quarter less at most.
		if n := idp.count(); n < 18 || n > 30 {
			t.Errorf("%d requests in an hour", n)
		}
		idp.answer = good
		time.Sleep(5 * time.Minute)
		token, err := s.Token(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		// A failure is not seen while the token is good.
		idp.answer = down
		time.Sleep(hour - time.Minute)
		expect(t, s, "", token)
		time.Sleep(time.Minute)
		expectError(t, s, "", login.ErrTemporary)
	})
}

func TestSourceRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := &server{}
		idp.answer = func(w http.ResponseWriter, _ url.Values) {
			w.Header().Set("Retry-After", "120")
			answerJSON(w, 429, map[string]any{"error": "slow_down"})
		}
		s := source(idp)
		expectError(t, s, "", ErrServer)
		time.Sleep(119 * time.Second)
		expectError(t, s, "", ErrServer)
		if n := idp.count(); n != 1 {
			t.Errorf("%d requests", n)
		}
		time.Sleep(time.Second)
		expectError(t, s, "", ErrServer)
		if n := idp.count(); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestSourcePermanentFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{token: "spent"}
		idp, current := rotating("other")
		s := &Source{Grant: &Refresh{Registration: idp.registration(), Store: store}}
		for range 100 {
			_, err := s.Token(t.Context(), "")
			if !errors.Is(err, ErrInvalidGrant) || errors.Is(err, login.ErrTemporary) {
				t.Fatal(err)
			}
		}
		if n := idp.count(); n != 1 {
			t.Errorf("%d requests", n)
		}
		store.token = *current // somebody logs in
		time.Sleep(5 * time.Minute)
		expect(t, s, "", "access-1")
	})
}

func TestSourceTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Source{Grant: GrantFunc(func(ctx context.Context) (Tokens, error) {
			<-ctx.Done()
			return Tokens{}, temporary(ErrServer, ctx.Err())
		})}
		start := time.Now()
		expectError(t, s, "", context.DeadlineExceeded)
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestSourceRefusesBadTokens(t *testing.T) {
	for _, token := range []string{"", "with space", "line\nbreak", "sasl\x01end", "ü"} {
		s := &Source{Grant: GrantFunc(func(context.Context) (Tokens, error) { return Tokens{Access: login.NewPassword(token)}, nil })}
		expectError(t, s, "", errBadToken)
	}
	expectError(t, &Source{}, "", ErrConfig)
}

func TestStatic(t *testing.T) {
	s := Static("x")
	if got, err := s.Token(t.Context(), ""); got != "x" || err != nil {
		t.Error(got, err)
	}
	if got, err := s.Token(t.Context(), "x"); got != "" || !errors.Is(err, ErrRefused) {
		t.Error(got, err)
	}
}
