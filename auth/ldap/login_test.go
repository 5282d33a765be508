package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
)

// aliceAndBob is a tree of two users.
func aliceAndBob() *tree {
	alice, bob := person("alice"), person("bob")
	return &tree{[]fakeEntry{alice, bob}, map[string]string{alice.dn: "for alice", bob.dn: "for bob"}}
}

func TestLogin(t *testing.T) {
	f := &fake{answer: aliceAndBob().answer}
	c := f.client(t)
	for _, test := range []struct {
		user, password string
		want           error
	}{
		{"alice", "for alice", nil},
		{"alice@example.org", "for alice", nil},
		{"ALICE@EXAMPLE.ORG", "for alice", nil},
		{"bob", "for alice", login.ErrRejected},
		{"bob", "for bob", nil},
		{"alice", "", login.ErrRejected},
		{"carol", "for carol", login.ErrNoUser},
		{"", "x", login.ErrNoUser},
		{"a\x00b", "x", login.ErrNoUser},
		{"\xff", "x", login.ErrNoUser},
		{strings.Repeat("a", login.MaxUsername+1), "x", login.ErrNoUser},
	} {
		if err := try(t.Context(), c, test.user, test.password); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%.20q with %q: %v, want %v", test.user, test.password, err, test.want)
		}
	}
	rec, err := c.Users().Lookup(t.Context(), "alice")
	if err != nil || rec.Account != "alice@example.org" {
		t.Errorf("account %q, %v", rec.Account, err)
	}
}

// TestEmptyPassword: it reaches no server (I3), whatever stands in front.
func TestEmptyPassword(t *testing.T) {
	f := &fake{answer: func(r *request) { // lets everybody in who has no password, as RFC 4513 §5.1.2 allows
		if r.op == goldap.ApplicationBindRequest && (r.password == "" || r.dn == "") {
			r.result(0, "")
			return
		}
		aliceAndBob().answer(r)
	}}
	c := f.client(t)
	if err := try(t.Context(), c, "alice", ""); !errors.Is(err, login.ErrRejected) {
		t.Error(err)
	}
	for _, q := range f.asked() {
		if strings.HasPrefix(q, "bind uid=alice") {
			t.Errorf("asked %q", q)
		}
	}
	// An entry without a DN is the server itself; a bind without a name
	// proves nothing.
	f.becomes((&tree{entries: []fakeEntry{{"", map[string][]string{"uid": {"root"}, "mail": {"root@example.org"}}}}}).answer)
	if err := try(t.Context(), c, "root", "x"); !errors.Is(err, login.ErrNoUser) {
		t.Error(err)
	}
}

// TestVerdicts: what each answer to the bind of a user means. Invalid
// credentials are a refusal, a failure is none.
func TestVerdicts(t *testing.T) {
	ad := func(code string) string {
		return "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data " + code + ", v4563\x00"
	}
	policy := func(code int8) []goldap.Control { return []goldap.Control{policyControl{code}} }
	for _, test := range []struct {
		code     int
		text     string
		controls []goldap.Control
		want     ldap.Reason // "" = no refusal
	}{
		{49, "", nil, ldap.ReasonPassword},
		{49, ad("52e"), nil, ldap.ReasonPassword},
		{49, ad("525"), nil, ldap.ReasonUnknown},
		{49, ad("52f"), nil, ldap.ReasonRestricted},
		{49, ad("530"), nil, ldap.ReasonHours},
		{49, ad("531"), nil, ldap.ReasonWorkstation},
		{49, ad("532"), nil, ldap.ReasonPasswordExpired},
		{49, ad("533"), nil, ldap.ReasonDisabled},
		{49, ad("701"), nil, ldap.ReasonExpired},
		{49, ad("773"), nil, ldap.ReasonMustChange},
		{49, ad("775"), nil, ldap.ReasonLocked},
		{49, ad("775 "), nil, ldap.ReasonLocked},
		{49, ad("0775"), nil, ldap.ReasonLocked},
		{49, ad("zz"), nil, ldap.ReasonPassword},
		{49, ad("57"), nil, ldap.ReasonPassword},
		{49, "data 775", nil, ldap.ReasonPassword},
		{49, "", policy(0), ldap.ReasonPasswordExpired},
		{49, "", policy(1), ldap.ReasonLocked},
		{0, "", policy(2), ldap.ReasonMustChange},
		{32, "", nil, ldap.ReasonUnknown},
		{48, "", nil, ldap.ReasonPassword},
		{19, "Exceed password retry limit. Please try later.", nil, ldap.ReasonLocked},
		{49, ad("51f"), nil, ""},
		{1, "", nil, ""},
		{2, "", nil, ""},
		{3, "", nil, ""},
		{7, "", nil, ""},
		{8, "", nil, ""},
		{10, "", nil, ""},
		{11, "", nil, ""},
		{13, "", nil, ""},
		{14, "", nil, ""},
		{34, "", nil, ""},
		{50, "", nil, ""},
		{51, "", nil, ""},
		{52, "", nil, ""},
		{53, "", nil, ""},
		{80, "", nil, ""},
		{4096, "", nil, ""},
		{-1, "", nil, ""},
	} {
		t.Run(fmt.Sprintf("%d %s", test.code, test.want), func(t *testing.T) {
			users := aliceAndBob()
			f := &fake{answer: func(r *request) {
				if r.op == goldap.ApplicationBindRequest && r.dn != serviceDN {
					r.result(test.code, test.text, test.controls...)
					return
				}
				users.answer(r)
			}}
			var log lines
			err := try(t.Context(), f.client(t, func(c *ldap.Config) { c.Logger = logTo(&log) }), "alice", "x")
			r, refused := errors.AsType[*ldap.Refusal](err)
			switch {
			case refused != (test.want != ""), errors.Is(err, login.ErrTemporary) == refused, errors.Is(err, login.ErrRejected) != refused:
				t.Errorf("%v", err)
			case refused && (r.Reason != test.want || !strings.Contains(log.String(), string(test.want))):
				t.Errorf("%v, want %s; log:\n%s", err, test.want, &log)
			}
		})
	}
}

