package archtest

import "strings"

// A layer says which packages of this module the packages that match may
// import directly. Paths are relative to the module; "x/..." is x and
// everything below it. The first layer that matches counts. internal/ is
// always allowed to packages of the root module, as it is the ground.
type layer struct {
	pkg   string
	allow []string
}

// layers is the picture of the architecture. Packages that no layer names are
// refused, so that a new package gets its place here first.
func layers() []layer {
	return []layer{
		{"internal/imapmsg", []string{"store"}},
		{"internal/maildirfmt", []string{"store"}},
		{"internal/imapfetch", []string{"imap", "store"}},
		{"internal/imaplist", []string{"imap", "store"}},
		{"internal/imapresync", []string{"imap", "store"}},
		{"internal/imapsort", []string{"imap", "store"}},
		{"internal/imapthread", []string{"imap", "store"}},
		{"internal/imapnotify", []string{"imap", "store"}},
		{"internal/imapresp", []string{"imap", "store"}},
		{"internal/imapcmd", []string{"imap", "store"}},
		{"internal/imapconn", []string{"imap", "store"}},
		{"internal/imapscope", []string{"store"}},
		{"internal/imapseq", []string{"imap", "store"}},
		{"internal/imapsearch", []string{"imap", "store", "store/view", "store/searchtext"}},
		{"internal/imapsort", []string{"store"}},
		{"internal/imapthread", []string{"store"}},
		{"internal/reportmail", []string{"smtp"}},
		{"internal/rebody", []string{"smtp", "store/blob"}},
		{"internal/saslwire", []string{"auth/authn"}},
		{"internal/authtest", []string{"auth/authn"}},
		{"internal/mailaddr", []string{"smtp"}},
		{"internal/mailsig", []string{"auth/dnsx"}},
		{"internal/...", nil},
		{"daemon", nil}, // certificates and sockets of the host, for any server

		// Vocabulary and contracts.
		{"smtp", nil},
		{"pop3", nil},
		{"store/blob", nil},
		{"store", []string{"store/blob"}},
		{"store/acl", []string{"store"}},
		{"imap", []string{"store", "store/acl"}}, // UID, ModSeq and Flag are store's, by alias
		{"queue/schedule", nil},                  // whose turn it is; knows no mail
		{"queue", []string{"smtp", "store/blob", "queue/schedule"}},
		{"auth/authn", nil}, // between the servers and auth/login

		// Suites judge one interface and know what it is made of.
		{"smtp/smtptest", []string{"smtp"}},
		{"smtp/smtppolicy/greytest", []string{"smtp/smtppolicy"}},
		{"imap/imaptest", []string{"imap", "store"}},
		{"pop3/pop3test", []string{"pop3"}},
		{"store/storetest", []string{"store", "store/blob"}},
		{"store/blob/blobtest", []string{"store/blob"}},
		{"store/blob/objects/objecttest", []string{"store/blob/objects"}},
		{"queue/queuetest", []string{"queue", "smtp", "store/blob"}},

		// Servers and clients.
		{"smtp/smtpserver", []string{"smtp", "auth/authn"}},
		{"smtp/smtpserver/testdata/naive", nil},
		{"smtp/smtpclient", []string{"smtp"}},
		{"smtp/smtppolicy/sqlgrey", []string{"smtp/smtppolicy", "store/sqldb"}},
		{"smtp/smtppolicy", []string{"smtp", "smtp/smtpclient", "auth/authres", "auth/dnsbl", "auth/iprev", "auth/dnsx"}},
		{"imap/imapserver", []string{"imap", "store", "store/acl", "store/blob", "store/view", "auth/authn"}},
		{"imap/imapclient", []string{"imap", "imap/imapclient/quirk"}},
		{"imap/imapclient/quirk", []string{"imap"}},
		{"imap/imapclient/...", []string{"imap", "imap/imapclient", "imap/imapclient/quirk", "imap/imapclient/mirror"}},
		{"pop3/pop3server", []string{"pop3", "store", "store/blob", "store/view", "auth/authn"}},
		{"pop3/pop3client", []string{"pop3"}},

		// Engines and wrappers of the contracts.
		{"store/blob/...", []string{"store/blob"}},
		{"store/backup", []string{"store", "store/blob", "store/backup/format"}},
		{"store/backup/format", []string{"store", "store/blob"}},
		{"store/sqldb", nil}, // opens databases; knows neither mail nor queues
		{"store/sqlstore", []string{"store", "store/blob", "store/sqldb"}},
		{"store/sqlblob", []string{"store/blob", "store/blob/objects", "store/sqldb"}},
		{"store/rows", []string{"store"}},
		{"store/maildir", []string{"store", "store/blob", "store/rows"}},
		{"store/...", []string{"store", "store/blob", "store/blob/memblob"}},
		{"queue/sqlentry", []string{"queue", "store/sqldb"}},
		{"queue/sqlqueue", []string{"queue", "queue/sqlentry", "smtp", "store/blob", "store/sqldb"}},
		{"queue/table", []string{"queue"}},
		{"queue/suppress", []string{"queue", "queue/table", "smtp"}},
		{"queue/holdrule", []string{"queue", "queue/table", "smtp"}},
		{"queue/budget", []string{"queue"}},
		{"queue/history", []string{"queue"}},
		{"queue/metrics", []string{"queue"}},
		{"queue/webhook", []string{"queue", "smtp"}},
		{"queue/...", []string{"queue", "smtp", "store/blob"}},

		// Authentication of messages; the methods never import auth.
		{"auth", []string{"smtp", "auth/..."}},
		{"auth/reporting", []string{"smtp", "auth", "auth/dmarc", "auth/dmarc/report", "auth/spf"}},
		{"auth/login/saslmech", nil}, // mechanisms; they know no users
		{"auth/login", []string{"auth/authn", "auth/login/saslmech"}},
		{"auth/login/sqllogin/sqllogintest", []string{"auth/login", "auth/login/sqllogin", "auth/login/logintest"}},
		{"auth/login/...", []string{"auth/login", "auth/authn", "store/sqldb"}},
		{"auth/authres", nil},
		{"auth/dnsx", nil},
		{"auth/arc", []string{"auth/authres", "auth/dnsx", "auth/dkim"}}, // seals with the keys of DKIM
		{"auth/dmarc/report/sqlreport", []string{"auth/dmarc/report", "store/sqldb"}},
		{"auth/dmarc/report/reporttest", []string{"auth/dmarc/report"}},
		{"auth/dmarc/report", []string{"smtp", "auth/dmarc", "auth/dnsx"}},
		{"auth/mtasts/mtaststest", []string{"auth/mtasts"}},
		{"auth/mtasts/sqlsts", []string{"auth/mtasts", "store/sqldb"}},
		{"auth/tlsrpt/tlsrpttest", []string{"auth/tlsrpt"}},
		{"auth/tlsrpt/sqltlsrpt", []string{"auth/tlsrpt", "store/sqldb"}},
		{"auth/...", []string{"smtp", "auth/authres", "auth/dnsx"}},

		// Delivery.
		{"deliver/verp", []string{"smtp"}},
		{"deliver/autoreply", []string{"smtp"}},
		{"deliver/arf", nil},
		{"deliver/bounce", []string{"smtp", "deliver/arf", "deliver/autoreply"}},
		{"deliver/dsn", []string{"smtp", "queue", "store/blob", "deliver/autoreply", "auth/authres"}},
		{"deliver/srs", []string{"smtp"}},
		{"deliver/delivertest", []string{"smtp", "auth/dnsx"}}, // hosts and names, not those who send to them
		{"deliver/intake", []string{"smtp", "queue", "store/blob"}},
		{"deliver/journal", []string{"smtp", "queue", "store/blob", "deliver", "deliver/intake"}},
		{"deliver/fetch/recipient", []string{"smtp", "deliver", "deliver/fetch"}},
		{"deliver/submission", []string{"smtp", "smtp/smtppolicy", "queue", "store", "store/blob", "deliver/intake"}},
		{"deliver/fetch", []string{"smtp", "store", "store/blob", "queue", "deliver"}}, // no client of a protocol
		{"deliver/fetch/imapsource", []string{"deliver/fetch", "imap", "imap/imapclient", "store"}},
		{"deliver/fetch/pop3source", []string{"deliver/fetch", "pop3", "pop3/pop3client"}},
		{"deliver/migrate", []string{"store"}}, // adapters know protocols and formats
		{"deliver/migrate/...", []string{
			"deliver/migrate", "deliver/migrate/internal/filetree", "store", "store/blob", "store/mbox", "store/maildir",
			"imap", "imap/imapclient", "pop3", "pop3/pop3client",
		}},
		{"deliver/...", []string{
			"smtp", "smtp/smtpclient", "store", "store/blob", "queue", "store/acl", "deliver", "deliver/dsn", "deliver/srs",
			"auth/mtasts", "auth/dane", "auth/tlsrpt", "auth/dnsx",
			"store/mbox", "store/maildir", // files of the system
		}},
	}
}

