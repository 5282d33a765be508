package quirk

import (
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/imap"
)

// Facts are what is known of a server. Each may be missing.
type Facts struct {
	Host         string            // that the client connected to
	Greeting     string            // text of the first response
	ID           map[string]string // what it answered to ID
	Capabilities []imap.Capability // behind the login
}

// has reports whether a capability is announced, in any case.
func (f Facts) has(c string) bool {
	return slices.ContainsFunc(f.Capabilities, func(d imap.Capability) bool { return strings.EqualFold(c, string(d)) })
}

// on reports whether the host is one of the domains, or within.
func (f Facts) on(domains ...string) bool {
	host := strings.ToLower(strings.TrimSuffix(f.Host, "."))
	return slices.ContainsFunc(domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}

// called reports whether the server calls itself so, in ID or the greeting.
func (f Facts) called(words ...string) bool {
	said := f.Greeting
	for k, v := range f.ID {
		if strings.EqualFold(k, "name") || strings.EqualFold(k, "vendor") {
			said += "\n" + v
		}
	}
	said = strings.ToLower(said)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) })
}

// Effects are what a client does otherwise. The zero value is nothing.
type Effects struct {
	NoQResync    bool // QRESYNC is announced and not to be relied on
	NoCondStore  bool // nor are mod-sequences
	NoIdle       bool // IDLE is announced and tells nothing
	NoUIDExpunge bool // UIDPLUS is announced and UID EXPUNGE is refused
	NeedsID      bool // commands are refused unless the client has sent ID

	// LoneMailboxID: MAILBOXID is told only where STATUS asks for nothing else. Client asks so; nobody else has to know.
	LoneMailboxID bool

	// ZeroValidity: no UIDVALIDITY is said, and UIDs are stable all the same.
	ZeroValidity bool

	// Labels is for callers to know, no package acts on it: a message stands in several mailboxes at once, one of which
	// (imap.RoleAll) holds all of them. Taking it out of one leaves it in others.
	Labels bool

	// IdleMax is how long one IDLE may last; 0 = as everywhere.
	IdleMax time.Duration
}

// Join has the effects of both.
func (e Effects) Join(f Effects) Effects {
	e.NoQResync = e.NoQResync || f.NoQResync
	e.NoCondStore = e.NoCondStore || f.NoCondStore
	e.NoIdle = e.NoIdle || f.NoIdle
	e.NoUIDExpunge = e.NoUIDExpunge || f.NoUIDExpunge
	e.NeedsID = e.NeedsID || f.NeedsID
	e.LoneMailboxID = e.LoneMailboxID || f.LoneMailboxID
	e.ZeroValidity = e.ZeroValidity || f.ZeroValidity
	e.Labels = e.Labels || f.Labels
	if f.IdleMax > 0 && (e.IdleMax == 0 || f.IdleMax < e.IdleMax) {
		e.IdleMax = f.IdleMax
	}
	return e
}

// Quirk is what is known of one kind of server.
type Quirk struct {
	Name    string // "iCloud"
	Effects Effects
	Why     string
	Sources []string // where it was reported

	match func(Facts) bool
}

// Matches reports whether a server is of this kind.
func (q Quirk) Matches(f Facts) bool { return q.match(f) }

// Of joins the effects of all rows that match a server, and names them.
func Of(f Facts) (e Effects, names []string) {
	for _, q := range Table() {
		if q.Matches(f) {
			e, names = e.Join(q.Effects), append(names, q.Name)
		}
	}
	return e, names
}

// Table are all known quirks.
func Table() []Quirk { return slices.Concat(services(), programs()) }

