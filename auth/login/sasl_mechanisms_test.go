package login

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// tokenVerifier knows the tokens "good", "bad" (rejected), "down" and "other".
type tokenVerifier struct{}

func (tokenVerifier) VerifyToken(_ context.Context, token string) (Token, error) {
	switch token {
	case "good":
		return Token{Username: "Alice@example.org"}, nil
	case "stranger":
		return Token{Username: "eve@example.org"}, nil
	case "dora":
		return Token{Username: "dora@example.org"}, nil
	case "down":
		return Token{}, errDown
	}
	return Token{}, ErrRejected
}

// mechanismBackend keeps one form of the password "secret" for each mechanism:
// alice, dora (disabled), only (app passwords only), down (unreachable), broken
// (unreadable secrets).
func mechanismBackend(t testing.TB) backendFunc {
	t.Helper()
	var secrets []string
	for _, name := range []string{saslmech.SCRAMSHA1, saslmech.SCRAMSHA256, saslmech.SCRAMSHA512} {
		h, err := HashSCRAM(name, NewPassword("secret"), saslmech.MinIterations)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, h)
	}
	secrets = append(secrets, "{CRAM-MD5}"+saslmech.NewCRAMSecret("secret").Reveal())
	own := Record{Hash: mustHash(t, "secret"), Secrets: secrets}
	apps := []AppPassword{
		{Name: "phone", Hash: mustHash(t, "app"), Protocols: []Protocol{IMAP, SMTP}},
		{Name: "old", Hash: "{broken}"},
		{Name: "pop", Hash: mustHash(t, "pop"), Protocols: []Protocol{POP3}},
	}
	return func(_ context.Context, u string) (Record, error) {
		rec := own
		switch u {
		case "alice@example.org":
		case "dora@example.org":
			rec.Disabled = true
		case "only@example.org":
			rec.AppPasswordsOnly, rec.AppPasswords = true, apps
		case "down@example.org":
			return Record{}, errDown
		case "broken@example.org":
			return Record{Secrets: []string{"{SCRAM-SHA-1}x", "{SCRAM-SHA-256}x", "{SCRAM-SHA-512}x", "{CRAM-MD5}x"}}, nil
		default:
			return Record{}, ErrNoUser
		}
		return rec, nil
	}
}

// allMechanisms is a service with everything on.
func allMechanisms(t testing.TB) *Service {
	return &Service{
		Backend: mechanismBackend(t), Params: cheap, Guard: Unguarded{}, Logger: slog.New(slog.DiscardHandler),
		Enable:    []string{saslmech.Login, saslmech.CRAMMD5, saslmech.SCRAMSHA1, saslmech.SCRAMSHA256, saslmech.SCRAMSHA512},
		Tokens:    tokenVerifier{},
		Anonymous: "guest", SCRAMIterations: saslmech.MinIterations,
		Certificate: func(ctx context.Context, c *x509.Certificate) (string, error) {
			if slices.Contains(c.EmailAddresses, "down") {
				return "", errDown
			}
			return CertificateEmail(ctx, c)
		},
		Authorize: authorizeShared,
	}
}

// certified is an attempt over TLS with a client certificate.
func certified(addresses ...string) Attempt {
	a := attempt("", "")
	a.TLSState = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{EmailAddresses: addresses}}}}
	return a
}

// converse runs an exchange between a client and the service.
func converse(s *Service, mechanism string, peer Attempt, c sasl.Client) (id Identity, err error) {
	calls := 0
	server, err := s.Server(context.Background(), mechanism, peer, func(got Identity) { id = got; calls++ })
	if err != nil {
		return id, err
	}
	_, response, err := c.Start()
	if err != nil {
		return id, errors.New("client: " + err.Error())
	}
	for range 10 {
		challenge, done, err := server.Next(response)
		if done && err == nil && calls != 1 || err != nil && calls != 0 {
			return id, errors.New("done called at the wrong moment")
		}
		if err != nil || done {
			return id, err
		}
		if response, err = c.Next(challenge); err != nil {
			return id, errors.New("client: " + err.Error())
		}
	}
	return id, errors.New("endless")
}

