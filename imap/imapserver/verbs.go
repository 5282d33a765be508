package imapserver

import (
	"slices"

	"github.com/mailstead/mailstead/imap"
)

// syncPoint says what a command may tell about changes of the mailbox before
// its tagged response.
type syncPoint uint8

const (
	syncNone    syncPoint = iota // nothing
	syncGrowth                   // new messages and flags: FETCH, STORE, SEARCH (RFC 3501 §7.4.1)
	syncAll                      // EXPUNGE too
	syncRefresh                  // all, after a look at the store
)

// verb is a command: where it is allowed, what runs it, and what it belongs to.
type verb struct {
	name   string
	states state
	run    func(*session, *command) error
	sync   syncPoint
	needs  []imap.Capability // it is there with any of them; nil = always
}

func of(c ...imap.Capability) []imap.Capability { return c }

// verbs are the commands (RFC 3501 §6 and the extensions named in doc.go).
var verbs = []verb{
	{"CAPABILITY", anyState, (*session).capability, syncAll, nil},
	{"NOOP", anyState, (*session).noop, syncRefresh, nil},
	{"LOGOUT", anyState, (*session).logout, syncNone, nil},
	{"ID", anyState, (*session).identify, syncAll, of(imap.CapID)},

	{"STARTTLS", notAuthenticated, (*session).startTLS, syncNone, of(imap.CapStartTLS)},
	{"LOGIN", notAuthenticated, (*session).login, syncNone, nil},
	{"AUTHENTICATE", notAuthenticated, (*session).authenticate, syncNone, nil},

	{"COMPRESS", loggedIn, (*session).compress, syncNone, of(imap.CapCompress)},
	{"UNAUTHENTICATE", loggedIn, (*session).unauthenticate, syncNone, of(imap.CapUnauthenticate)},
	{"ENABLE", loggedIn, (*session).enable, syncAll, of(imap.CapEnable)},
	{"SELECT", loggedIn, (*session).selectMailbox, syncNone, nil},
	{"EXAMINE", loggedIn, (*session).examine, syncNone, nil},
	{"CREATE", loggedIn, (*session).create, syncAll, nil},
	{"DELETE", loggedIn, (*session).deleteMailbox, syncAll, nil},
	{"RENAME", loggedIn, (*session).rename, syncAll, nil},
	{"SUBSCRIBE", loggedIn, (*session).subscribe, syncAll, nil},
	{"UNSUBSCRIBE", loggedIn, (*session).unsubscribe, syncAll, nil},
	{"LIST", loggedIn, (*session).list, syncAll, nil},
	{"LSUB", loggedIn, (*session).lsub, syncAll, nil},
	{"NAMESPACE", loggedIn, (*session).namespace, syncAll, of(imap.CapNamespace)},
	{"STATUS", loggedIn, (*session).status, syncAll, nil},
	{"SETACL", loggedIn, (*session).setACL, syncAll, of(imap.CapACL)},
	{"DELETEACL", loggedIn, (*session).deleteACL, syncAll, of(imap.CapACL)},
	{"GETACL", loggedIn, (*session).getACL, syncAll, of(imap.CapACL)},
	{"LISTRIGHTS", loggedIn, (*session).listRights, syncAll, of(imap.CapACL)},
	{"MYRIGHTS", loggedIn, (*session).myRights, syncAll, of(imap.CapACL)},
	{"GETQUOTA", loggedIn, (*session).getQuota, syncAll, of(imap.CapQuota)},
	{"GETQUOTAROOT", loggedIn, (*session).getQuotaRoot, syncAll, of(imap.CapQuota)},
	{"SETQUOTA", loggedIn, (*session).setQuota, syncAll, of(imap.CapQuotaSet)},
	{"GETMETADATA", loggedIn, (*session).getMetadata, syncAll, of(imap.CapMetadata, imap.CapMetadataServer)},
	{"SETMETADATA", loggedIn, (*session).setMetadata, syncAll, of(imap.CapMetadata, imap.CapMetadataServer)},
	{"APPEND", loggedIn, (*session).appendMessage, syncAll, nil},
	{"GENURLAUTH", loggedIn, (*session).genURLAuth, syncAll, of(imap.CapURLAuth)},
	{"URLFETCH", loggedIn, (*session).urlFetch, syncAll, of(imap.CapURLAuth)},
	{"RESETKEY", loggedIn, (*session).resetKey, syncAll, of(imap.CapURLAuth)},
	{"GETJMAPACCESS", loggedIn, (*session).getJMAPAccess, syncAll, of(imap.CapJMAPAccess)},
	{"ESEARCH", loggedIn, (*session).esearch, syncGrowth, of(imap.CapMultiSearch)},
	{"NOTIFY", loggedIn, (*session).notify, syncRefresh, of(imap.CapNotify)},
	{"IDLE", loggedIn, (*session).idle, syncRefresh, of(imap.CapIdle)},

	{"CHECK", selectedState, (*session).check, syncRefresh, nil},
	{"CLOSE", selectedState, (*session).closeMailbox, syncNone, nil},
	{"UNSELECT", selectedState, (*session).unselect, syncNone, of(imap.CapUnselect)},
	{"EXPUNGE", selectedState, (*session).expunge, syncRefresh, nil},
	{"SEARCH", selectedState, (*session).search, syncGrowth, nil},
	{"SORT", selectedState, (*session).sortMessages, syncGrowth, of(imap.CapSort)},
	{"THREAD", selectedState, (*session).thread, syncGrowth, of(imap.CapThreadOrderedSubject, imap.CapThreadReferences, imap.CapThreadRefs)},
	{"CANCELUPDATE", selectedState, (*session).cancelUpdate, syncAll, of(imap.CapContextSearch, imap.CapContextSort)},
	{"FETCH", selectedState, (*session).fetch, syncGrowth, nil},
	{"STORE", selectedState, (*session).store, syncGrowth, nil},
	{"COPY", selectedState, (*session).copy, syncAll, nil},
	{"MOVE", selectedState, (*session).move, syncRefresh, of(imap.CapMove)},
	{"UIDBATCHES", selectedState, (*session).uidBatches, syncAll, of(imap.CapUIDBatches)},
	{"UID SEARCH", selectedState, (*session).search, syncAll, nil},
	{"UID SORT", selectedState, (*session).sortMessages, syncAll, of(imap.CapSort)},
	{"UID THREAD", selectedState, (*session).thread, syncAll, of(imap.CapThreadOrderedSubject, imap.CapThreadReferences, imap.CapThreadRefs)},
	{"UID FETCH", selectedState, (*session).fetch, syncAll, nil},
	{"UID STORE", selectedState, (*session).store, syncAll, nil},
	{"UID COPY", selectedState, (*session).copy, syncAll, nil},
	{"UID MOVE", selectedState, (*session).move, syncRefresh, of(imap.CapMove)},
	{"REPLACE", selectedState, (*session).replace, syncRefresh, of(imap.CapReplace)},
	{"UID REPLACE", selectedState, (*session).replace, syncRefresh, of(imap.CapReplace)},
	{"UID EXPUNGE", selectedState, (*session).expunge, syncRefresh, of(imap.CapUIDPlus)},
}

var verbIndex = indexVerbs()

func indexVerbs() map[string]*verb {
	m := make(map[string]*verb, len(verbs))
	for i := range verbs {
		m[verbs[i].name] = &verbs[i]
	}
	return m
}

// isThere reports whether the command is one of those that the session offers.
// COMPRESS stays while compression is active: it answers by a code of its own.
func (v *verb) isThere(s *session) bool {
	return v.needs == nil || slices.ContainsFunc(v.needs, s.offers) || v.name == "COMPRESS" && s.conn.deflated != nil
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
