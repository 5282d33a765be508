package imapserver

// syncPoint says what a command may tell about changes of the mailbox before
// its tagged response.
type syncPoint uint8

const (
	syncNone    syncPoint = iota // nothing
	syncGrowth                   // new messages and flags: FETCH, STORE, SEARCH (RFC 3501 §7.4.1)
	syncAll                      // EXPUNGE too
	syncRefresh                  // all, after a look at the store
)

// verb is a command: where it is allowed and what runs it.
type verb struct {
	name   string
	states state
	run    func(*session, *command) error
	sync   syncPoint
}

// verbs are the commands (RFC 3501 §6 and the extensions named in doc.go).
var verbs = []verb{
	{"CAPABILITY", anyState, (*session).capability, syncAll},
	{"NOOP", anyState, (*session).noop, syncRefresh},
	{"LOGOUT", anyState, (*session).logout, syncNone},
	{"ID", anyState, (*session).identify, syncAll},

	{"STARTTLS", notAuthenticated, (*session).startTLS, syncNone},
	{"LOGIN", notAuthenticated, (*session).login, syncNone},
	{"AUTHENTICATE", notAuthenticated, (*session).authenticate, syncNone},

	{"COMPRESS", loggedIn, (*session).compress, syncNone},
	{"UNAUTHENTICATE", loggedIn, (*session).unauthenticate, syncNone},
	{"ENABLE", loggedIn, (*session).enable, syncAll},
	{"SELECT", loggedIn, (*session).selectMailbox, syncNone},
	{"EXAMINE", loggedIn, (*session).examine, syncNone},
	{"CREATE", loggedIn, (*session).create, syncAll},
	{"DELETE", loggedIn, (*session).deleteMailbox, syncAll},
	{"RENAME", loggedIn, (*session).rename, syncAll},
	{"SUBSCRIBE", loggedIn, (*session).subscribe, syncAll},
	{"UNSUBSCRIBE", loggedIn, (*session).unsubscribe, syncAll},
	{"LIST", loggedIn, (*session).list, syncAll},
	{"LSUB", loggedIn, (*session).lsub, syncAll},
	{"NAMESPACE", loggedIn, (*session).namespace, syncAll},
	{"STATUS", loggedIn, (*session).status, syncAll},
	{"APPEND", loggedIn, (*session).appendMessage, syncAll},
	{"IDLE", loggedIn, (*session).idle, syncRefresh},

	{"CHECK", selectedState, (*session).check, syncRefresh},
	{"CLOSE", selectedState, (*session).closeMailbox, syncNone},
	{"UNSELECT", selectedState, (*session).unselect, syncNone},
	{"EXPUNGE", selectedState, (*session).expunge, syncRefresh},
	{"SEARCH", selectedState, (*session).search, syncGrowth},
	{"FETCH", selectedState, (*session).fetch, syncGrowth},
	{"STORE", selectedState, (*session).store, syncGrowth},
	{"COPY", selectedState, (*session).copy, syncAll},
	{"MOVE", selectedState, (*session).move, syncRefresh},
	{"UIDBATCHES", selectedState, (*session).uidBatches, syncAll},
	{"UID SEARCH", selectedState, (*session).search, syncAll},
	{"UID FETCH", selectedState, (*session).fetch, syncAll},
	{"UID STORE", selectedState, (*session).store, syncAll},
	{"UID COPY", selectedState, (*session).copy, syncAll},
	{"UID MOVE", selectedState, (*session).move, syncRefresh},
	{"UID EXPUNGE", selectedState, (*session).expunge, syncRefresh},
}

var verbIndex = indexVerbs()

func indexVerbs() map[string]*verb {
	m := make(map[string]*verb, len(verbs))
	for i := range verbs {
		m[verbs[i].name] = &verbs[i]
	}
	return m
}

// numbered reports whether the command names messages by sequence number: it has
// a twin that names them by UID. EXPUNGE names none.
func (v *verb) numbered() bool { return v.name != "EXPUNGE" && findVerb("UID "+v.name) != nil }

// findVerb returns the command of that name in upper case; nil for none.
func findVerb(name string) *verb { return verbIndex[name] }