// clientOf returns a client with a user's right or wrong password.
func clientOf(t *testing.T, mechanism, user, password, authzid string) sasl.Client {
	t.Helper()
	c, err := saslmech.Choose([]string{mechanism}, saslmech.Credentials{Username: user, Password: password, Authzid: authzid}, saslmech.Policy{AllowPlaintext: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every mechanism that has a password behaves the same for every kind of user.
func TestPasswordMechanisms(t *testing.T) {
	const alice = "alice@example.org"
	s := allMechanisms(t)
	for _, mechanism := range []string{"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "CRAM-MD5"} {
		for _, tt := range []struct {
			name, user, password, authzid string
			id                            Identity
			err                           error
		}{
			{"right", "ALICE@Example.org", "secret", "", Identity{Account: alice, User: alice}, nil},
			{"wrong", alice, "Secret", "", Identity{}, ErrRejected},
			{"unknown", "eve@example.org", "secret", "", Identity{}, ErrRejected},
			{"disabled", "dora@example.org", "secret", "", Identity{}, ErrRejected},
			{"app passwords only", "only@example.org", "secret", "", Identity{}, ErrRejected},
			{"no name", "not a name", "secret", "", Identity{}, ErrRejected},
			{"backend down", "down@example.org", "secret", "", Identity{}, ErrTemporary},
			{"unreadable secret", "broken@example.org", "secret", "", Identity{}, ErrTemporary},
			{"own authzid", alice, "secret", "Alice@example.org", Identity{Account: alice, User: alice}, nil},
			{"allowed authzid", alice, "secret", "shared@example.org", Identity{Account: "shared@example.org", User: alice}, nil},
			{"other authzid", alice, "secret", "bob@example.org", Identity{}, ErrRejected},
			{"authzid is no name", alice, "secret", "no name", Identity{}, ErrRejected},
			{"authorizer down", alice, "secret", "down@example.org", Identity{}, ErrTemporary},
			{"authzid, wrong password", alice, "x", "shared@example.org", Identity{}, ErrRejected},
		} {
			if tt.authzid != "" && (mechanism == "LOGIN" || mechanism == "CRAM-MD5") {
				continue
			}
			id, err := converse(s, mechanism, attempt("", ""), clientOf(t, mechanism, tt.user, tt.password, tt.authzid))
			if !errors.Is(err, tt.err) || id != tt.id {
				t.Errorf("%s, %s: %+v, %v; want %+v, %v", mechanism, tt.name, id, err, tt.id, tt.err)
			}
			if tt.err == ErrRejected && err != ErrRejected {
				t.Errorf("%s, %s: the refusal says more: %#v", mechanism, tt.name, err)
			}
		}
	}
}

// App passwords work where the password is shown, each for its protocols, and
// also beside a password of one's own that is refused.
func TestAppPasswords(t *testing.T) {
	s := allMechanisms(t)
	for _, tt := range []struct {
		password string
		protocol Protocol
		name     string
		err      error
	}{
		{"app", IMAP, "phone", nil},
		{"app", SMTP, "phone", nil},
		{"app", POP3, "", ErrRejected},
		{"pop", POP3, "pop", nil},
		{"pop", IMAP, "", ErrRejected},
		{"secret", IMAP, "", ErrRejected},
		{"App", IMAP, "", ErrRejected},
	} {
		for range 2 { // the second time from memory
			a := attempt("only@example.org", tt.password)
			a.Protocol = tt.protocol
			id, err := s.Authenticate(t.Context(), a)
			if !errors.Is(err, tt.err) || id.AppPassword != tt.name {
				t.Errorf("%s over %s: %+v, %v", tt.password, tt.protocol, id, err)
			}
		}
	}
}

// Only a secret judges passwords where there is no other hash.
func TestPasswordAgainstSecrets(t *testing.T) {
	for _, forms := range [][]string{
		{"{CRAM-MD5}" + saslmech.NewCRAMSecret("secret").Reveal()},
		{"{PLAIN-UNKNOWN}x", "{CRAM-MD5}" + saslmech.NewCRAMSecret("secret").Reveal()},
	} {
		s := &Service{Params: cheap, Guard: Unguarded{}, Logger: slog.New(slog.DiscardHandler), Backend: backendFunc(
			func(context.Context, string) (Record, error) { return Record{Secrets: forms}, nil })}
		if _, err := s.Authenticate(t.Context(), attempt("a", "secret")); err != nil {
			t.Errorf("%v: %v", forms, err)
		}
		if _, err := s.Authenticate(t.Context(), attempt("a", "wrong")); !errors.Is(err, ErrRejected) {
			t.Errorf("%v: %v", forms, err)
		}
	}
	h, err := HashSCRAM("SCRAM-SHA-256", NewPassword("se\u00a0cret"), saslmech.MinIterations)
	if err != nil || !strings.HasPrefix(h, "{SCRAM-SHA-256}4096,") {
		t.Fatalf("%s, %v", h, err)
	}
	if ok, err := Verify(h, NewPassword("se cret")); !ok || err != nil {
		t.Errorf("Verify: %t, %v", ok, err)
	}
	if NeedsRehash(h, Params{}) {
		t.Error("a verifier would be replaced")
	}
	for _, name := range []string{"SCRAM-SHA-256-PLUS", "PLAIN", "SCRAM-MD5"} {
		if _, err := HashSCRAM(name, NewPassword("x"), 0); !errors.Is(err, ErrHash) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := HashSCRAM("SCRAM-SHA-256", NewPassword(""), 0); !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
	if _, err := HashSCRAM("SCRAM-SHA-256", NewPassword("x"), 10_000_000); !errors.Is(err, ErrHash) {
		t.Error(err)
	}
}

func TestTokens(t *testing.T) {
	const alice = "alice@example.org"
	s := allMechanisms(t)
	s.TokenScope = "mail"
	for _, mechanism := range []string{"OAUTHBEARER", "XOAUTH2"} {
		for _, tt := range []struct {
			name, authzid, token string
			id                   Identity
			err                  error
		}{
			{"right", alice, "good", Identity{Account: alice, User: alice}, nil},
			{"other case", "ALICE@example.org", "good", Identity{Account: alice, User: alice}, nil},
			{"delegate", "shared@example.org", "good", Identity{Account: "shared@example.org", User: alice}, nil},
			{"somebody else's account", "bob@example.org", "good", Identity{}, ErrRejected},
			{"authorizer down", "down@example.org", "good", Identity{}, ErrTemporary},
			{"refused", alice, "bad", Identity{}, ErrRejected},
			{"verifier down", alice, "down", Identity{}, ErrTemporary},
			{"user unknown here", "eve@example.org", "stranger", Identity{}, ErrRejected},
			{"disabled here", "dora@example.org", "dora", Identity{}, ErrRejected},
			{"no name", "no name", "good", Identity{}, ErrRejected},
		} {
			c := saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Authzid: tt.authzid, Token: tt.token})
			if mechanism == "XOAUTH2" {
				c = saslmech.NewXOAuth2Client(saslmech.BearerRequest{Authzid: tt.authzid, Token: tt.token})
			}
			id, err := converse(s, mechanism, attempt("", ""), c)
			if !errors.Is(err, tt.err) || id != tt.id {
				t.Errorf("%s, %s: %+v, %v; want %+v, %v", mechanism, tt.name, id, err, tt.id, tt.err)
			}
			var f *saslmech.BearerFailure
			if refused := errors.As(saslmech.Outcome(c), &f); refused != (tt.err == ErrRejected) || refused && f.Scope != "mail" {
				t.Errorf("%s, %s: the client heard %+v", mechanism, tt.name, f)
			}
		}
	}
	// Without an authzid the token says who it is.
	id, err := converse(s, "OAUTHBEARER", attempt("", ""), saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: "good"}))
	if err != nil || id.User != alice {
		t.Errorf("no authzid: %+v, %v", id, err)
	}
	s.TokenUser = func(_ context.Context, tok Token) (string, error) {
		if tok.Username == "eve@example.org" {
			return alice, nil
		}
		return "", ErrNoUser
	}
	if id, err = converse(s, "OAUTHBEARER", attempt("", ""), saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: "stranger"})); err != nil || id.User != alice {
		t.Errorf("mapped: %+v, %v", id, err)
	}
	if _, err = converse(s, "OAUTHBEARER", attempt("", ""), saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: "good"})); !errors.Is(err, ErrRejected) {
		t.Errorf("mapped to nobody: %v", err)
	}
}

