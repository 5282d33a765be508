package ldap_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
)

// hangAt answers as d does until the request that is asked for, and then
// nothing.
func hangAt(d *tree, at func(*request) bool) func(*request) {
	return func(r *request) {
		if !at(r) {
			d.answer(r)
		}
	}
}

func serviceBind(r *request) bool {
	return r.op == goldap.ApplicationBindRequest && r.dn == serviceDN
}
func anySearch(r *request) bool { return r.op == goldap.ApplicationSearchRequest }
func userBind(r *request) bool {
	return r.op == goldap.ApplicationBindRequest && r.dn != serviceDN
}

// stages are where a server may fail.
var stages = map[string]func(*request) bool{"service bind": serviceBind, "search": anySearch, "user bind": userBind}

// temporary asserts I5.
func temporary(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, login.ErrTemporary) || errors.Is(err, login.ErrRejected) || errors.Is(err, login.ErrNoUser) {
		t.Errorf("%v is no temporary failure", err)
	}
}

// TestSilentServer: 5 s, and a temporary failure; the directory lives again, and
// so do logins.
func TestSilentServer(t *testing.T) {
	for name, at := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := aliceAndBob()
				f := &fake{answer: hangAt(d, at)}
				c := f.client(t)
				for range 2 {
					start := time.Now()
					err := try(t.Context(), c, "alice", "for alice")
					temporary(t, err)
					if took := time.Since(start); took != 5*time.Second || !errors.Is(err, ldap.ErrTimeout) {
						t.Errorf("%v after %v", err, took)
					}
				}
				f.becomes(d.answer)
				if err := try(t.Context(), c, "alice", "for alice"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestDialTimeout: neither a connection that is not accepted nor a TLS layer
// that does not come lasts longer.
func TestDialTimeout(t *testing.T) {
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"dial": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"TLS": func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				b := make([]byte, 1024)
				for {
					if _, err := server.Read(b); err != nil {
						return
					}
				}
			}()
			return client, nil
		},
	} {
		for _, url := range []string{"ldaps://one", "ldap://one"} {
			t.Run(name+" "+url, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fake{}
					c := f.client(t, func(c *ldap.Config) {
						c.URLs, c.AllowPlaintext, c.Dial = []string{url}, false, dial
						c.DialTimeout = 3 * time.Second
					})
					start := time.Now()
					err := c.Ping(t.Context())
					temporary(t, err)
					if took := time.Since(start); took != 3*time.Second || !errors.Is(err, ldap.ErrTimeout) {
						t.Errorf("%v after %v", err, took)
					}
				})
			})
		}
	}
}

// TestCancelled: an operation ends with its context.
func TestCancelled(t *testing.T) {
	for name, at := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: hangAt(aliceAndBob(), at)}
				c := f.client(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				err := try(ctx, c, "alice", "for alice")
				temporary(t, err)
				if took := time.Since(start); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

// TestClose: it ends what is under way, and what comes later.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: hangAt(aliceAndBob(), userBind)}
		c := f.client(t)
		result := make(chan error)
		go func() { result <- try(t.Context(), c, "alice", "for alice") }()
		synctest.Wait()
		start := time.Now()
		c.Close()
		if err := <-result; !errors.Is(err, ldap.ErrClosed) {
			t.Error(err)
		}
		if err := c.Ping(t.Context()); !errors.Is(err, ldap.ErrClosed) {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Error("took", took)
		}
	})
}

