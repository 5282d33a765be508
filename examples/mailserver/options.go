package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/smtp"
)

// options is everything the command line, the environment and the
// configuration file can say. docs/guide/mailserver.md explains each.
type options struct {
	data           string
	hostname       string
	domains        program.List
	users          program.List
	listen         map[string]*string // by listener name
	tlsCert        string
	tlsKey         string
	relay          string
	relayUser      string
	resolver       string
	store          string
	blobs          string
	journal        string
	sent           string
	catchAll       string
	shared         program.List
	dkim           program.List
	maxConnections int
	plaintextAuth  bool
	config         string

	auth                                         string
	dmarcReject, dmarcQuarantine, dmarcTempError string

	trustedSealers program.List
	dnsbl          program.List

	keys      []dkim.Key       // of -dkim
	journalTo smtp.ForwardPath // of -journal
	policy    auth.Policy      // of -dmarc-reject and the like
}

// listeners are the names of the listeners, in the order they are opened,
// with their default addresses.
var listeners = [...]struct{ name, addr, help string }{
	{"smtp", "127.0.0.1:2525", "MX: takes mail for local recipients"},
	{"submission", "127.0.0.1:2587", "submission with STARTTLS and AUTH"},
	{"submissions", "127.0.0.1:2465", "submission with implicit TLS"},
	{"lmtp", "127.0.0.1:2424", "LMTP for local recipients"},
	{"imap", "127.0.0.1:2143", "IMAP with STARTTLS"},
	{"imaps", "127.0.0.1:2993", "IMAP with implicit TLS"},
	{"pop3", "127.0.0.1:2110", "POP3 with STLS"},
	{"pop3s", "127.0.0.1:2995", "POP3 with implicit TLS"},
	{"http", "127.0.0.1:8025", "/healthz, /debug/vars and, on loopback, /debug/pprof"},
}

// flagSet binds o to flags.
func (o *options) flagSet() *flag.FlagSet {
	fs := flag.NewFlagSet("mailserver", flag.ContinueOnError)
	fs.StringVar(&o.data, "data", "./mail-data", "`directory` of all data; created when missing")
	fs.StringVar(&o.hostname, "hostname", "", "`name` of this host in greetings and trace fields (default mail.DOMAIN)")
	fs.Var(&o.domains, "domain", "local domain `name`; repeatable (default example.org)")
	fs.Var(&o.users, "user", "account `NAME:PASSWORD`, NAME a whole address; created or updated; repeatable")
	o.listen = make(map[string]*string)
	for _, l := range listeners {
		o.listen[l.name] = fs.String(l.name, l.addr, "`host:port` or off: "+l.help)
	}
	fs.StringVar(&o.tlsCert, "tls-cert", "", "PEM `file` with the certificate chain, reloaded on change (default: self-signed in the data directory)")
	fs.StringVar(&o.tlsKey, "tls-key", "", "PEM `file` with the private key")
	fs.StringVar(&o.relay, "relay", "", "smart host `HOST:PORT` for foreign recipients (default: their MX hosts)")
	fs.StringVar(&o.relayUser, "relay-user", "", "`NAME:PASSWORD` for the smart host")
	fs.StringVar(&o.resolver, "resolver", "", "DNS resolver `HOST:PORT` (default: the system's)")
	fs.StringVar(&o.store, "store", "sqlite:", "message store `URL`: sqlite: is the embedded engine, maildir:DIR a Maildir++ tree for each account, postgres://… a database for several nodes")
	fs.StringVar(&o.blobs, "blobs", "", "body store `URL`: segments: with sqlite: and maildir: (their default); database: (its default) or s3://… with postgres:")
	fs.StringVar(&o.journal, "journal", "", "send a report of all mail, with the message in it, to this `address`")
	fs.StringVar(&o.sent, "sent", "off", "`on` or off: keep a copy of what a user submits in the user's mailbox for sent mail; on has a client that keeps its own copy skipped")
	fs.StringVar(&o.catchAll, "catch-all", "", "account `address` that takes mail of local domains for nobody else")
	fs.Var(&o.shared, "shared", "account `address` whose mailboxes can be opened to everybody, under Shared/; repeatable")
	fs.Var(&o.dkim, "dkim", "sign submitted mail with `DOMAIN:SELECTOR:KEYFILE`; repeatable")
	fs.StringVar(&o.auth, "auth", "on", "`on` or off: judge who mail at the MX port is from (SPF, DKIM, DMARC)")
	fs.StringVar(&o.dmarcReject, "dmarc-reject", "reject", "`what` is done where a DMARC policy says reject: reject, quarantine (into Junk) or accept")
	fs.StringVar(&o.dmarcQuarantine, "dmarc-quarantine", "quarantine", "`what` is done where a DMARC policy says quarantine: quarantine, reject or accept")
	fs.StringVar(&o.dmarcTempError, "dmarc-temperror", "known", "`when` a message waits whose author nobody knows now: known (where a policy asks for more than none), defer (always) or accept (never)")
	fs.Var(&o.trustedSealers, "trusted-sealer", "`domain` whose ARC seals outweigh a failure of DMARC, with a dot in front those below it, too; repeatable")
	fs.Var(&o.dnsbl, "dnsbl", "DNS list `zone` of bad hosts, whose mail is refused at the MX port; repeatable")
	fs.IntVar(&o.maxConnections, "max-connections", 1000, "greatest `number` of connections of each listener")
	fs.BoolVar(&o.plaintextAuth, "plaintext-auth", false, "allow passwords without TLS on IMAP, POP3 and SMTP AUTH (for test tools)")
	fs.StringVar(&o.config, "config", "", "TOML `file` with the same names; the command line and the environment win")
	fs.Usage = func() { usage(fs) }
	return fs
}

// parseOptions reads flags, environment and configuration file, the first of
// them winning. flag.ErrHelp: the usage was printed.
func parseOptions(args []string, getenv func(string) string, out io.Writer) (*options, error) {
	o := new(options)
	fs := o.flagSet()
	fs.SetOutput(out)
	if err := program.Parse(fs, args, getenv); err != nil {
		return nil, err
	}
	return o, o.check()
}

func usage(fs *flag.FlagSet) {
	fmt.Fprint(fs.Output(), `mailserver is a whole mail server made of Mailstead's packages.

  mailserver [flags]

Without flags it listens on loopback, keeps its data in ./mail-data, uses a
self-signed certificate, and makes the accounts alice@example.org and
bob@example.org with random passwords. Every flag is also read from the
environment as MAILSTEAD_<FLAG> (MAILSTEAD_TLS_CERT); a value @FILE reads the
file. SIGTERM drains and ends.

`)
	fs.PrintDefaults()
}