// A client that names another host than in the TLS handshake is misled.
func TestTokenHost(t *testing.T) {
	s := allMechanisms(t)
	peer := attempt("", "")
	peer.TLSState = &tls.ConnectionState{ServerName: "imap.example.org"}
	for host, want := range map[string]error{"": nil, "IMAP.example.org.": nil, "imap.example.com": ErrRejected} {
		c := saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: "good", Host: host})
		if _, err := converse(s, "OAUTHBEARER", peer, c); !errors.Is(err, want) {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestExternal(t *testing.T) {
	const alice = "alice@example.org"
	s := allMechanisms(t)
	for _, tt := range []struct {
		name    string
		peer    Attempt
		authzid string
		id      Identity
		err     error
	}{
		{"right", certified("Alice@Example.org"), "", Identity{Account: alice, User: alice}, nil},
		{"allowed authzid", certified(alice), "shared@example.org", Identity{Account: "shared@example.org", User: alice}, nil},
		{"other authzid", certified(alice), "bob@example.org", Identity{}, ErrRejected},
		{"unknown", certified("eve@example.org"), "", Identity{}, ErrRejected},
		{"disabled", certified("dora@example.org"), "", Identity{}, ErrRejected},
		{"app passwords only", certified("only@example.org"), "", Identity{Account: "only@example.org", User: "only@example.org"}, nil},
		{"backend down", certified("down@example.org"), "", Identity{}, ErrTemporary},
		{"mapping down", certified("down"), "", Identity{}, ErrTemporary},
		{"no address", certified(), "", Identity{}, ErrRejected},
		{"two addresses", certified(alice, "bob@example.org"), "", Identity{}, ErrRejected},
		{"address is no name", certified("a b@example.org"), "", Identity{}, ErrRejected},
		{"no certificate", attempt("", ""), "", Identity{}, ErrMechanism},
	} {
		id, err := converse(s, "EXTERNAL", tt.peer, saslmech.NewExternalClient(tt.authzid))
		if !errors.Is(err, tt.err) || id != tt.id {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.name, id, err, tt.id, tt.err)
		}
	}
	unverified := certified(alice)
	unverified.TLSState.PeerCertificates, unverified.TLSState.VerifiedChains = unverified.TLSState.VerifiedChains[0], nil
	if _, err := s.Server(t.Context(), "EXTERNAL", unverified, nil); !errors.Is(err, ErrMechanism) {
		t.Errorf("a certificate that nobody verified: %v", err)
	}
}