// policyControl is the password policy control of an answer.
type policyControl struct{ code int8 }

func (policyControl) GetControlType() string { return goldap.ControlTypeBeheraPasswordPolicy }
func (policyControl) String() string         { return "" }

// TestOwnConnections: I4. Many users log in at once over few connections, with
// passwords of their own and of others.
func TestOwnConnections(t *testing.T) {
	const users, rounds = 20, 10
	d := &tree{passwords: map[string]string{}}
	for i := range users {
		p := person(fmt.Sprint("user", i))
		d.entries = append(d.entries, p)
		d.passwords[p.dn] = fmt.Sprint("for user", i)
	}
	f := &fake{answer: d.answer}
	c := f.client(t, func(c *ldap.Config) { c.MaxConns = 3 })
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			for round := range rounds {
				whose := i
				if (i+round)%2 == 0 {
					whose = (i + round + 1) % users
				}
				err := try(t.Context(), c, fmt.Sprint("user", i), fmt.Sprint("for user", whose))
				if whose == i && err != nil || whose != i && !errors.Is(err, login.ErrRejected) {
					t.Errorf("user %d with the password of %d: %v", i, whose, err)
				}
			}
		})
	}
	wg.Wait()
	checkPurposes(t, f)
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.conns); n > 6 {
		t.Errorf("%d connections for 3 searches and 3 binds at once", n)
	}
}

// checkPurposes asserts that every connection searches as the service account,
// or binds users, and never both.
func checkPurposes(t *testing.T, f *fake) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	searched, bound := 0, 0
	for n, h := range f.history {
		searches, users := 0, 0
		for i, q := range h {
			switch {
			case q == "bind "+serviceDN && i == 0, q == "unbind":
			case strings.HasPrefix(q, "search "):
				searches++
			case strings.HasPrefix(q, "bind uid="):
				users++
			default:
				t.Errorf("connection %d was asked %q as number %d", n, q, i)
			}
		}
		if searches > 0 && users > 0 || searches > 0 && h[0] != "bind "+serviceDN || users > 0 && h[0] == "bind "+serviceDN {
			t.Errorf("connection %d was mixed: %q", n, h)
		}
		searched += searches
		bound += users
	}
	if searched == 0 || bound == 0 {
		t.Errorf("%d searches, %d binds", searched, bound)
	}
}

// TestSeveralEntries: nobody is let in where a name has two entries, and it is
// logged; no backend behind is asked.
func TestSeveralEntries(t *testing.T) {
	d := aliceAndBob()
	twin := person("alice")
	twin.dn = "uid=alice,ou=old," + base
	d.entries = append(d.entries, twin)
	d.passwords[twin.dn] = "for alice"
	f := &fake{answer: d.answer}
	var log lines
	c := f.client(t, func(c *ldap.Config) { c.Logger = logTo(&log) })
	if err := try(t.Context(), c, "alice", "for alice"); !errors.Is(err, errDisabled) {
		t.Error(err)
	}
	if s := log.String(); !strings.Contains(s, "level=ERROR") || !strings.Contains(s, twin.dn) {
		t.Errorf("log: %s", s)
	}
	// More than are looked at.
	f.becomes(func(r *request) {
		if r.op != goldap.ApplicationSearchRequest {
			d.answer(r)
			return
		}
		for i := range 100 {
			e := person("alice")
			e.dn = fmt.Sprintf("uid=alice,ou=%d,%s", i, base)
			r.entry(e)
		}
		r.result(0, "")
	})
	if err := try(t.Context(), c, "alice", "for alice"); !errors.Is(err, errDisabled) {
		t.Error(err)
	}
	f.becomes(d.answer)
	if err := try(t.Context(), c, "bob", "for bob"); err != nil {
		t.Error("after it:", err)
	}
}

