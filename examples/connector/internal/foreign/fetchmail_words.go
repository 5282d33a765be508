package foreign

// argKind is what follows a keyword.
type argKind uint8

const (
	argNone      argKind = iota // no keyword at all
	argNoise                    // nothing, and it says nothing
	argFlag                     // nothing; "no" may stand in front
	argOne                      // one string or number
	argList                     // strings and numbers, up to the next keyword
	argEnvelope                 // a number, which may be missing, and a string
	argStructure                // read by the parser
)

// scope is where an option belongs.
type scope uint8

const (
	ofGlobal scope = iota + 1
	ofServer
	ofUser
)

type keyword struct {
	args  argKind
	scope scope
}

// negatable reports whether "no" may stand in front.
func (k keyword) negatable() bool { return k.args == argFlag || k.args == argEnvelope }

// keywords are those of a fetchmailrc, in their long forms (fetchmail(1), "The
// run control file").
var keywords = map[string]keyword{
	"with": {argNoise, 0}, "and": {argNoise, 0}, "has": {argNoise, 0}, "wants": {argNoise, 0}, "options": {argNoise, 0},

	"set": {argStructure, 0}, "defaults": {argStructure, 0}, "poll": {argStructure, 0}, "skip": {argStructure, 0},
	"user": {argStructure, 0}, "is": {argStructure, 0}, "to": {argStructure, 0}, "here": {argStructure, 0},
	"there": {argStructure, 0}, "no": {argStructure, 0},

	"daemon": {argOne, ofGlobal}, "postmaster": {argOne, ofGlobal}, "logfile": {argOne, ofGlobal},
	"pidfile": {argOne, ofGlobal}, "idfile": {argOne, ofGlobal}, "bouncemail": {argFlag, ofGlobal},
	"spambounce": {argFlag, ofGlobal}, "softbounce": {argFlag, ofGlobal}, "syslog": {argFlag, ofGlobal},
	"invisible": {argFlag, ofGlobal}, "showdots": {argFlag, ofGlobal},

	"via": {argOne, ofServer}, "protocol": {argOne, ofServer}, "localdomains": {argList, ofServer},
	"port": {argOne, ofServer}, "service": {argOne, ofServer}, "auth": {argOne, ofServer},
	"timeout": {argOne, ofServer}, "envelope": {argEnvelope, ofServer}, "qvirtual": {argOne, ofServer},
	"aka": {argList, ofServer}, "interface": {argOne, ofServer}, "monitor": {argOne, ofServer},
	"plugin": {argOne, ofServer}, "plugout": {argOne, ofServer}, "dns": {argFlag, ofServer},
	"checkalias": {argFlag, ofServer}, "uidl": {argFlag, ofServer}, "interval": {argOne, ofServer},
	"tracepolls": {argFlag, ofServer}, "principal": {argOne, ofServer}, "bad-header": {argOne, ofServer},
	"retrieve-error": {argOne, ofServer},

	"esmtpname": {argOne, ofUser}, "esmtppassword": {argOne, ofUser},
	"password": {argOne, ofUser}, "passwordfile": {argOne, ofUser}, "ssl": {argFlag, ofUser},
	"sslcert": {argOne, ofUser}, "sslcertck": {argFlag, ofUser}, "sslcertfile": {argOne, ofUser},
	"sslcertpath": {argOne, ofUser}, "sslfingerprint": {argOne, ofUser}, "sslkey": {argOne, ofUser},
	"sslproto": {argOne, ofUser}, "sslcommonname": {argOne, ofUser}, "folder": {argList, ofUser},
	"smtphost": {argList, ofUser}, "fetchdomains": {argList, ofUser}, "smtpaddress": {argOne, ofUser},
	"smtpname": {argOne, ofUser}, "antispam": {argList, ofUser}, "mda": {argOne, ofUser}, "bsmtp": {argOne, ofUser},
	"lmtp": {argFlag, ofUser}, "preconnect": {argOne, ofUser}, "postconnect": {argOne, ofUser},
	"keep": {argFlag, ofUser}, "flush": {argFlag, ofUser}, "limitflush": {argFlag, ofUser},
	"fetchall": {argFlag, ofUser}, "rewrite": {argFlag, ofUser}, "stripcr": {argFlag, ofUser},
	"forcecr": {argFlag, ofUser}, "pass8bits": {argFlag, ofUser}, "dropstatus": {argFlag, ofUser},
	"dropdelivered": {argFlag, ofUser}, "mimedecode": {argFlag, ofUser}, "idle": {argFlag, ofUser},
	"forceidle": {argFlag, ofUser}, "limit": {argOne, ofUser}, "warnings": {argOne, ofUser},
	"batchlimit": {argOne, ofUser}, "fetchlimit": {argOne, ofUser}, "fetchsizelimit": {argOne, ofUser},
	"fastuidl": {argOne, ofUser}, "expunge": {argOne, ofUser}, "properties": {argOne, ofUser},
}

// longForm is the name in keywords of a word that may be short for one.
func longForm(word string) string {
	switch word {
	case "server":
		return "poll"
	case "proto":
		return "protocol"
	case "local":
		return "localdomains"
	case "authenticate", "preauth", "preauthenticate":
		return "auth"
	case "username":
		return "user"
	case "pass":
		return "password"
	case "folders":
		return "folder"
	case "smtp":
		return "smtphost"
	case "pre":
		return "preconnect"
	case "post":
		return "postconnect"
	case "pass8":
		return "pass8bits"
	case "mimedec":
		return "mimedecode"
	}
	return word
}