func TestAnonymous(t *testing.T) {
	var log bytes.Buffer
	s := allMechanisms(t)
	s.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	id, err := converse(s, "ANONYMOUS", attempt("", ""), saslmech.NewAnonymousClient("sirhc"))
	if err != nil || id.Account != "guest" || !strings.Contains(log.String(), "sirhc") {
		t.Errorf("%+v, %v, %s", id, err, log.String())
	}
}

// What is offered by itself, what TLS adds, and what has to be asked for.
func TestOffers(t *testing.T) {
	clear, secure := Attempt{}, Attempt{TLS: true}
	all := allMechanisms(t)
	for _, tt := range []struct {
		name string
		s    *Service
		peer Attempt
		want string
	}{
		{"zero value", &Service{Backend: &Memory{}}, secure, "PLAIN"},
		{"zero value without TLS", &Service{Backend: &Memory{}}, clear, ""},
		{"plaintext allowed", &Service{Backend: &Memory{}, AllowPlaintext: true}, clear, "PLAIN"},
		{"a keeper", &Service{Backend: keeper{"SCRAM-SHA-256"}}, secure, "SCRAM-SHA-256 PLAIN"},
		{"a keeper without TLS", &Service{Backend: keeper{"SCRAM-SHA-256"}}, clear, "SCRAM-SHA-256"},
		{"a chain of keepers", &Service{Backend: Chain{keeper{"SCRAM-SHA-256"}, keeper{"SCRAM-SHA-256"}}}, secure, "SCRAM-SHA-256 PLAIN"},
		{"a chain with another", &Service{Backend: Chain{keeper{"SCRAM-SHA-256"}, &Memory{}}}, secure, "PLAIN"},
		{"a keeper of SHA-1", &Service{Backend: keeper{"SCRAM-SHA-1"}}, secure, "PLAIN"},
		{"everything", all, secure, "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 PLAIN LOGIN CRAM-MD5 ANONYMOUS"},
		{"everything without TLS", all, clear, "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 ANONYMOUS"},
		{"a certificate", all, certified("alice@example.org"), "EXTERNAL SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 PLAIN LOGIN CRAM-MD5 ANONYMOUS"},
		{"disabled", &Service{Enable: []string{"LOGIN", "SCRAM-SHA-256"}, Disable: []string{"PLAIN", "SCRAM-SHA-256"}}, secure, "LOGIN"},
	} {
		if got := strings.Join(tt.s.Mechanisms(tt.peer), " "); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, got, tt.want)
		}
		for _, name := range saslmech.Names() {
			_, err := tt.s.Server(t.Context(), name, tt.peer, nil)
			if offered := slices.Contains(strings.Fields(tt.want), name); offered != (err == nil) {
				t.Errorf("%s: Server(%s): %v", tt.name, name, err)
			}
		}
	}
	if err := (&Service{Backend: &Memory{}, Enable: []string{"login"}, SCRAMIterations: 1}).Validate(); err == nil ||
		!strings.Contains(err.Error(), `"login"`) || !strings.Contains(err.Error(), "SCRAMIterations") {
		t.Errorf("Validate: %v", err)
	}
}