// TestLooseServer: a server that finds more than was asked for lets nobody in
// as somebody else.
func TestLooseServer(t *testing.T) {
	d := aliceAndBob()
	f := &fake{answer: func(r *request) {
		if r.op == goldap.ApplicationSearchRequest {
			r.entry(d.entries[0]) // always alice
			r.result(0, "")
			return
		}
		d.answer(r)
	}}
	c := f.client(t)
	for _, user := range []string{"alicé", "ali\u00adce", "ａlice", "alice ", "*", "bob", "alice@example.com"} {
		if err := try(t.Context(), c, user, "for alice"); !errors.Is(err, login.ErrNoUser) {
			t.Errorf("%q: %v", user, err)
		}
	}
}

func TestAccountAttribute(t *testing.T) {
	d := aliceAndBob()
	d.entries[0].attrs["mail"] = append(d.entries[0].attrs["mail"], "a.lice@example.org")
	delete(d.entries[1].attrs, "mail")
	f := &fake{answer: d.answer}
	if err := try(t.Context(), f.client(t), "alice", "for alice"); !errors.Is(err, ldap.ErrAmbiguous) || !errors.Is(err, login.ErrTemporary) {
		t.Error("two accounts:", err)
	}
	if err := try(t.Context(), f.client(t), "bob", "for bob"); !errors.Is(err, login.ErrNoUser) {
		t.Error("no account:", err)
	}
	d.entries[1].attrs["mail"] = []string{"not an address at all @"}
	if err := try(t.Context(), f.client(t), "bob", "for bob"); !errors.Is(err, login.ErrTemporary) {
		t.Error("no name:", err)
	}
	c := f.client(t, func(c *ldap.Config) { c.AccountAttribute = "UID" })
	if rec, err := c.Users().Lookup(t.Context(), "a.lice@example.org"); err != nil || rec.Account != "alice" {
		t.Error(rec, err)
	}
}

// TestDecoy: with one, unknown users, those turned off and wrong passwords are
// one search and one bind.
func TestDecoy(t *testing.T) {
	d := aliceAndBob()
	d.entries[1].attrs["nsAccountLock"] = []string{"true"}
	decoy := "cn=nobody,dc=example,dc=org"
	d.passwords[decoy] = "guessed"
	f := &fake{answer: d.answer}
	c := f.client(t, func(c *ldap.Config) { c.Users.Decoy = decoy })
	for user, dn := range map[string]string{"carol": decoy, "bob": decoy, "alice": "uid=alice," + base} {
		for _, password := range []string{"wrong", "guessed"} {
			before := len(f.asked())
			if err := try(t.Context(), c, user, password); !errors.Is(err, login.ErrRejected) || errors.Is(err, login.ErrTemporary) {
				t.Errorf("%s: %v", user, err)
			}
			var kinds []string
			for _, q := range f.asked()[before:] {
				if q != "bind "+serviceDN {
					kinds = append(kinds, q)
				}
			}
			if len(kinds) != 2 || !strings.HasPrefix(kinds[0], "search ") || kinds[1] != "bind "+dn {
				t.Errorf("%s cost %q", user, kinds)
			}
		}
	}
}

// TestEvenRefusals: with a decoy refusals take multiples of 20 ms, however long
// the server takes; a success waits for nothing.
func TestEvenRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aliceAndBob()
		slow := time.Millisecond
		f := &fake{answer: func(r *request) {
			time.Sleep(slow) // in synctest's time
			d.answer(r)
		}}
		c := f.client(t, func(c *ldap.Config) { c.Users.Decoy = "cn=nobody" })
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			user, password string
			slow, want     time.Duration
		}{
			{"alice", "wrong", 3 * time.Millisecond, 20 * time.Millisecond},
			{"carol", "wrong", 7 * time.Millisecond, 20 * time.Millisecond},
			{"carol", "wrong", 15 * time.Millisecond, 40 * time.Millisecond},
			{"alice", "for alice", 3 * time.Millisecond, 6 * time.Millisecond},
		} {
			slow = test.slow
			start := time.Now()
			_ = try(t.Context(), c, test.user, test.password)
			if took := time.Since(start); took != test.want {
				t.Errorf("%s took %v, want %v", test.user, took, test.want)
			}
		}
	})
}

