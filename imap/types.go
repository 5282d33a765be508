package imap

import "github.com/mailstead/mailstead/store"

// The numbers and sets of the store are those of the protocol.
type (
	// UID is a message's unique identifier (RFC 9051 §2.3.1.1).
	UID = store.UID
	// UIDSet is a set of UIDs.
	UIDSet = store.UIDSet
	// UIDRange is an element of it.
	UIDRange = store.UIDRange
	// UIDValidity names an incarnation of a mailbox's UIDs.
	UIDValidity = store.UIDValidity
	// ModSeq is a mod-sequence (RFC 7162 §3).
	ModSeq = store.ModSeq
	// Flags is a set of system flags.
	Flags = store.Flags
)

// Delimiter is the hierarchy delimiter of mailbox names.
const Delimiter = '/'
