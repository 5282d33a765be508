// Package settings is the configuration file of the connector: its names, its
// rules, and where in the file a fault is.
//
// Values stand in the structs as they are written in the file; [Settings.Check]
// says what is wrong with them, each fault with file, line and key, and the
// methods of the structs read them.
package settings

// Settings is a whole file. docs/guide/connector.md explains each name.
type Settings struct {
	Data       string             `toml:"data,omitempty"`      // directory of state, store and queue
	Hostname   string             `toml:"hostname,omitempty"`  // in Received fields and in EHLO
	HTTP       string             `toml:"http,omitempty"`      // host:port or off
	Every      string             `toml:"every,omitempty"`     // for sources that do not say
	Target     string             `toml:"target,omitempty"`    // for sources that do not say
	Separator  string             `toml:"separator,omitempty"` // of sub-addresses; "" = "+", none = none
	Limits     Limits             `toml:"limits,omitempty"`
	Quarantine Quarantine         `toml:"quarantine,omitempty"`
	Hosts      map[string]Limits  `toml:"host,omitempty"`
	OAuth      map[string]OAuth   `toml:"oauth,omitempty"`
	Targets    map[string]*Target `toml:"targets,omitempty"`
	Map        []Row              `toml:"map,omitempty"`
	SwitchOver *SwitchOver        `toml:"switch-over,omitempty"`
	Sources    []*Source          `toml:"source,omitempty"`

	file      string
	positions map[string]int
}

// Limits are about connections: of all sources together, or to one host.
type Limits struct {
	Sessions        int `toml:"sessions,omitempty"`          // at a time
	SessionsPerHost int `toml:"sessions-per-host,omitempty"` // at a time; not in [host]
}

// Quarantine is where messages go whose recipient nobody knows, and those that a
// target refuses for good: a mailbox of the store in the data directory.
type Quarantine struct {
	Account string `toml:"account,omitempty"` // an address; "" = one of its own
	Mailbox string `toml:"mailbox,omitempty"` // "" = Quarantine
	Off     bool   `toml:"off,omitempty"`     // they stay on the server
}

// Source is one mailbox at a server.
type Source struct {
	Name     string `toml:"name"`
	Disabled bool   `toml:"disabled,omitempty"`
	Protocol string `toml:"protocol"` // pop3, pop3s, imap, imaps
	Host     string `toml:"host"`
	Port     int    `toml:"port,omitempty"`

	TLS            string   `toml:"tls,omitempty"` // implicit, starttls, none
	TLSName        string   `toml:"tls-name,omitempty"`
	TLSCA          string   `toml:"tls-ca,omitempty"`
	TLSCert        string   `toml:"tls-cert,omitempty"`
	TLSKey         string   `toml:"tls-key,omitempty"`
	TLSMin         string   `toml:"tls-min,omitempty"`
	TLSFingerprint []string `toml:"tls-fingerprint,omitempty"`
	TLSInsecure    bool     `toml:"tls-insecure,omitempty"`

	User        string `toml:"user"`
	Password    Secret `toml:"password,omitempty"`
	PasswordEnv string `toml:"password-env,omitempty"`
	OAuth       string `toml:"oauth,omitempty"` // the name of an [oauth.NAME]

	APOP  bool `toml:"apop,omitempty"`          // POP3, where nothing better is offered
	NoIDs bool `toml:"no-unique-ids,omitempty"` // POP3: those of the server are not believed

	Folders []string `toml:"folders,omitempty"`
	Except  []string `toml:"except,omitempty"`  // folders that patterns leave out
	MoveTo  string   `toml:"move-to,omitempty"` // IMAP: where goes what leaves; "" = it is deleted
	Every   string   `toml:"every,omitempty"`
	Idle    *bool    `toml:"idle,omitempty"`

	Leave       string `toml:"leave,omitempty"`       // never, always, until-seen, or a time such as 14d
	LeaveSeen   *bool  `toml:"leave-taken,omitempty"` // what import-seen took over stays whatever Leave says; nil = it does
	DeleteAbove string `toml:"delete-above,omitempty"`
	DeleteTotal string `toml:"delete-above-total,omitempty"` // the oldest, while the mailbox holds more
	DeleteQuota int    `toml:"delete-above-quota,omitempty"` // the same, in percent of the quota

	MaxMessageSize string `toml:"max-message-size,omitempty"`
	MaxMessages    int    `toml:"max-messages,omitempty"` // in one session

	Recipient string    `toml:"recipient,omitempty"` // of a personal mailbox
	CatchAll  *CatchAll `toml:"catch-all,omitempty"`
	Target    string    `toml:"target,omitempty"`
}

