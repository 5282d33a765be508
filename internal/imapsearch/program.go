package imapsearch

import (
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// Op is what a node of a search does.
type Op uint8

// What nodes do.
const (
	OpAll Op = iota // holds always
	OpNot           // Left
	OpAnd           // Left, Right
	OpOr            // Left, Right

	// Judged by the row of the view.
	OpFlag    // Flag
	OpKeyword // Text
	OpSeqs    // Set, of sequence numbers; see Bind
	OpSaved   // the saved result, "$"; see Bind
	OpUIDSet  // Set, of UIDs
	OpUIDs    // UIDs: what Bind makes of sequence numbers and "$"
	OpLarger  // Num
	OpSmaller // Num
	OpModSeq  // Num: equal or greater
	OpRecent

	// Judged by the facts that the store keeps.
	OpBefore // Num, of INTERNALDATE
	OpOn
	OpSince
	OpSavedBefore // Num, of SAVEDATE
	OpSavedOn
	OpSavedSince
	OpHasSaveDate
	OpOlder   // Num: seconds before now, of INTERNALDATE
	OpYounger // Num
	OpEmailID // Text
	OpThreadID
	OpSentBefore // Num, of the Date field
	OpSentOn
	OpSentSince
	OpEnvelope // Field; Text

	// Judged by the octets of the message.
	OpHeader // Name; Text
	OpBody   // Text
	OpText   // Text
)

// EnvelopeField is the index of an element of ENVELOPE (RFC 3501 §7.4.2).
type EnvelopeField uint8

// The elements that a key looks into.
const (
	EnvSubject   EnvelopeField = 1
	EnvFrom      EnvelopeField = 2
	EnvTo        EnvelopeField = 5
	EnvCc        EnvelopeField = 6
	EnvBcc       EnvelopeField = 7
	EnvMessageID EnvelopeField = 9
)

// Node is one key or operator (RFC 3501 §6.4.4). Which fields count is said at
// its Op.
type Node struct {
	Op          Op
	Field       EnvelopeField
	Flag        store.Flags
	Left, Right int32 // indexes of earlier nodes
	Num         int64 // octets, seconds, a mod-sequence; of a date its day, midnight UTC since 1970 in seconds
	Set         imap.NumSet
	UIDs        store.UIDSet
	Name        string // of a field, in lower case
	Text        string // what searchtext.Fold returns; of OpKeyword as it was written; the octets of an id
}

// Program is a search as a list in which every operator stands behind its
// operands; the last node is the whole. It is evaluated front to back, so its
// depth costs nothing. It is never empty, and is not changed once it was parsed.
type Program []Node

// Has reports whether a node of the program does one of ops.
func (p Program) Has(ops ...Op) bool {
	return slices.ContainsFunc(p, func(n Node) bool { return slices.Contains(ops, n.Op) })
}

// Numbers are the messages that a client knows, in order: an [imapseq.Map], or
// what stands for one in a mailbox that is not open.
type Numbers interface {
	// Existing turns sequence numbers into UIDs; those that no message has
	// match nothing (RFC 3501 §6.4.4).
	Existing(imap.NumSet) store.UIDSet
}

// Bind returns the program with sequence numbers and "$" as the UIDs that they
// mean now. A program that has none of these is returned as it is.
func (p Program) Bind(told Numbers, saved store.UIDSet) Program {
	if !p.Has(OpSeqs, OpSaved) {
		return p
	}
	p = slices.Clone(p)
	for i := range p {
		switch n := &p[i]; n.Op {
		case OpSeqs:
			n.Op, n.UIDs = OpUIDs, told.Existing(n.Set)
		case OpSaved:
			n.Op, n.UIDs = OpUIDs, saved
		}
	}
	return p
}

// Within leaves of the messages those that the program may match, as far as the
// UIDs say that it wants of all: last is what "*" means. The program is bound.
func (p Program) Within(uids store.UIDSet, last store.UID) store.UIDSet {
	all := make([]bool, len(p)) // nodes that hold for each message that matches
	all[len(p)-1] = true
	for i := len(p) - 1; i >= 0; i-- {
		if !all[i] {
			continue
		}
		switch n := &p[i]; n.Op {
		case OpAnd:
			all[n.Left], all[n.Right] = true, true
		case OpUIDs:
			uids = uids.Intersect(n.UIDs)
		case OpUIDSet:
			uids = uids.Intersect(n.Set.Resolve(uint32(last)))
		}
	}
	return uids
}

// truth is the value of a node: not everything is known at first.
type truth uint8

const (
	unknown truth = iota
	refuted
	proved
)

func truthOf(b bool) truth {
	if b {
		return proved
	}
	return refuted
}

// eval computes the values of all nodes; leaf judges those that are no
// operators and not known yet.
func (p Program) eval(values []truth, leaf func(i int) truth) truth {
	for i := range p {
		n := &p[i]
		switch n.Op {
		case OpAll:
			values[i] = proved
		case OpNot:
			values[i] = negate(values[n.Left])
		case OpAnd:
			values[i] = both(values[n.Left], values[n.Right])
		case OpOr:
			values[i] = negate(both(negate(values[n.Left]), negate(values[n.Right])))
		default:
			if values[i] == unknown {
				values[i] = leaf(i)
			}
		}
	}
	return values[len(p)-1]
}

func negate(v truth) truth {
	switch v {
	case proved:
		return refuted
	case refuted:
		return proved
	}
	return unknown
}

func both(a, b truth) truth {
	switch {
	case a == refuted || b == refuted:
		return refuted
	case a == proved && b == proved:
		return proved
	}
	return unknown
}

// needed marks in need the nodes that still matter when values are known so
// far: those whose value can change the whole.
func (p Program) needed(values []truth, need []bool) {
	clear(need)
	need[len(p)-1] = values[len(p)-1] == unknown
	for i := len(p) - 1; i >= 0; i-- {
		if !need[i] {
			continue
		}
		n := &p[i]
		switch n.Op {
		case OpNot:
			need[n.Left] = values[n.Left] == unknown
		case OpAnd, OpOr:
			need[n.Left] = need[n.Left] || values[n.Left] == unknown
			need[n.Right] = need[n.Right] || values[n.Right] == unknown
		}
	}
}

// fields is what the store has to tell about a message for the leaves.
func (p Program) fields() store.Fields {
	var f store.Fields
	for i := range p {
		switch p[i].Op {
		case OpBefore, OpOn, OpSince, OpSavedBefore, OpSavedOn, OpSavedSince, OpHasSaveDate, OpOlder, OpYounger:
			f |= store.FieldDates
		case OpEmailID, OpThreadID:
			f |= store.FieldIDs
		case OpSentBefore, OpSentOn, OpSentSince, OpEnvelope:
			f |= store.FieldMeta
		case OpHeader, OpBody, OpText:
			f |= store.FieldMeta | store.FieldContent
		}
	}
	return f
}
