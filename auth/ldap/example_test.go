package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log"
	"os"
	"testing"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
)

// A mail server in a domain of Active Directory.
func Example() {
	conf := ldap.ActiveDirectory("dc=corp,dc=example,dc=org")
	conf.URLs = []string{"ldaps://dc1.corp.example.org", "ldaps://dc2.corp.example.org"}
	conf.BindDN = "cn=mail,cn=users,dc=corp,dc=example,dc=org"
	conf.Password = login.NewPassword(os.Getenv("LDAP_PASSWORD"))
	conf.Addresses.Domains = []string{"example.org"}
	dir, err := ldap.New(conf)
	if err != nil {
		log.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Ping(context.Background()); err != nil {
		log.Printf("the directory does not answer yet: %v", err)
	}

	// Who may log in, for smtpserver, imapserver and pop3server.
	service := &login.Service{Backend: dir.Users()}
	_ = service

	// Who has an address, for RCPT, local delivery and routing.
	addresses := dir.Addresses()
	router := &deliver.Router{Directory: addresses, IsLocal: addresses.IsLocal}
	_ = router
}

// A branch for each domain; a file of passwords comes first.
func Example_branches() {
	conf := ldap.OpenLDAP("ou=people,o={domain},dc=example,dc=org")
	conf.URLs = []string{"ldap://ldap.example.org"} // with StartTLS
	conf.Users.Filter = "(&(objectClass=inetOrgPerson)(uid={local}))"
	conf.Users.DefaultDomain = "example.org"
	dir, err := ldap.New(conf)
	if err != nil {
		log.Fatal(err)
	}
	backend := login.Chain{&filelogin.File{Path: "passwd"}, dir.Users()}
	_ = &login.Service{Backend: backend}
}

// guide is the configuration of docs/guide/ldap.md for OpenLDAP.
func guide(secret login.Password, pem []byte) ldap.Config {
	conf := ldap.OpenLDAP("ou=people,dc=example,dc=org")
	conf.URLs = []string{"ldap://ldap1.example.org", "ldap://ldap2.example.org"} // StartTLS
	conf.BindDN, conf.Password = "cn=mail,dc=example,dc=org", secret
	conf.Addresses.Domains = []string{"example.org"}

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conf.TLS = &tls.Config{RootCAs: roots}

	conf.Addresses.Filter = "(&(accountStatus=active)(|(mail={name})(mailAlternateAddress={name})))"
	conf.Addresses.ForwardAttributes = []string{"mailForwardingAddress"}
	conf.Addresses.QuotaBytes, conf.Addresses.QuotaMessages = "mailQuotaSize", "mailQuotaCount"
	conf.Users.DisabledAttribute, conf.Users.DisabledValues = "accountStatus", []string{"disabled", "deleted"}
	return conf
}

// noDisabled refuses mail to disabled users of Active Directory.
func noDisabled(conf ldap.Config) ldap.Config {
	conf.Addresses.Filter = "(&(|(mail={name})(proxyAddresses=smtp:{name}))(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
	return conf
}

// compose is how a server is put together.
func compose(dir *ldap.Client, local smtp.Receiver, remote deliver.NextHops) (*login.Service, *deliver.Router) {
	svc := &login.Service{Backend: dir.Users()}
	addresses := dir.Addresses()
	router := &deliver.Router{Directory: addresses, IsLocal: addresses.IsLocal, Local: local, Remote: remote}
	return svc, router
}

func TestGuide(t *testing.T) {
	conf := guide(login.NewPassword("secret"), nil)
	dir := open(t, conf, nil)
	if svc, router := compose(dir, nil, nil); svc.Validate() != nil || !router.IsLocal("Example.ORG") || router.IsLocal("example.com") {
		t.Error(svc, router)
	}
	ad := ldap.ActiveDirectory("dc=corp,dc=example,dc=org")
	ad.URLs = conf.URLs
	ad = noDisabled(ad)
	if err := ad.Validate(); err != nil {
		t.Error(err)
	}
}