// TestFullPool: who finds no connection free waits no longer than an operation
// may take.
func TestFullPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: hangAt(aliceAndBob(), anySearch)}
		c := f.client(t, func(c *ldap.Config) { c.MaxConns, c.Timeout = 1, -1 })
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = c.Ping(ctx) }()
		synctest.Wait()
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		temporary(t, c.Ping(short))
		cancel()
		synctest.Wait()
		f.becomes(aliceAndBob().answer)
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestDyingServer: a connection that ends in place of an answer is a temporary
// failure, not a wrong password and not an unknown user, at every stage.
func TestDyingServer(t *testing.T) {
	for name, at := range stages {
		t.Run(name, func(t *testing.T) {
			d := aliceAndBob()
			f := &fake{answer: func(r *request) {
				if at(r) {
					r.Close()
					return
				}
				d.answer(r)
			}}
			c := f.client(t)
			temporary(t, try(t.Context(), c, "alice", "for alice"))
			f.becomes(d.answer)
			if err := try(t.Context(), c, "alice", "for alice"); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("between entries", func(t *testing.T) {
		f := &fake{answer: func(r *request) {
			if anySearch(r) {
				r.entry(person("alice"))
				r.Close()
				return
			}
			aliceAndBob().answer(r)
		}}
		temporary(t, try(t.Context(), f.client(t), "alice", "for alice"))
	})
}

// TestReconnect: a server that was restarted is asked again, although all idle
// connections are gone.
func TestReconnect(t *testing.T) {
	f := &fake{answer: aliceAndBob().answer}
	c := f.client(t)
	for range 5 {
		if err := try(t.Context(), c, "alice", "for alice"); err != nil {
			t.Fatal(err)
		}
		f.hangUp()
	}
}

// TestFailover: the next server is asked at once when one is down, after its
// timeout when it is silent, and the first one again when its time is over. A
// refused password is not tried elsewhere.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aliceAndBob()
		var silent, dead atomic.Bool
		f := &fake{answer: func(r *request) {
			if r.address != "one:389" || !silent.Load() {
				d.answer(r)
			}
		}}
		c := f.client(t, func(c *ldap.Config) {
			c.URLs = []string{"ldap://one", "ldap://two"}
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dead.Load() && address == "one:389" {
					return nil, errors.New("connection refused")
				}
				return f.dial(ctx, network, address)
			}
		})
		login := func(want time.Duration, password string) error {
			t.Helper()
			start := time.Now()
			err := try(t.Context(), c, "alice", password)
			if took := time.Since(start); took != want {
				t.Errorf("took %v, want %v", took, want)
			}
			return err
		}
		last := func() string { return f.dials[len(f.dials)-1] }
		if err := login(0, "for alice"); err != nil || last() != "one:389" {
			t.Fatal(err, f.dials)
		}
		dead.Store(true)
		f.hangUp()
		if err := login(0, "for alice"); err != nil || last() != "two:389" {
			t.Fatal(err, f.dials)
		}
		dead.Store(false)
		silent.Store(true)
		time.Sleep(31 * time.Second)                              // in synctest's time: the first one is asked again
		if err := login(5*time.Second, "for alice"); err != nil { // the search; the bind knows already
			t.Fatal(err)
		}
		if err := login(0, "for alice"); err != nil {
			t.Fatal(err)
		}
		silent.Store(false)
		time.Sleep(31 * time.Second)
		n := len(f.asked())
		if err := login(0, "wrong"); err == nil {
			t.Fatal("let in")
		}
		binds := 0
		for _, q := range f.asked()[n:] {
			if strings.HasPrefix(q, "bind uid=") {
				binds++
			}
		}
		if binds != 1 || last() != "one:389" {
			t.Errorf("%d binds, dials %q", binds, f.dials)
		}
	})
}

// TestImpatient: callers who wait less long than an operation may take reach
// the next server too, if not at the first attempt. One who goes away says
// nothing of a server.
func TestImpatient(t *testing.T) {
	for name, at := range stages {
		if name == "user bind" {
			continue // asks where the search has found somebody
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: hangAt(aliceAndBob(), func(r *request) bool { return r.address == "one:389" && at(r) })}
				c := f.client(t, func(c *ldap.Config) { c.URLs = []string{"ldap://one", "ldap://two"} })
				gone, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				temporary(t, try(gone, c, "alice", "for alice"))
				for i := range 2 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					err := try(ctx, c, "alice", "for alice")
					cancel()
					if (err == nil) != (i == 1) {
						t.Error(i, err)
					}
				}
			})
		})
	}
}