func TestSecrets(t *testing.T) {
	d := aliceAndBob()
	d.entries[0].attrs["scram"] = []string{
		"{SSHA}abc", "{SCRAM-SHA-256}4096,c2FsdA==,c3RvcmVk,c2VydmVy", "SCRAM-SHA-1$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
		"SCRAM-SHA-256 $ 8192:c2FsdA== $ c3RvcmVk:c2VydmVy", "SCRAM-SHA-256$broken", "plain text", "",
	}
	f := &fake{answer: d.answer}
	for attribute, want := range map[string]string{
		"": "", "scram": "{SCRAM-SHA-256}4096,c2FsdA==,c3RvcmVk,c2VydmVy {SCRAM-SHA-1}4096,c2FsdA==,c3RvcmVk,c2VydmVy " +
			"{SCRAM-SHA-256}8192,c2FsdA==,c3RvcmVk,c2VydmVy",
	} {
		c := f.client(t, func(c *ldap.Config) { c.Users.SecretAttribute = attribute })
		rec, err := c.Users().Lookup(t.Context(), "alice")
		if got := strings.Join(rec.Secrets, " "); err != nil || got != want {
			t.Errorf("%q: %s %v, want %s", attribute, got, err, want)
		}
	}
	// Those of a disabled user are never without Disabled.
	d.entries[0].attrs["nsAccountLock"] = []string{"true"}
	for _, decoy := range []string{"", "cn=nobody"} {
		c := f.client(t, func(c *ldap.Config) { c.Users.SecretAttribute, c.Users.Decoy = "scram", decoy })
		rec, err := c.Users().Lookup(t.Context(), "alice")
		if err != nil || rec.Disabled != (len(rec.Secrets) > 0) || rec.Disabled != (decoy == "") {
			t.Errorf("disabled: %+v, %v", rec, err)
		}
	}
}

// TestService: through login.Service, as servers use it.
func TestService(t *testing.T) {
	f := &fake{answer: aliceAndBob().answer}
	var log lines
	svc := &login.Service{Backend: f.client(t).Users(), Guard: login.Unguarded{}, Logger: logTo(&log)}
	attempt := func(user, password string) (login.Identity, error) {
		return svc.Authenticate(context.Background(), login.Attempt{Username: user, Password: login.NewPassword(password), TLS: true})
	}
	if id, err := attempt("Alice@Example.ORG", "for alice"); err != nil || id.Account != "alice@example.org" {
		t.Error(id, err)
	}
	for _, user := range []string{"alice", "carol"} {
		if _, err := attempt(user, "hunter2"); err != login.ErrRejected {
			t.Error(user, err)
		}
	}
	f.becomes(func(r *request) { r.Close() })
	f.hangUp()
	if _, err := attempt("alice", "for alice"); !errors.Is(err, login.ErrTemporary) || errors.Is(err, login.ErrRejected) {
		t.Error(err)
	}
	if s := log.String(); strings.Contains(s, "for alice") || strings.Contains(s, "hunter2") || strings.Contains(s, servicePW) {
		t.Errorf("a password is in the log:\n%s", s)
	}
}

// TestNoBase: a base that does not exist is a fault of the configuration, or
// of a directory that is only half there, but no unknown user; unless the user
// names it.
func TestNoBase(t *testing.T) {
	var asked []string
	f := &fake{answer: func(r *request) {
		if anySearch(r) {
			asked = append(asked, r.base)
			r.result(goldap.LDAPResultNoSuchObject, "")
			return
		}
		aliceAndBob().answer(r)
	}}
	temporary(t, f.client(t).Ping(t.Context()))
	temporary(t, try(t.Context(), f.client(t), "alice", "for alice"))
	c := f.client(t, func(c *ldap.Config) { c.Base, c.Users.DefaultDomain = "o={domain},dc=example", "example.org" })
	for _, user := range []string{"alice", "alice@b,dc=c", "alice@"} {
		if err := try(t.Context(), c, user, "for alice"); !errors.Is(err, login.ErrNoUser) {
			t.Error(user, err)
		}
	}
	if got, want := strings.Join(asked, "; "), base+"; "+base+"; o=example.org,dc=example; o=b\\,dc=c,dc=example"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}