// nestedLayers says which packages of the root module a nested module may
// import; examples and internal modules compose all.
func nestedLayers() []layer {
	return []layer{
		{"examples/...", []string{"./..."}},
		{"internal/...", []string{"./..."}},
		{"compat/...", []string{"./..."}},
		{"auth/ldap", []string{"auth/login", "deliver", "smtp", "store"}},
		{"auth/...", []string{"auth/login"}},
		{"store/...", []string{"store/...", "queue/...", "smtp"}},
	}
}

// A light package links little: apart from the standard library only the
// modules named, and nothing of the standard library that is in heavy.
type light struct {
	pkg     string
	modules []string
}

func lightPackages() []light {
	smtp := []string{"github.com/emersion/go-sasl", "golang.org/x/net"}
	return []light{
		{"smtp", smtp},
		{"smtp/smtpserver", smtp},
		{"smtp/smtpclient", smtp},
		{"smtp/smtppolicy", smtp},
		{"store", []string{"github.com/emersion/go-message", "golang.org/x/net", "golang.org/x/text"}}, // Describe
		{"store/blob", nil},
		{"pop3", nil},
		{"pop3/pop3client", []string{"github.com/emersion/go-sasl"}},
		{"auth/authn", []string{"github.com/emersion/go-sasl"}},
		{"daemon", nil},
	}
}