// TestSlowSetup: dialling, TLS and the bind of the service account have one
// timeout together.
func TestSlowSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: hangAt(aliceAndBob(), serviceBind)}
		c := f.client(t, func(c *ldap.Config) {
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				time.Sleep(3 * time.Second) // in synctest's time
				return f.dial(ctx, network, address)
			}
		})
		start := time.Now()
		temporary(t, c.Ping(t.Context()))
		if took := time.Since(start); took != 5*time.Second {
			t.Error("took", took)
		}
	})
}

// TestServiceRefused: a wrong password of the service account is nobody else's.
func TestServiceRefused(t *testing.T) {
	for _, code := range []int{goldap.LDAPResultInvalidCredentials, goldap.LDAPResultNoSuchObject, goldap.LDAPResultUnwillingToPerform} {
		f := &fake{answer: func(r *request) { r.result(code, "no") }}
		c := f.client(t)
		err := try(t.Context(), c, "alice", "for alice")
		temporary(t, err)
		if !errors.Is(err, ldap.ErrServiceBind) {
			t.Error(err)
		}
		if strings.Contains(err.Error(), servicePW) {
			t.Error("the password is in the error")
		}
	}
}

// TestReferrals: nobody is asked whom a server names (I6), and its refusal to
// answer is none of the password.
func TestReferrals(t *testing.T) {
	for name, at := range stages {
		t.Run(name, func(t *testing.T) {
			d := aliceAndBob()
			f := &fake{answer: func(r *request) {
				if at(r) {
					r.result(goldap.LDAPResultReferral, "ldap://evil/")
					return
				}
				d.answer(r)
			}}
			c := f.client(t, func(c *ldap.Config) { c.URLs = append(c.URLs, "ldap://two") })
			err := try(t.Context(), c, "alice", "for alice")
			temporary(t, err)
			if name == "service bind" { // says nothing of the directory: the next server is asked
				return
			}
			if !errors.Is(err, ldap.ErrReferral) {
				t.Error(err)
			}
			for _, address := range f.dials {
				if address != "one:389" {
					t.Errorf("dialled %s", address)
				}
			}
		})
	}
	f := &fake{answer: func(r *request) {
		if anySearch(r) {
			r.reference("ldap://evil/ou=people,dc=example,dc=org")
			r.reference("ldap://two/")
		}
		aliceAndBob().answer(r)
	}}
	c := f.client(t)
	if err := try(t.Context(), c, "alice", "for alice"); err != nil {
		t.Error("references beside an entry, as Active Directory sends them:", err)
	}
	if err := try(t.Context(), c, "carol", "x"); !errors.Is(err, login.ErrNoUser) {
		t.Error(err)
	}
	for _, address := range f.dials {
		if address != "one:389" {
			t.Errorf("dialled %s", address)
		}
	}
}

// header is the beginning of an element of this length.
func header(tag string, length int) string {
	return tag + string([]byte{0x84, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)})
}