// CatchAll is how the recipients of a message in a mailbox of many are found. Its
// names are those of recipient.Config.
type CatchAll struct {
	Accept        []string `toml:"accept,omitempty"` // domains and addresses that count
	Own           []string `toml:"own,omitempty"`    // addresses of the mailbox itself
	Steps         []string `toml:"steps,omitempty"`
	Field         string   `toml:"field,omitempty"`          // NAME or NAME:INDEX, asked first
	FieldAll      bool     `toml:"field-all,omitempty"`      // one for each recipient
	FieldAnywhere bool     `toml:"field-anywhere,omitempty"` // also in the sender's text
	Envelope      []string `toml:"envelope,omitempty"`       // fields in place of the usual ones
	TrustReceived int      `toml:"trust-received,omitempty"`
	TrustHosts    []string `toml:"trust-hosts,omitempty"`
	Strip         []string `toml:"strip,omitempty"`
	Address       []string `toml:"address,omitempty"` // fields in place of To, Cc and so on
	Default       []string `toml:"default,omitempty"` // else quarantine
	Rules         []Rule   `toml:"rule,omitempty"`
}

// Rule finds recipients by what stands in a field.
type Rule struct {
	Name     string   `toml:"name,omitempty"`
	Field    string   `toml:"field"`
	Match    string   `toml:"match,omitempty"`
	Regexp   string   `toml:"regexp,omitempty"`
	To       []string `toml:"to,omitempty"`
	All      bool     `toml:"all,omitempty"`
	Continue bool     `toml:"continue,omitempty"`
	Trusted  bool     `toml:"trusted,omitempty"`
}

// Row maps an address, a domain, or what a regular expression matches.
type Row struct {
	From string `toml:"from"`
	To   string `toml:"to"`
}

// SwitchOver is a move of users from an old server to the targets of the
// sources.
type SwitchOver struct {
	Old    string  `toml:"old"` // a target
	Stages []Stage `toml:"stage,omitempty"`
}

// Stage says where the mail of a user goes.
type Stage struct {
	User  string `toml:"user"`
	Place string `toml:"place"` // new, old, both
}

// Target is who takes what was collected.
type Target struct {
	Type string `toml:"type"` // store, queue, lmtp, smtp, maildir, mbox, program

	Address     string `toml:"address,omitempty"` // of lmtp and smtp, and where queue sends
	User        string `toml:"user,omitempty"`
	Password    Secret `toml:"password,omitempty"`
	PasswordEnv string `toml:"password-env,omitempty"`
	TLS         string `toml:"tls,omitempty"` // none, starttls, implicit, may
	TLSName     string `toml:"tls-name,omitempty"`
	TLSCA       string `toml:"tls-ca,omitempty"`
	TLSInsecure bool   `toml:"tls-insecure,omitempty"`
	ReversePath string `toml:"reverse-path,omitempty"`
	Concurrency int    `toml:"concurrency,omitempty"`

	Accounts []string `toml:"accounts,omitempty"` // of store: made when missing
	Path     string   `toml:"path,omitempty"`     // of maildir and mbox, a template
	Command  []string `toml:"command,omitempty"`  // of program
	RunAs    string   `toml:"run-as,omitempty"`   // of program: UID:GID
}

// OAuth is where tokens come from.
type OAuth struct {
	Provider        string   `toml:"provider"` // microsoft365, microsoft365-app, google, google-service, other
	Tenant          string   `toml:"tenant,omitempty"`
	ClientID        string   `toml:"client-id,omitempty"`
	ClientSecret    Secret   `toml:"client-secret,omitempty"`
	ClientSecretEnv string   `toml:"client-secret-env,omitempty"`
	TokenURL        string   `toml:"token-url,omitempty"`
	Scopes          []string `toml:"scopes,omitempty"`
	TokenFile       string   `toml:"token-file,omitempty"` // the refresh token
	KeyFile         string   `toml:"key-file,omitempty"`   // of a service account
}
