// Package imapnotify is what NOTIFY asks for, and which of it applies to a
// mailbox. It knows no session and no store.
//
// # RFCs
//
//	RFC 5465 §3, §5..§8   the command: groups, filters, events   full; no AnnotationChange
//
// # Invariants
//
//	I1  A request has at most [MaxGroups] groups and [MaxNames] names.
//	I2  MessageNew and MessageExpunge come together, FlagChange with both (§5).
package imapnotify