// services are known by host or capabilities.
func services() []Quirk {
	return []Quirk{
		{
			Name: "iCloud", Effects: Effects{NoQResync: true},
			Why: "VANISHED responses are malformed and sequence numbers of FETCH wrong behind ENABLE QRESYNC, which is answered " +
				"by an empty ENABLED; clients took messages for deleted. CONDSTORE works.",
			Sources: []string{
				"https://github.com/Foundry376/Mailspring-Sync/pull/91", "https://developer.apple.com/forums/thread/694251",
				"https://github.com/bkaankose/Wino-Mail/issues/43", "https://github.com/lswith/imap-mcp/issues/8",
			},
			match: func(f Facts) bool { return f.on("mail.me.com", "icloud.com") },
		},
		{
			Name: "Amazon WorkMail", Effects: Effects{NoQResync: true},
			Why:     "QRESYNC is announced and confirmed, and a later resynchronisation misses new messages.",
			Sources: []string{"https://github.com/nextcloud/mail/issues/10581"},
			match:   func(f Facts) bool { return f.on("awsapps.com") },
		},
		{
			Name: "Gmail", Effects: Effects{Labels: true, IdleMax: 10 * time.Minute},
			Why: "Mailboxes are labels: one message stands in several of them, and in All Mail, with a UID in each. " +
				"X-GM-MSGID tells that they are one. IDLE is best renewed every ten minutes.",
			Sources: []string{
				"https://developers.google.com/workspace/gmail/imap/imap-extensions", "https://github.com/imapsync/imapsync/issues/501",
				"https://github.com/thunderbird/thunderbird-android/issues/752", "https://github.com/karastojko/mailio/pull/218",
			},
			match: func(f Facts) bool { return f.has("X-GM-EXT-1") },
		},
		{
			Name: "Yahoo, AOL", Effects: Effects{NoCondStore: true, NoQResync: true},
			Why:     "SELECT tells HIGHESTMODSEQ of a scheme of its own (XYMHIGHESTMODSEQ), for which CHANGEDSINCE is an error.",
			Sources: []string{"https://github.com/whiteout-io/imap-client/pull/40", "https://github.com/MailCore/mailcore2/issues/1274"},
			match:   func(f Facts) bool { return f.has("XYMHIGHESTMODSEQ") },
		},
		{
			Name: "NetEase (163, 126, yeah.net)", Effects: Effects{NeedsID: true},
			Why: "SELECT is answered by NO \"Unsafe Login\" unless the client has sent ID.",
			Sources: []string{
				"https://github.com/modern-email/defects/issues/25", "https://github.com/OfflineIMAP/offlineimap/issues/696",
				"https://github.com/pimalaya/himalaya/issues/651",
			},
			match: func(f Facts) bool { return f.on("163.com", "126.com", "188.com", "yeah.net", "netease.com") },
		},
		{
			Name: "Tencent Exmail", Effects: Effects{ZeroValidity: true},
			Why:     "SELECT tells no UIDVALIDITY, and UIDs stay as they are.",
			Sources: []string{"https://github.com/rustmailer/bichon/issues/284"},
			match:   func(f Facts) bool { return f.on("exmail.qq.com") },
		},
		{
			Name: "Lark, Feishu", Effects: Effects{IdleMax: 9 * time.Minute},
			Why:     "An IDLE is ended by the server after ten minutes.",
			Sources: []string{"https://github.com/emersion/go-imap/pull/603"},
			match:   func(f Facts) bool { return f.on("larksuite.com", "feishu.cn") },
		},
		{
			Name: "Yandex", Effects: Effects{IdleMax: 5 * time.Minute},
			Why:     "Connections in IDLE are dropped without a word after some minutes.",
			Sources: []string{"https://github.com/mjs/imapclient/issues/234"},
			match:   func(f Facts) bool { return f.on("yandex.ru", "yandex.com", "yandex.net") },
		},
	}
}

// programs are known by what they call themselves, wherever they run.
func programs() []Quirk {
	return []Quirk{
		{
			Name: "Microsoft Exchange, Microsoft 365", Effects: Effects{IdleMax: 5 * time.Minute},
			Why: "IDLE at times tells nothing of new mail, or stops to answer; looking again at short intervals heals both.",
			Sources: []string{
				"https://github.com/d99kris/nmail/issues/112", "https://github.com/mjs/imapclient/issues/349",
				"https://github.com/smiley22/S22.Imap/issues/31",
			},
			match: func(f Facts) bool {
				return f.called("microsoft exchange") || f.on("outlook.office365.com", "imap-mail.outlook.com", "partner.outlook.cn")
			},
		},
		{
			Name: "Proton Mail Bridge", Effects: Effects{NoUIDExpunge: true},
			Why:     "Some releases announce UIDPLUS and refuse UID EXPUNGE.",
			Sources: []string{"https://github.com/ProtonMail/proton-bridge/issues/123"},
			match:   func(f Facts) bool { return f.called("proton") },
		},
		{
			Name: "Cyrus IMAP", Effects: Effects{LoneMailboxID: true},
			Why: "STATUS and LIST-STATUS with MAILBOXID and something else (3.6.1) send memory that is freed, line ends too. Later " +
				"releases copy what they send. X-CREATEDMODSEQ tells servers that do not say what they are (serverinfo: off).",
			Sources: []string{"https://github.com/cyrusimap/cyrus-imapd/blob/master/imap/statuscache_db.c"},
			match:   func(f Facts) bool { return f.called("cyrus imap") || f.has("X-CREATEDMODSEQ") },
		},
	}
}
