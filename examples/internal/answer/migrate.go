package answer

// MigrateRequest copies what an earlier one has not. Source and target are named
// as on mailctl's command line; "account:NAME" is an account of the data
// directory, and paths are absolute.
type MigrateRequest struct {
	Source MigratePlace `json:"source"`
	Target MigratePlace `json:"target"`
	MigrateOptions
	DryRun bool `json:"dry_run,omitempty"`
}

// MigratePlace is a source or a target.
type MigratePlace struct {
	URL      string `json:"url"`
	Password string `json:"password,omitempty"` // where the URL has none
	Token    string `json:"token,omitempty"`    // an OAuth access token
	CA       string `json:"ca,omitempty"`       // file of certificates that vouch for the server
	Insecure bool   `json:"insecure,omitempty"` // do not verify the server's certificate
	Blobs    string `json:"blobs,omitempty"`    // where a store in PostgreSQL has its bodies, as -blobs of mailserver
}

// MigrateOptions are those of migrate.Options; see there. The flags are mailctl's.
type MigrateOptions struct {
	Include     []string `json:"include,omitempty" help:"Only mailboxes with this name; * stands for anything, % for one level; repeatable." placeholder:"PATTERN" sep:"none"`
	Exclude     []string `json:"exclude,omitempty" help:"No mailboxes with this name; repeatable." placeholder:"PATTERN" sep:"none"`
	Into        string   `json:"into,omitempty" help:"Put INBOX into this mailbox of the target, and the others below it." placeholder:"NAME"`
	Views       bool     `json:"views,omitempty" help:"Copy mailboxes that show the messages of others (All Mail) as if they were ordinary ones."`
	Match       bool     `json:"match,omitempty" help:"Look for each message in the target first, so that what came there by another way is not doubled."`
	Remove      bool     `json:"remove,omitempty" help:"Remove from the target the messages that were copied and are gone in the source, unless they were changed there since."`
	SkipDeleted bool     `json:"skip_deleted,omitempty" help:"Leave out messages marked as deleted."`
	Verify      string   `json:"verify,omitempty" help:"Afterwards compare the target: counts (sizes, flags and dates, too), bodies, none." enum:"none,counts,bodies" default:"none"`
	Final       bool     `json:"final,omitempty" help:"The last pass: an account that --keep-uids was importing into is opened for its user."`
	Create      bool     `json:"create,omitempty" help:"Make the account of the target where it is missing."`
	KeepUIDs    bool     `json:"keep_uids,omitempty" name:"keep-uids" help:"Keep UIDs and UIDVALIDITY; the account takes no mail until --final."`
	IgnoreQuota bool     `json:"ignore_quota,omitempty" help:"Copy beyond the quota of the account."`

	Parallel        int     `json:"parallel,omitempty" help:"Mailboxes at a time; 4 without." placeholder:"N"`
	MaxMessageBytes int64   `json:"max_message_bytes,omitempty" name:"max-message" help:"Skip greater messages." placeholder:"OCTETS"`
	MaxBytes        int64   `json:"max_bytes,omitempty" help:"End the run after so much; the next one goes on." placeholder:"OCTETS"`
	BytesPerSecond  int64   `json:"bytes_per_second,omitempty" help:"Of all mailboxes together." placeholder:"OCTETS"`
	PerSecond       float64 `json:"per_second,omitempty" name:"rate" help:"Messages a second, of all mailboxes together." placeholder:"N"`

	Job   string `json:"job,omitempty" help:"Name of the migration; runs of the same name go on with each other. The source's name without." placeholder:"NAME"`
	State string `json:"state,omitempty" help:"Where to remember what was copied, for targets that cannot." placeholder:"DIR"`
}

// Migrated is the result of a migration: the counters of migrate.Totals.
type Migrated struct {
	Source       string `json:"source"` // without secrets
	Target       string `json:"target"`
	Mailboxes    int64  `json:"mailboxes"` // that were looked at
	Made         int64  `json:"made"`      // mailboxes
	Failed       int64  `json:"failed"`    // mailboxes that are not whole
	Copied       int64  `json:"copied"`
	Matched      int64  `json:"matched"` // were in the target, and not by this migration
	Present      int64  `json:"present"` // were copied by an earlier run
	Flagged      int64  `json:"flagged"` // got other flags
	Removed      int64  `json:"removed"`
	Kept         int64  `json:"kept"`    // are gone in the source and were changed in the target since
	Gone         int64  `json:"gone"`    // mailboxes that the source has no more
	Doubles      int64  `json:"doubles"` // of a view, which another mailbox has
	Skipped      int64  `json:"skipped"`
	Bytes        int64  `json:"bytes"`
	Expected     int64  `json:"expected"` // messages to copy, as far as it was known
	Verified     int64  `json:"verified,omitempty"`
	Different    int64  `json:"different,omitempty"`
	Limited      bool   `json:"limited,omitempty"` // max_bytes ended it
	Milliseconds int64  `json:"milliseconds"`
}

// Migrating is the progress of a migration.
type Migrating struct {
	Phase      string `json:"phase,omitempty"` // verify
	Mailbox    string `json:"mailbox,omitempty"`
	Done       int64  `json:"done"` // messages
	Total      int64  `json:"total"`
	Bytes      int64  `json:"bytes"`
	TotalBytes int64  `json:"total_bytes"`
}

// MigrateItem is something that a migration tells: one of its members.
type MigrateItem struct {
	Mailbox  *MigratedMailbox `json:"mailbox,omitempty"`
	Skipped  *Skip            `json:"skipped,omitempty"`
	Retrying *Skip            `json:"retrying,omitempty"` // a mailbox
	Differs  *Skip            `json:"differs,omitempty"`
	Gone     *GoneMailbox     `json:"gone,omitempty"`
}

// GoneMailbox is one that the source had at an earlier run and has no more.
type GoneMailbox struct {
	Source  string `json:"source"`
	Target  string `json:"target"`
	Removed int64  `json:"removed"` // messages of the target
	Kept    int64  `json:"kept"`    // messages that were changed there since
}

// MigratedMailbox is what was done of one mailbox.
type MigratedMailbox struct {
	Source  string `json:"source"`
	Target  string `json:"target"`
	Copied  int64  `json:"copied"`
	Present int64  `json:"present"`
	Skipped int64  `json:"skipped"`
	Bytes   int64  `json:"bytes"`
	Error   string `json:"error,omitempty"` // it is not whole
}

// Skip is a message, or a mailbox, and why.
type Skip struct {
	Mailbox string `json:"mailbox"`
	Message string `json:"message,omitempty"` // its ID in the source; "" = the mailbox
	Size    int64  `json:"size,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Text    string `json:"text,omitempty"`
}
