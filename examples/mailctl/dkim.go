package main

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/net/idna"

	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/examples/internal/program"
)

type dkimCmd struct {
	Genkey dkimGenkeyCmd `cmd:"" help:"Make a key, and print its record for a zone file."`
	Check  dkimCheckCmd  `cmd:"" help:"Compare a key with the record that the DNS has."`
}

// dkimName is where a key is.
type dkimName struct {
	Domain   string `arg:"" help:"The domain that signs."`
	Selector string `arg:"" help:"The name of the key, such as s2026."`
	Key      string `help:"File of the private key; without it SELECTOR._domainkey.DOMAIN.pem." placeholder:"FILE"`
}

type dkimGenkeyCmd struct {
	dkimName
	Type string `help:"rsa or ed25519, which not everybody verifies yet: publish it beside an RSA key." enum:"rsa,ed25519" default:"rsa"`
	Bits int    `help:"Size of an RSA key; 2048 to 4096." default:"2048"`
}

type dkimCheckCmd struct {
	dkimName
	Resolver string `help:"DNS server; those of the system without." placeholder:"HOST:PORT"`
}

// dkimRecord is the answer of genkey and check.
type dkimRecord struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Key      string `json:"key"`  // file
	Name     string `json:"name"` // of the record
	Value    string `json:"value"`
	Zone     string `json:"zone,omitempty"` // the record as a line of a zone file
	DryRun   bool   `json:"dry_run,omitempty"`
	Found    string `json:"found,omitempty"` // what the DNS has instead
	OK       *bool  `json:"ok,omitempty"`    // of check
}

// selectors are names of one label or more (RFC 6376 §3.1).
var selectors = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// record is what is known before there is a key.
func (c *dkimName) record() (*dkimRecord, error) {
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(c.Domain, "."))
	if err != nil || !selectors.MatchString(domain) {
		return nil, &useError{fmt.Sprintf("%q is no domain", c.Domain)}
	}
	if !selectors.MatchString(c.Selector) {
		return nil, &useError{fmt.Sprintf("%q is no selector: letters, digits, \"-\" and \".\"", c.Selector)}
	}
	x := &dkimRecord{Domain: domain, Selector: c.Selector, Name: c.Selector + "._domainkey." + domain, Key: c.Key}
	if len(x.Name) > 253 {
		return nil, &useError{"the name of the record has more than 253 octets"}
	}
	if x.Key == "" {
		x.Key = x.Name + ".pem"
	}
	return x, nil
}

// zoneLine is the record as it stands in a zone file: strings of at most 255
// octets, which readers join (RFC 6376 §3.6.2.2).
func (x *dkimRecord) zoneLine() string {
	const most = 255
	var b strings.Builder
	fmt.Fprintf(&b, "%s. IN TXT (", x.Name)
	for rest := x.Value; rest != ""; {
		n := min(most, len(rest))
		fmt.Fprintf(&b, "\n\t\"%s\"", rest[:n])
		rest = rest[n:]
	}
	b.WriteString(" )")
	return b.String()
}

// Run makes a key.
func (c *dkimGenkeyCmd) Run(a *app) error {
	x, err := c.record()
	if err != nil {
		return err
	}
	if c.Bits < 2048 || c.Bits > 4096 {
		return &useError{"--bits is 2048 to 4096; many verifiers take no larger key"}
	}
	if _, err := os.Lstat(x.Key); err == nil {
		return fmt.Errorf("%s is there already, and no key is overwritten; take another selector", x.Key)
	}
	if a.dryRun {
		x.DryRun = true
		return a.result(x, fmt.Sprintf("would make %s for the record %s", x.Key, x.Name))
	}
	key, err := c.generate()
	if err != nil {
		return err
	}
	if x.Value, err = dkim.Record(key.Public()); err != nil {
		return err
	}
	text, err := dkim.MarshalPrivateKey(key)
	if err != nil {
		return err
	}
	if err := newFile(x.Key, text); err != nil {
		return err
	}
	x.Zone = x.zoneLine()
	return a.result(x, x.Zone, "",
		fmt.Sprintf("; the private key is in %s; mailserver -dkim %s:%s:%s signs with it", x.Key, x.Domain, x.Selector, x.Key),
		fmt.Sprintf("; once the record is published: mailctl dkim check %s %s --key %s", x.Domain, x.Selector, x.Key))
}

func (c *dkimGenkeyCmd) generate() (crypto.Signer, error) {
	if c.Type == "ed25519" {
		return dkim.GenerateEd25519()
	}
	return dkim.GenerateRSA(c.Bits)
}

// newFile makes a file that only its owner may read, and is never in the place of
// another. After a crash it is there whole or not at all.
func newFile(name string, data []byte) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, filepath.Base(name)+".tmp*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil { // not over what is there
		return err
	}
	return program.SyncDir(dir)
}

// Run checks what the DNS has.
func (c *dkimCheckCmd) Run(a *app) error {
	x, err := c.record()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(x.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return &useError{fmt.Sprintf("there is no key %s; --key names it", x.Key)}
	}
	if err != nil {
		return err
	}
	key, err := dkim.ParsePrivateKey(text)
	if err != nil {
		return fmt.Errorf("%s: %w", x.Key, err)
	}
	if x.Value, err = dkim.Record(key.Public()); err != nil {
		return err
	}
	r, err := program.Resolver(a.ctx, c.Resolver)
	if err != nil {
		return &useError{strings.Replace(err.Error(), "-resolver", "--resolver", 1)}
	}
	answer, err := r.Lookup(a.ctx, x.Name, dnsx.TXT)
	if err != nil && !dnsx.NotFound(err) {
		return err
	}
	ok, line := false, x.Name+" has no record"
	if err == nil {
		ok, line = x.compare(answer.Texts)
	}
	x.OK = &ok
	if err := a.result(x, line); err != nil || ok {
		return err
	}
	return errProblems
}

// compare looks for the key among the records of its name. Only one may be there:
// which of several is asked for is not said (RFC 6376 §3.6.2.2).
func (x *dkimRecord) compare(texts []string) (ok bool, line string) {
	x.Found = strings.Join(texts, "\n")
	switch {
	case len(texts) > 1:
		return false, fmt.Sprintf("%s has %d records, of which verifiers may take any", x.Name, len(texts))
	case tag(texts[0], "p") == "":
		return false, x.Name + " has no key: it is revoked, or broken"
	case tag(texts[0], "p") != tag(x.Value, "p"):
		return false, x.Name + " has another key"
	case tag(texts[0], "k") != tag(x.Value, "k") && tag(texts[0], "k")+tag(x.Value, "k") != "rsa":
		return false, x.Name + " has the key as one of another kind"
	}
	x.Found = ""
	for flag := range strings.SplitSeq(tag(texts[0], "t"), ":") {
		if strings.TrimSpace(flag) == "y" {
			return true, x.Name + " has the key, with t=y: verifiers take its signatures for none"
		}
	}
	return true, x.Name + " has the key"
}

// tag is the value of a tag without white space; "" = there is none.
func tag(record, name string) string {
	for part := range strings.SplitSeq(record, ";") {
		n, value, ok := strings.Cut(part, "=")
		if ok && strings.TrimSpace(n) == name {
			return strings.Join(strings.Fields(value), "")
		}
	}
	return ""
}
