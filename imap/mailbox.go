package imap

import "github.com/mailstead/mailstead/store"

// Inbox is the name of the mailbox that every account has. It is known in any
// case (RFC 3501 §5.1).
const Inbox = store.Inbox

// Attr is an attribute of a mailbox name in LIST and LSUB responses.
type Attr string

// The attributes of RFC 3501 §7.2.2, RFC 3348 and RFC 5258.
const (
	AttrNoInferiors   Attr = `\Noinferiors`
	AttrNoSelect      Attr = `\Noselect`
	AttrMarked        Attr = `\Marked`
	AttrUnmarked      Attr = `\Unmarked`
	AttrHasChildren   Attr = `\HasChildren`
	AttrHasNoChildren Attr = `\HasNoChildren`
	AttrNoAccess      Attr = `\NoAccess` // RFC 5465 §8
	AttrNonExistent   Attr = `\NonExistent`
	AttrSubscribed    Attr = `\Subscribed`
)

// The special uses of RFC 6154 §2.
const (
	RoleAll     Attr = `\All`
	RoleArchive Attr = `\Archive`
	RoleDrafts  Attr = `\Drafts`
	RoleFlagged Attr = `\Flagged`
	RoleJunk    Attr = `\Junk`
	RoleSent    Attr = `\Sent`
	RoleTrash   Attr = `\Trash`
)

// Roles are the special uses.
func Roles() []Attr {
	return []Attr{RoleAll, RoleArchive, RoleDrafts, RoleFlagged, RoleJunk, RoleSent, RoleTrash}
}
