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
	{"SETACL", loggedIn, (*session).setACL, syncAll},
	{"DELETEACL", loggedIn, (*session).deleteACL, syncAll},
	{"GETACL", loggedIn, (*session).getACL, syncAll},
	{"LISTRIGHTS", loggedIn, (*session).listRights, syncAll},
	{"MYRIGHTS", loggedIn, (*session).myRights, syncAll},
	{"GETQUOTA", loggedIn, (*session).getQuota, syncAll},
	{"GETQUOTAROOT", loggedIn, (*session).getQuotaRoot, syncAll},
	{"SETQUOTA", loggedIn, (*session).setQuota, syncAll},
	{"GETMETADATA", loggedIn, (*session).getMetadata, syncAll},
	{"SETMETADATA", loggedIn, (*session).setMetadata, syncAll},
	{"APPEND", loggedIn, (*session).appendMessage, syncAll},
	{"GENURLAUTH", loggedIn, (*session).genURLAuth, syncAll},
	{"URLFETCH", loggedIn, (*session).urlFetch, syncAll},
	{"RESETKEY", loggedIn, (*session).resetKey, syncAll},
	{"GETJMAPACCESS", loggedIn, (*session).getJMAPAccess, syncAll},
	{"ESEARCH", loggedIn, (*session).esearch, syncGrowth},
	{"NOTIFY", loggedIn, (*session).notify, syncRefresh},
	{"IDLE", loggedIn, (*session).idle, syncRefresh},

	{"CHECK", selectedState, (*session).check, syncRefresh},
	{"CLOSE", selectedState, (*session).closeMailbox, syncNone},
	{"UNSELECT", selectedState, (*session).unselect, syncNone},
	{"EXPUNGE", selectedState, (*session).expunge, syncRefresh},
	{"SEARCH", selectedState, (*session).search, syncGrowth},
	{"SORT", selectedState, (*session).sortMessages, syncGrowth},
	{"THREAD", selectedState, (*session).thread, syncGrowth},
	{"CANCELUPDATE", selectedState, (*session).cancelUpdate, syncAll},
	{"FETCH", selectedState, (*session).fetch, syncGrowth},
	{"STORE", selectedState, (*session).store, syncGrowth},
	{"COPY", selectedState, (*session).copy, syncAll},
	{"MOVE", selectedState, (*session).move, syncRefresh},
	{"UIDBATCHES", selectedState, (*session).uidBatches, syncAll},
	{"UID SEARCH", selectedState, (*session).search, syncAll},
	{"UID SORT", selectedState, (*session).sortMessages, syncAll},
	{"UID THREAD", selectedState, (*session).thread, syncAll},
	{"UID FETCH", selectedState, (*session).fetch, syncAll},
	{"UID STORE", selectedState, (*session).store, syncAll},
	{"UID COPY", selectedState, (*session).copy, syncAll},
	{"UID MOVE", selectedState, (*session).move, syncRefresh},
	{"REPLACE", selectedState, (*session).replace, syncRefresh},
	{"UID REPLACE", selectedState, (*session).replace, syncRefresh},
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

// needsUTF8 reports whether the command may meet UTF-8: with UTF8=ONLY it waits
// for the client to enable that (RFC 9755 §6).
func (v *verb) needsUTF8() bool {
	switch v.name {
	case "ENABLE", "IDLE", "COMPRESS", "UNAUTHENTICATE", "GETJMAPACCESS":
		return false
	}
	return v.states&notAuthenticated == 0
}

// numbered reports whether the command names messages by sequence number: it has
// a twin that names them by UID. EXPUNGE names none.
func (v *verb) numbered() bool { return v.name != "EXPUNGE" && findVerb("UID "+v.name) != nil }

// expunges reports whether the command itself takes messages out.
func (v *verb) expunges() bool {
	switch v.name {
	case "EXPUNGE", "UID EXPUNGE", "MOVE", "UID MOVE", "REPLACE", "UID REPLACE":
		return true
	}
	return false
}

// deselects reports whether the command leaves the selected mailbox and does
// nothing to it.
func (v *verb) deselects() bool {
	switch v.name {
	case "LOGOUT", "UNAUTHENTICATE", "SELECT", "EXAMINE", "UNSELECT":
		return true
	}
	return false
}

// secret reports whether the arguments are not traced.
func (v *verb) secret() bool {
	switch v.name {
	case "LOGIN", "AUTHENTICATE", "GENURLAUTH", "URLFETCH", "RESETKEY":
		return true
	}
	return false
}

// findVerb returns the command of that name in upper case; nil for none.
func findVerb(name string) *verb { return verbIndex[name] }
