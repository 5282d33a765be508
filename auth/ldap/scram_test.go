package ldap_test

import (
	"errors"
	"testing"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// scram logs in by SCRAM-SHA-256 through svc.
func scram(t *testing.T, svc *login.Service, user, password string) (id login.Identity, err error) {
	t.Helper()
	const name = "SCRAM-SHA-256"
	server, err := svc.Server(t.Context(), name, login.Attempt{Protocol: login.IMAP, TLS: true}, func(got login.Identity) { id = got })
	if err != nil {
		t.Fatal(err)
	}
	hash, _, _ := saslmech.SCRAMOf(name)
	client := saslmech.SCRAMClient{Hash: hash, Username: user, Password: password}.New()
	_, response, err := client.Start()
	if err != nil {
		t.Fatal(err)
	}
	for done := false; ; {
		var challenge []byte
		if challenge, done, err = server.Next(response); err != nil {
			return id, err
		}
		if challenge == nil && done {
			return id, saslmech.Outcome(client)
		}
		if response, err = client.Next(challenge); err != nil {
			return id, err
		}
		if done {
			return id, saslmech.Outcome(client)
		}
	}
}

// TestSCRAM: a verifier that the directory keeps serves SCRAM, in both forms;
// who is turned off is refused, with and without a decoy.
func TestSCRAM(t *testing.T) {
	d := aliceAndBob()
	secret, err := login.HashSCRAM("SCRAM-SHA-256", login.NewPassword("for alice"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	d.entries[0].attrs["scram"] = []string{secret}
	f := &fake{answer: d.answer}
	for _, decoy := range []string{"", "cn=nobody"} {
		c := f.client(t, func(c *ldap.Config) { c.Users.SecretAttribute, c.Users.Decoy = "scram", decoy })
		svc := &login.Service{Backend: c.Users(), Guard: login.Unguarded{}, Enable: []string{"SCRAM-SHA-256"}, Logger: logTo(&lines{})}
		delete(d.entries[0].attrs, "nsAccountLock")
		if id, err := scram(t, svc, "alice", "for alice"); err != nil || id.Account != "alice@example.org" {
			t.Error(id, err)
		}
		for _, try := range [][2]string{{"alice", "wrong"}, {"bob", "for bob"}, {"carol", "x"}} { // bob has no verifier
			if id, err := scram(t, svc, try[0], try[1]); !errors.Is(err, login.ErrRejected) || id.Account != "" {
				t.Error(try, id, err)
			}
		}
		d.entries[0].attrs["nsAccountLock"] = []string{"true"}
		if id, err := scram(t, svc, "alice", "for alice"); !errors.Is(err, login.ErrRejected) || id.Account != "" {
			t.Error("disabled:", id, err)
		}
	}
}