// suites are the conformance packages: no third-party code.
func suites() []string {
	return []string{
		"smtp/smtptest", "smtp/smtppolicy/greytest", "imap/imaptest", "pop3/pop3test", "store/storetest", "store/blob/blobtest",
		"store/blob/objects/objecttest", "queue/queuetest", "auth/login/logintest", "auth/dmarc/report/reporttest",
		"deliver/delivertest",
	}
}

// servers never link, even indirectly, what stands beside or above them.
func servers() []string {
	return []string{"smtp/smtpserver", "imap/imapserver", "pop3/pop3server"}
}

// notForServers is what a server must not link: every way to keep or to
// deliver mail is the application's choice.
func notForServers() []string {
	return []string{
		"queue/...", "queue", "deliver", "deliver/...", "store/memstore", "store/sqlstore", "store/maildir", "store/rows",
		"store/mbox", "store/backup", "store/backup/format", "store/blob/segment", "store/blob/objects", "store/sqlblob", "auth/login",
	}
}

// rootModules are the modules that the root module may depend on, and those
// that only its tests may use.
func rootModules() (code, tests []string) {
	code = []string{
		"github.com/emersion/go-message", "github.com/emersion/go-msgauth", "github.com/emersion/go-sasl",
		"golang.org/x/net", "golang.org/x/text", "golang.org/x/crypto", "golang.org/x/time",
		"github.com/xdg-go/scram",
		"github.com/klauspost/compress", // store/backup, store/blob/compress
		"github.com/go-crypt/x",         // internal/passhash: md5-crypt and sha-crypt
		// What those need themselves.
		"golang.org/x/sys", "github.com/xdg-go/pbkdf2", "github.com/xdg-go/stringprep",
	}
	tests = []string{"github.com/google/go-cmp", "pgregory.net/rapid", "go.uber.org/goleak"}
	return code, tests
}

// matches reports whether pattern names the package path; "./..." names all.
func matches(pattern, path string) bool {
	if pattern == "./..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	return pattern == path
}

func matchesAny(patterns []string, path string) bool {
	for _, p := range patterns {
		if matches(p, path) {
			return true
		}
	}
	return false
}