// keeper says that it keeps one scheme.
type keeper struct{ scheme string }

func (keeper) Lookup(context.Context, string) (Record, error) { return Record{}, ErrNoUser }
func (k keeper) Keeps(scheme string) bool                     { return scheme == k.scheme }

// guardLog notes what a guard hears.
type guardLog struct {
	attempts []Attempt
	outcomes []Outcome
}

func (g *guardLog) Begin(_ context.Context, a Attempt) (func(Outcome), error) {
	g.attempts = append(g.attempts, a)
	return func(o Outcome) { g.outcomes = append(g.outcomes, o) }, nil
}

// The guard hears of every mechanism, with the canonical name, and how it ended.
func TestGuardHearsMechanisms(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "CRAM-MD5"} {
		for user, want := range map[string]Outcome{
			"Alice@example.org": Succeeded, "eve@example.org": Failed, "dora@example.org": Failed, "only@example.org": Failed,
		} {
			var g guardLog
			s := allMechanisms(t)
			s.Guard = &g
			_, _ = converse(s, mechanism, attempt("", ""), clientOf(t, mechanism, user, "secret", ""))
			if !slices.Equal(g.outcomes, []Outcome{want}) || g.attempts[0].Username != strings.ToLower(user) || g.attempts[0].Mechanism != mechanism {
				t.Errorf("%s, %s: %v", mechanism, user, g.outcomes)
			}
		}
	}
	for token, want := range map[string]Outcome{"good": Succeeded, "bad": Failed, "down": Undecided} {
		var g guardLog
		s := allMechanisms(t)
		s.Guard = &g
		_, _ = converse(s, "OAUTHBEARER", attempt("", ""), saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: token}))
		if !slices.Equal(g.outcomes, []Outcome{want}) || g.attempts[0].Username != "" || g.attempts[0].Password.Reveal() != token {
			t.Errorf("token %s: %v", token, g.outcomes)
		}
	}
}

