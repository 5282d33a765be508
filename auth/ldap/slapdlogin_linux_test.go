package ldap_test

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// logged is the reason that the log gives for the last refusal.
func logged(log *lines) string {
	s := log.String()
	i := strings.LastIndex(s, "reason=")
	if i < 0 {
		return ""
	}
	text, _, _ := strings.Cut(s[i:], "\n")
	return text
}

func TestSlapdLogin(t *testing.T) {
	s := sharedSlapd(t)
	for _, url := range []string{"ldaps://" + s.ldaps, "ldap://" + s.ldap, s.socket()} {
		scheme, _, _ := strings.Cut(url, ":")
		t.Run(scheme, func(t *testing.T) {
			conf := s.config()
			var log lines
			conf.URLs, conf.Logger = []string{url}, logTo(&log)
			c := open(t, conf, nil)
			if err := c.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			for _, test := range []struct {
				user, password string
				want           error
				reason         ldap.Reason
			}{
				{"alice", "for alice", nil, ""},
				{"alice@example.org", "for alice", nil, ""},
				{"bob", "for bob", nil, ""},
				{"odd", "öäü 😀", nil, ""},
				{"alice", "for bob", login.ErrRejected, ldap.ReasonPassword},
				{"nopassword", "x", login.ErrRejected, ldap.ReasonPassword},
				{"carol", "x", login.ErrNoUser, ""},
				{"locked", "for locked", errDisabled, ldap.ReasonLocked},
				{"ns", "for ns", errDisabled, ldap.ReasonDisabled},
				{"closed", "for closed", errDisabled, ldap.ReasonDisabled},
				{"twin", "for twin", errDisabled, ""},
			} {
				err := try(t.Context(), c, test.user, test.password)
				if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) || errors.Is(err, login.ErrTemporary) {
					t.Errorf("%s with %q: %v, want %v", test.user, test.password, err, test.want)
				}
				if test.reason != "" && !strings.Contains(logged(&log), string(test.reason)) {
					t.Errorf("%s: logged %q, want %s", test.user, logged(&log), test.reason)
				}
			}
			rec, err := c.Users().Lookup(t.Context(), "alice")
			if err != nil || rec.Account != "alice@example.org" || len(rec.Secrets) != 1 {
				t.Errorf("%+v %v", rec, err)
			}
		})
	}
}

// TestSlapdExternal: the service account is who this process is, on a socket of
// this machine.
func TestSlapdExternal(t *testing.T) {
	s := sharedSlapd(t)
	conf := s.config()
	conf.URLs, conf.BindDN, conf.Password, conf.External = []string{s.socket()}, "", login.Password{}, true
	if err := try(t.Context(), open(t, conf, nil), "alice", "for alice"); err != nil {
		t.Error(err)
	}
	conf.External = false // nobody, who may read nothing
	err := try(t.Context(), open(t, conf, nil), "alice", "for alice")
	if err == nil || errors.Is(err, login.ErrRejected) {
		t.Error(err)
	}
}

// TestSlapdPolicy: what slapd's password policy says to a bind.
func TestSlapdPolicy(t *testing.T) {
	s := ownSlapd(t) // it counts failures
	conf := s.config()
	var log lines
	conf.Logger = logTo(&log)
	c := open(t, conf, nil)
	for _, test := range []struct {
		user, password string
		reason         ldap.Reason
	}{
		{"reset", "for reset", ldap.ReasonMustChange},
		{"aged", "for aged", ldap.ReasonPasswordExpired},
		{"guessed", "wrong", ldap.ReasonPassword},
		{"guessed", "wrong", ldap.ReasonPassword},
		{"guessed", "wrong", ldap.ReasonPassword},
		{"guessed", "for guessed", ldap.ReasonLocked}, // pwdAccountLockedTime
	} {
		err := try(t.Context(), c, test.user, test.password)
		if !errors.Is(err, login.ErrRejected) || !strings.Contains(logged(&log), string(test.reason)) {
			t.Errorf("%s: %v, logged %q, want %s", test.user, err, logged(&log), test.reason)
		}
	}
}

