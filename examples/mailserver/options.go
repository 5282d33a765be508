package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// options is everything the command line, the environment and the
// configuration file can say. README.md of this directory explains each.
type options struct {
	data           string
	hostname       string
	domains        list
	users          list
	listen         map[string]*string // by listener name
	tlsCert        string
	tlsKey         string
	relay          string
	relayUser      string
	resolver       string
	store          string
	blobs          string
	journal        string
	catchAll       string
	dkim           list
	maxConnections int
	plaintextAuth  bool
	config         string
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

// list is a flag that may stand several times; its lines are values of
// their own, so that @FILE and the environment can hold several.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(v string) error {
	for line := range strings.Lines(v) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			*l = append(*l, line)
		}
	}
	return nil
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
	fs.StringVar(&o.store, "store", "sqlite:", "message store `URL`; sqlite: is the embedded engine")
	fs.StringVar(&o.blobs, "blobs", "segments:", "body store `URL`; segments: is the embedded engine")
	fs.StringVar(&o.journal, "journal", "", "send a journal of all mail to this `address`")
	fs.StringVar(&o.catchAll, "catch-all", "", "account `address` that takes mail of local domains for nobody else")
	fs.Var(&o.dkim, "dkim", "sign submitted mail with `DOMAIN:SELECTOR:KEYFILE`; repeatable")
	fs.IntVar(&o.maxConnections, "max-connections", 1000, "greatest `number` of connections of each listener")
	fs.BoolVar(&o.plaintextAuth, "plaintext-auth", false, "allow passwords without TLS on IMAP, POP3 and SMTP AUTH (for test tools)")
	fs.StringVar(&o.config, "config", "", "TOML `file` with the same names; the command line and the environment win")
	fs.Usage = func() { usage(fs) }
	return fs
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

// raw collects what a flag was given, unparsed: @FILE is resolved later.
type raw struct {
	values []string
	isBool bool
}

func (r *raw) String() string     { return "" }
func (r *raw) Set(v string) error { r.values = append(r.values, v); return nil }
func (r *raw) IsBoolFlag() bool   { return r.isBool }

// parseOptions reads flags, environment and configuration file, the first of
// them winning. flag.ErrHelp: the usage was printed.
func parseOptions(args []string, getenv func(string) string, out io.Writer) (*options, error) {
	o := new(options)
	fs := o.flagSet()
	fs.SetOutput(out)
	given := flag.NewFlagSet(fs.Name(), flag.ContinueOnError)
	given.SetOutput(out)
	given.Usage = fs.Usage
	values := make(map[string][]string)
	fs.VisitAll(func(f *flag.Flag) {
		_, isBool := f.Value.(interface{ IsBoolFlag() bool })
		given.Var(&raw{isBool: isBool}, f.Name, f.Usage)
	})
	if err := given.Parse(args); err != nil {
		return nil, err
	}
	if given.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", given.Arg(0))
	}
	given.Visit(func(f *flag.Flag) { values[f.Name] = f.Value.(*raw).values })
	given.VisitAll(func(f *flag.Flag) {
		env := "MAILSTEAD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v := getenv(env); v != "" && values[f.Name] == nil {
			values[f.Name] = []string{v}
		}
	})
	if file := values["config"]; file != nil {
		if err := readConfig(file[len(file)-1], values, fs); err != nil {
			return nil, err
		}
	}
	for name, vs := range values {
		for _, v := range vs {
			if err := setFlag(fs, name, v); err != nil {
				return nil, err
			}
		}
	}
	return o, o.check()
}

// setFlag sets one value; @FILE stands for the content of the file.
func setFlag(fs *flag.FlagSet, name, v string) error {
	if file, ok := strings.CutPrefix(v, "@"); ok {
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
		v = strings.TrimRight(string(b), "\r\n")
	}
	if err := fs.Set(name, v); err != nil {
		return fmt.Errorf("-%s: invalid value: %w", name, err)
	}
	return nil
}

// readConfig adds to values what the TOML file says and nothing stronger has
// said. Unknown names are errors.
func readConfig(file string, values map[string][]string, known *flag.FlagSet) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	var doc map[string]any
	if err := toml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("-config: %s: %w", file, err)
	}
	for name, v := range doc {
		if known.Lookup(name) == nil || name == "config" {
			return fmt.Errorf("-config: %s: unknown name %q", file, name)
		}
		if values[name] != nil {
			continue
		}
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				values[name] = append(values[name], fmt.Sprint(e))
			}
		case string, int64, bool:
			values[name] = []string{fmt.Sprint(v)}
		default:
			return fmt.Errorf("-config: %s: %s has a value of a wrong type", file, name)
		}
	}
	return nil
}

// check fills in what depends on other flags, and refuses what cannot work or
// is not built yet.
func (o *options) check() error {
	if len(o.domains) == 0 {
		o.domains = list{"example.org"}
	}
	if o.hostname == "" {
		o.hostname = "mail." + o.domains[0]
	}
	for _, l := range listeners {
		addr := *o.listen[l.name]
		if addr == "off" || addr == "" {
			*o.listen[l.name] = "off"
			continue
		}
		if _, port, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("-%s: %q is not host:port or off", l.name, addr)
		} else if _, err := net.LookupPort("tcp", port); err != nil {
			return fmt.Errorf("-%s: bad port in %q", l.name, addr)
		}
	}
	for _, u := range o.users {
		name, password, ok := strings.Cut(u, ":")
		if at := strings.LastIndexByte(name, '@'); !ok || password == "" || at < 1 || at == len(name)-1 {
			return errors.New("-user: want NAME:PASSWORD with NAME a whole address")
		}
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errors.New("-tls-cert and -tls-key need each other")
	}
	for name, addr := range map[string]string{"relay": o.relay, "resolver": o.resolver} {
		if addr != "" {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return fmt.Errorf("-%s: %q is not HOST:PORT", name, addr)
			}
		}
	}
	if o.relayUser != "" && (o.relay == "" || !strings.Contains(o.relayUser, ":")) {
		return errors.New("-relay-user: want NAME:PASSWORD, and -relay")
	}
	return o.unbuilt()
}

// unbuilt refuses the flags whose part does not exist yet.
func (o *options) unbuilt() error {
	switch {
	case o.store != "sqlite:" && o.store != "off":
		return fmt.Errorf("-store: %q is not supported yet; only sqlite: is", o.store)
	case o.blobs != "segments:" && o.blobs != "off":
		return fmt.Errorf("-blobs: %q is not supported yet; only segments: is", o.blobs)
	case o.journal != "" && o.journal != "off":
		return errors.New("-journal is not supported yet")
	case len(o.dkim) > 0 && o.dkim[0] != "off":
		return errors.New("-dkim is not supported yet")
	}
	return nil
}

// loopback reports whether every open listener is on a loopback address.
func (o *options) loopback() bool {
	for _, addr := range o.listen {
		if *addr != "off" && !isLoopback(*addr) {
			return false
		}
	}
	return true
}

func isLoopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