// TestHugeAnswers: time and memory are bounded, whatever a server sends (I7).
func TestHugeAnswers(t *testing.T) {
	big := strings.Repeat("x", 1<<16)
	reference := header("\x30", 3+6+6+len(big)) + "\x02\x01\x02" + header("\x73", 6+len(big)) + header("\x04", len(big)) + big
	for name, answer := range map[string]struct{ first, forever string }{
		"one value of 2 GiB":     {header("\x30", 1<<31-1) + "\x02\x01\x02" + header("\x64", 1<<31-20) + header("\x04", 1<<31-40), big},
		"references without end": {"", reference},
		"entries without end":    {"", "\x30\x09\x02\x01\x02\x64\x04\x04\x00\x30\x00"},
		"messages nobody wants":  {"", "\x30\x0c\x02\x01\x63\x65\x07\x0a\x01\x00\x04\x00\x04\x00"},
		"small elements":         {header("\x30", 1<<31-1) + "\x02\x01\x02" + header("\x64", 1<<31-20), strings.Repeat("\x05\x00", 1<<12)},
		"nesting":                {"", strings.Repeat("\x30\x80", 1<<12)},
	} {
		t.Run(name, func(t *testing.T) {
			d := aliceAndBob()
			f := &fake{answer: func(r *request) {
				if !anySearch(r) {
					d.answer(r)
					return
				}
				_, err := r.Write([]byte(answer.first))
				for b := []byte(answer.forever); err == nil; {
					_, err = r.Write(b)
				}
			}}
			c := f.client(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := try(t.Context(), c, "alice", "for alice")
			runtime.ReadMemStats(&after)
			if name == "entries without end" {
				if !errors.Is(err, errDisabled) {
					t.Error(err)
				}
			} else {
				temporary(t, err)
			}
			t.Logf("%v; %d KiB allocated", err, (after.TotalAlloc-before.TotalAlloc)>>10)
			if got := after.TotalAlloc - before.TotalAlloc; got > 128<<20 {
				t.Errorf("%d MiB allocated", got>>20)
			}
			f.becomes(d.answer)
			if err := try(t.Context(), c, "alice", "for alice"); err != nil {
				t.Error("after it:", err)
			}
		})
	}
}

// malformed are answers to a search that follow no protocol. <id> is the
// message's.
var malformed = []string{
	"\x30\x03\x02\x01<id>",                                 // no operation
	"\x30\x05\x02\x01<id>\x64\x00",                         // an entry without anything
	"\x30\x07\x02\x01<id>\x64\x02\x30\x00",                 // an entry whose name is a sequence
	"\x30\x07\x02\x01<id>\x64\x02\x04\x00",                 // without attributes
	"\x30\x0b\x02\x01<id>\x64\x06\x04\x00\x30\x02\x30\x00", // an attribute without anything
	"\x30\x05\x02\x01<id>\x65\x00",                         // a result without a code
	"\x30\x0a\x02\x01<id>\x65\x05\x0a\x01\x00\x04\x00",     // without a text
	"\x30\x05\x02\x01<id>\x73\x00",                         // a reference to nowhere
	"\x30\x03\x04\x01<id>",                                 // the id is no number
	"\x30\x00",
	"\x04\x00",
	"\x00\x00",
	"HTTP/1.1 400 Bad Request\r\n\r\n",
	"\xff\xff\xff\xff",
	"\x30\x0c\x02\x01<id>\x65\x07\x0a\x01\x00\x04\x00\x04\x00\x00", // a success, and an octet too much
}

func TestMalformedAnswers(t *testing.T) {
	for _, text := range malformed {
		synctest.Test(t, func(t *testing.T) {
			d := aliceAndBob()
			f := &fake{answer: func(r *request) {
				if anySearch(r) {
					_, _ = r.Write([]byte(strings.ReplaceAll(text, "<id>", string(rune(r.id)))))
					return
				}
				d.answer(r)
			}}
			c := f.client(t)
			err := try(t.Context(), c, "alice", "for alice")
			if !strings.Contains(text, "\x65\x07") {
				temporary(t, err)
			}
			f.becomes(d.answer)
			if err := try(t.Context(), c, "alice", "for alice"); err != nil {
				t.Errorf("%q: after it: %v", text, err)
			}
		})
	}
}

// FuzzAnswers: whatever a server answers, nobody is let in and nothing panics
// or hangs.
func FuzzAnswers(f *testing.F) {
	for _, text := range malformed {
		f.Add([]byte(strings.ReplaceAll(text, "<id>", "\x02")), true)
		f.Add([]byte(strings.ReplaceAll(text, "<id>", "\x01")), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, search bool) {
		d := aliceAndBob()
		s := &fake{answer: func(r *request) {
			if search && anySearch(r) || !search && userBind(r) {
				_, _ = r.Write(b)
				r.Close()
				return
			}
			d.answer(r)
		}}
		c := s.client(t)
		err := try(t.Context(), c, "alice", "wrong")
		if search && err == nil {
			t.Error("let in")
		}
		if err != nil && !errors.Is(err, login.ErrTemporary) && !errors.Is(err, login.ErrRejected) && !errors.Is(err, login.ErrNoUser) {
			t.Error(err)
		}
		c.Close()
		s.hangUp()
		s.running.Wait()
	})
}