func TestSlapdActiveDirectory(t *testing.T) {
	s := sharedSlapd(t)
	conf := s.corp()
	var log lines
	conf.Logger = logTo(&log)
	c := open(t, conf, nil)
	for user, reason := range map[string]ldap.Reason{
		"normal": "", "normal@example.com": "", "normal@corp.example.com": "", "wasout": "", "leaving": "", "never": "",
		"disabled": ldap.ReasonDisabled, "lockedout": ldap.ReasonLocked, "computed": ldap.ReasonLocked, "stale": ldap.ReasonPasswordExpired,
		"expired": ldap.ReasonExpired, "mustchange": ldap.ReasonMustChange,
	} {
		name, _, _ := strings.Cut(user, "@")
		err := try(t.Context(), c, user, "for "+name) // slapd itself lets all of them in
		if reason == "" {
			if err != nil {
				t.Errorf("%s: %v", user, err)
			}
			continue
		}
		if !errors.Is(err, errDisabled) || !strings.Contains(logged(&log), string(reason)) {
			t.Errorf("%s: %v, logged %q, want %s", user, err, logged(&log), reason)
		}
	}
	for address, want := range map[string]string{
		"second@example.com": "local normal@example.com", "Normal+tag@Example.com": "local normal@example.com +tag",
		"disabled@example.com": "local disabled@example.com", "verkauf@example.com": "alias normal@example.com disabled@example.com",
		"nobody@example.com": "unknown", "x@example.net": "remote",
	} {
		if got := show(t, c, address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if l, err := c.Addresses().Limits(t.Context(), "normal@example.com"); err != nil || l != (store.Limits{Bytes: 2 << 20}) {
		t.Error(l, err)
	}
}

func TestSlapdAddresses(t *testing.T) {
	c := open(t, sharedSlapd(t).config(), nil)
	for address, want := range map[string]string{
		"alice@example.org":   "local alice@example.org",
		"ALICE+x@example.org": "local alice@example.org +x",
		"locked@example.org":  "local locked@example.org", // a locked user still gets mail
		"staff@example.org":   "alias alice@example.org bob@example.org odd@example.org",
		"twin@example.org":    "temporary",
		"carol@example.org":   "unknown",
	} {
		if got := show(t, c, address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestSlapdInjection: no hostile name finds anybody, at a real server.
func TestSlapdInjection(t *testing.T) {
	c := open(t, sharedSlapd(t).config(), nil)
	for _, h := range ldap.Hostile {
		for _, name := range []string{h, "alice" + h, h + "alice", h + "@example.org", "alice@example.org" + h, "alice)(" + h} {
			rec, err := c.Users().Lookup(t.Context(), name)
			if errors.Is(err, login.ErrNoUser) {
				continue
			}
			if rec.Account != "" || err == nil {
				t.Errorf("%q found %q, %v", name, rec.Account, err)
			}
			temporary(t, err)
		}
		es, err := c.Addresses().Lookup(t.Context(), []smtp.ForwardPath{{Path: smtp.Path{Local: h, Domain: "example.org"}}})
		if err != nil || es[0].Account != "" || es[0].Expand != nil {
			t.Errorf("%q found %+v, %v", h, es, err)
		}
	}
}

// TestSlapdTLS: no password goes to a server without TLS, or that cannot prove
// who it is.
func TestSlapdTLS(t *testing.T) {
	s := sharedSlapd(t)
	for name, change := range map[string]func(*ldap.Config){
		"unknown root":    func(c *ldap.Config) { c.TLS = nil },
		"another name":    func(c *ldap.Config) { c.TLS = &tls.Config{RootCAs: s.roots, ServerName: "ldap.example.org"} },
		"StartTLS, root":  func(c *ldap.Config) { c.URLs, c.TLS = []string{"ldap://" + s.ldap}, nil },
		"not a TLS port":  func(c *ldap.Config) { c.URLs = []string{"ldaps://" + s.ldap} },
		"TLS port":        func(c *ldap.Config) { c.URLs = []string{"ldap://" + s.ldaps} },
		"without, forced": func(c *ldap.Config) { c.URLs, c.AllowPlaintext = []string{"ldap://" + s.ldap}, true },
	} {
		conf := s.config()
		change(&conf)
		err := open(t, conf, nil).Ping(t.Context())
		temporary(t, err)
		if forced := name == "without, forced"; errors.Is(err, ldap.ErrServiceBind) != forced {
			t.Errorf("%s: %v", name, err) // only that one got as far as the password, and slapd refused it
		}
	}
}

// TestSlapdStopped: a directory that hangs, in the middle of anything, costs
// the timeout and no more; when it goes on, so do logins.
func TestSlapdStopped(t *testing.T) {
	s := ownSlapd(t)
	conf := s.config()
	conf.Timeout, conf.DialTimeout = 2*time.Second, 2*time.Second
	c := open(t, conf, nil)
	if err := try(t.Context(), c, "alice", "for alice"); err != nil { // there are connections
		t.Fatal(err)
	}
	rec, err := c.Users().Lookup(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var bind, search error
	s.stop(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		bind = rec.Check(t.Context(), login.Attempt{Username: "alice", Password: login.NewPassword("for alice")})
	})
	wg.Go(func() { _, search = c.Users().Lookup(t.Context(), "alice") })
	wg.Wait()
	s.signal(t, syscall.SIGCONT)
	temporary(t, bind)
	temporary(t, search)
	if !errors.Is(bind, ldap.ErrTimeout) || !errors.Is(search, ldap.ErrTimeout) {
		t.Error(bind, search)
	}
	if err := try(t.Context(), c, "alice", "for alice"); err != nil {
		t.Error(err)
	}
}

// TestSlapdKilled: under load a server is killed and started again, several
// times. No right password is refused, no wrong one accepted, and afterwards
// all is as before.
func TestSlapdKilled(t *testing.T) {
	s := ownSlapd(t)
	c := open(t, s.config(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	good, down := 0, 0
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				right := (n+i)%2 == 0
				password := map[bool]string{true: "for alice", false: "for bob"}[right]
				err := try(t.Context(), c, "alice", password)
				mu.Lock()
				switch {
				case errors.Is(err, login.ErrTemporary):
					down++
				case right && err == nil, !right && errors.Is(err, login.ErrRejected):
					good++
				default:
					t.Errorf("right: %v, %v", right, err)
				}
				mu.Unlock()
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return good }
	for range 3 {
		for before := count(); count() < before+20; {
			time.Sleep(time.Millisecond)
		}
		s.kill()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	if err := try(t.Context(), c, "alice", "for alice"); err != nil {
		t.Error(err)
	}
	t.Logf("%d judged, %d while it was down", good, down)
}

// TestSlapdFailover: the second server answers at once when the first one dies.
func TestSlapdFailover(t *testing.T) {
	one, two := ownSlapd(t), ownSlapd(t)
	conf := one.config()
	conf.URLs = append(conf.URLs, "ldaps://"+two.ldaps)
	conf.TLS = &tls.Config{RootCAs: one.roots}
	for _, der := range certificates(t, two) {
		conf.TLS.RootCAs.AppendCertsFromPEM(der)
	}
	var mu sync.Mutex
	asked := map[string]int{}
	conf.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		asked[address]++
		mu.Unlock()
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	c := open(t, conf, nil)
	for i := range 3 {
		if err := try(t.Context(), c, "alice", "for alice"); err != nil {
			t.Error(i, err)
		}
		one.kill()
	}
	if err := try(t.Context(), c, "alice", "wrong"); !errors.Is(err, login.ErrRejected) {
		t.Error(err)
	}
	two.kill()
	temporary(t, try(t.Context(), c, "alice", "for alice"))
	if asked[one.ldaps] == 0 || asked[two.ldaps] == 0 {
		t.Error(asked)
	}
}

// TestSlapdTiming reports how long refusals of unknown, wrong and disabled users
// take with a decoy: medians, and the Kolmogorov-Smirnov statistic beside what
// two samples of one distribution exceed in 5 of 100 cases. It is a report, no
// gate.
func TestSlapdTiming(t *testing.T) {
	if testing.Short() {
		t.Skip("a report; not with -short")
	}
	n := 100
	if os.Getenv("MAILSTEAD_FULL") == "1" {
		n = 2000
	}
	conf := sharedSlapd(t).config()
	conf.Users.Decoy = "cn=nobody,dc=example,dc=org"
	c := open(t, conf, nil)
	users := []string{"alice", "carol", "ns"} // wrong, unknown, disabled
	times := make([][]time.Duration, len(users))
	for range n {
		for i, user := range users {
			start := time.Now()
			if err := try(t.Context(), c, user, "wrong"); !errors.Is(err, login.ErrRejected) {
				t.Fatal(user, err)
			}
			times[i] = append(times[i], time.Since(start))
		}
	}
	for _, list := range times {
		slices.Sort(list)
	}
	t.Logf("medians of %d: wrong %v, unknown %v, disabled %v", n, times[0][n/2], times[1][n/2], times[2][n/2])
	t.Logf("KS: wrong/unknown %.3f, wrong/disabled %.3f; 5%% at %.3f",
		kolmogorov(times[0], times[1]), kolmogorov(times[0], times[2]), 1.358*math.Sqrt(2/float64(n)))
}

// kolmogorov is the largest distance of two sorted samples' distributions.
func kolmogorov(x, y []time.Duration) (d float64) {
	for _, v := range slices.Concat(x, y) {
		i, _ := slices.BinarySearch(x, v+1)
		j, _ := slices.BinarySearch(y, v+1)
		d = max(d, math.Abs(float64(i)/float64(len(x))-float64(j)/float64(len(y))))
	}
	return d
}
