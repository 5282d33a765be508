package imap

import "github.com/mailstead/mailstead/store/acl"

// Rights is a set of the access rights of RFC 4314 §2.1, by the letters of the
// protocol. The zero value is none.
type Rights = acl.Rights

// The rights.
const (
	RightLookup     = acl.Lookup     // l
	RightRead       = acl.Read       // r
	RightSeen       = acl.Seen       // s
	RightWrite      = acl.Write      // w
	RightInsert     = acl.Insert     // i
	RightPost       = acl.Post       // p
	RightCreate     = acl.Create     // k
	RightDelete     = acl.Delete     // x
	RightDeleteMsg  = acl.DeleteMsg  // t
	RightExpunge    = acl.Expunge    // e
	RightAdminister = acl.Administer // a

	RightsNone = acl.None
	RightsAll  = acl.All
)