// Tokens without a name count against the address alone.
func TestThrottleWithoutName(t *testing.T) {
	g := &Throttle{}
	a := attempt("", "")
	for range 3 {
		end, err := g.Begin(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		end(Failed)
	}
	if m := g.store.(*MemoryGuard); len(m.users) != 0 || len(m.pairs) != 0 || len(m.prefixes) != 3 {
		t.Errorf("%d users, %d pairs, %d prefixes; want the address and its networks", len(m.users), len(m.pairs), len(m.prefixes))
	}
}

// tooMany refuses everybody.
type tooMany struct{}

func (tooMany) Begin(context.Context, Attempt) (func(Outcome), error) { return nil, ErrTooMany }

// A guard that refuses does so before any proof is judged.
func TestGuardStopsMechanisms(t *testing.T) {
	s := allMechanisms(t)
	s.Guard = tooMany{}
	for _, mechanism := range []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5"} {
		if _, err := converse(s, mechanism, attempt("", ""), clientOf(t, mechanism, "alice@example.org", "secret", "")); !errors.Is(err, ErrTooMany) {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
	if _, err := converse(s, "OAUTHBEARER", attempt("", ""), saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: "good"})); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if _, err := converse(s, "EXTERNAL", certified("alice@example.org"), saslmech.NewExternalClient("")); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

// The first answer of SCRAM does not tell who exists: an unknown user has a salt
// that stays, and a disabled one keeps his.
func TestSCRAMShowsNothing(t *testing.T) {
	first := func(s *Service, user string) string {
		server, err := s.Server(t.Context(), "SCRAM-SHA-256", attempt("", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		challenge, done, err := server.Next([]byte("n,,n=" + user + ",r=abc"))
		if err != nil || done {
			t.Fatalf("%s: %t, %v", user, done, err)
		}
		_, rest, _ := strings.Cut(string(challenge), ",")
		return rest // without the nonce
	}
	s := allMechanisms(t)
	key := []byte("0123456789abcdef0123456789abcdef")
	s.DecoyKey = key
	unknown := first(s, "eve@example.org")
	again := allMechanisms(t)
	again.DecoyKey = key
	if first(s, "EVE@example.org") != unknown || first(again, "eve@example.org") != unknown {
		t.Error("the salt of an unknown user changes")
	}
	if known := first(s, "alice@example.org"); len(known) != len(unknown) || known == unknown || !strings.HasSuffix(unknown, ",i=4096") {
		t.Errorf("%s and %s do not look alike", known, unknown)
	}
	if first(s, "dora@example.org") != first(s, "alice@example.org") || first(s, "only@example.org") != first(s, "alice@example.org") {
		t.Error("a disabled user has another verifier") // all have one record here
	}
	s.DecoyKey = []byte("another")
	other := allMechanisms(t)
	if first(other, "eve@example.org") == unknown {
		t.Error("two services share a decoy key")
	}
}

// Secrets stay out of the log whatever the mechanism.
func TestMechanismsLog(t *testing.T) {
	var log bytes.Buffer
	s := allMechanisms(t)
	s.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, mechanism := range []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5"} {
		for _, user := range []string{"alice@example.org", "eve@example.org", "down@example.org"} {
			log.Reset()
			_, err := converse(s, mechanism, attempt("", ""), clientOf(t, mechanism, user, "hunter3", ""))
			got := log.String()
			if strings.Count(got, "\n") != 1 || strings.Contains(got, "hunter3") || !strings.Contains(got, "mechanism="+mechanism) ||
				!strings.Contains(got, "user="+user) || !strings.Contains(got, "peer=192.0.2.1") {
				t.Errorf("%s, %s, %v: %s", mechanism, user, err, got)
			}
		}
	}
	log.Reset()
	_, _ = converse(s, "OAUTHBEARER", attempt("", ""), saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: "hunter3"}))
	_, _ = converse(s, "OAUTHBEARER", attempt("", ""), saslmech.NewOAuthBearerClient(saslmech.BearerRequest{Token: "good"}))
	if got := log.String(); strings.Contains(got, "hunter3") || !strings.Contains(got, "user=alice@example.org") {
		t.Errorf("tokens: %s", got)
	}
	log.Reset()
	server, _ := s.Server(t.Context(), "SCRAM-SHA-256", attempt("", ""), nil)
	_, _, _ = server.Next([]byte("p=tls-exporter,,n=alice,r=abc"))
	server, _ = s.Server(t.Context(), "PLAIN", attempt("", ""), nil)
	_, _, _ = server.Next([]byte("hunter3"))
	if got := log.String(); strings.Count(got, "login refused") != 2 || !strings.Contains(got, "channel binding") || strings.Contains(got, "hunter3") {
		t.Errorf("malformed: %s", got)
	}
}

// An exchange does not outlive its context.
func TestExchangeContext(t *testing.T) {
	s := allMechanisms(t)
	s.Guard = &Throttle{}
	s.Backend = backendFunc(func(ctx context.Context, _ string) (Record, error) { return Record{}, ctx.Err() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server, err := s.Server(ctx, "SCRAM-SHA-256", attempt("", ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, done, err := server.Next([]byte("n,,n=user,r=abc")); !done || !errors.Is(err, ErrTemporary) {
		t.Errorf("%t, %v", done, err)
	}
}
