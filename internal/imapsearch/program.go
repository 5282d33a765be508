package imapsearch

import (
	"time"

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
	OpUIDs    // UIDs; sequence numbers too
	OpLarger  // Num
	OpSmaller // Num
	OpRecent
	OpModSeq // Num; at least

	// Judged by the facts that the store keeps.
	OpBefore // Date, of INTERNALDATE
	OpOn
	OpSince
	OpSentBefore // Date, of the Date field
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
	Left, Right int32 // indexes of earlier nodes
	Flag        store.Flags
	Num         int64     // octets, or a mod-sequence
	Date        time.Time // midnight UTC of the day
	UIDs        store.UIDSet
	Name        string // of a field, in lower case
	Text        string // what searchtext.Fold returns; of OpKeyword as it was written
}

// Program is a search as a list in which every operator stands behind its
// operands; the last node is the whole. It is evaluated front to back, so its
// depth costs nothing. It is never empty.
type Program []Node

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
// operators, once for each.
func (p Program) eval(values []truth, leaf func(*Node) truth) truth {
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
				values[i] = leaf(n)
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

// needed reports which leaves still matter when values are known so far: those
// whose value can change the whole.
func (p Program) needed(values []truth) []bool {
	need := make([]bool, len(p))
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
			need[n.Left] = values[n.Left] == unknown
			need[n.Right] = values[n.Right] == unknown
		}
	}
	return need
}

// fields is what the store has to tell about a message for the leaves.
func (p Program) fields() store.Fields {
	var f store.Fields
	for i := range p {
		switch p[i].Op {
		case OpBefore, OpOn, OpSince:
			f |= store.FieldDates
		case OpSentBefore, OpSentOn, OpSentSince, OpEnvelope:
			f |= store.FieldMeta
		case OpHeader, OpBody, OpText:
			f |= store.FieldMeta | store.FieldContent
		}
	}
	return f
}
