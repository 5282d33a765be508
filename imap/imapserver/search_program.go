package imapserver

import (
	"time"

	"github.com/mailstead/mailstead/store"
)

// searchOp is what a node of a search does.
type searchOp uint8

const (
	opAll searchOp = iota
	opNot          // left
	opAnd          // left, right
	opOr           // left, right

	// Judged by the row of the view.
	opFlag    // flag
	opKeyword // text
	opUIDs    // uids; sequence numbers too
	opLarger  // num
	opSmaller // num
	opRecent

	// Judged by the facts that the store keeps.
	opBefore // date, of INTERNALDATE
	opOn
	opSince
	opSentBefore // date, of the Date field
	opSentOn
	opSentSince
	opEnvelope // field: index in ENVELOPE; text

	// Judged by the octets of the message.
	opHeader // field name; text
	opBody   // text
	opText   // text
)

// searchNode is one key or operator.
type searchNode struct {
	op          searchOp
	left, right int32 // earlier nodes
	flag        store.Flags
	field       int
	num         int64
	date        time.Time
	uids        store.UIDSet
	name        string // of a field, in lower case
	text        string // folded
}

// searchProgram is a search as a list in which every operator stands behind
// its operands; the last node is the whole. It is evaluated front to back, so
// its depth costs nothing.
type searchProgram []searchNode

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
func (p searchProgram) eval(values []truth, leaf func(*searchNode) truth) truth {
	for i := range p {
		n := &p[i]
		switch n.op {
		case opAll:
			values[i] = proved
		case opNot:
			values[i] = negate(values[n.left])
		case opAnd:
			values[i] = both(values[n.left], values[n.right])
		case opOr:
			values[i] = negate(both(negate(values[n.left]), negate(values[n.right])))
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
func (p searchProgram) needed(values []truth) []bool {
	need := make([]bool, len(p))
	need[len(p)-1] = values[len(p)-1] == unknown
	for i := len(p) - 1; i >= 0; i-- {
		if !need[i] {
			continue
		}
		n := &p[i]
		switch n.op {
		case opNot:
			need[n.left] = values[n.left] == unknown
		case opAnd, opOr:
			need[n.left] = values[n.left] == unknown
			need[n.right] = values[n.right] == unknown
		}
	}
	return need
}

// fields is what the store has to tell about a message for the leaves.
func (p searchProgram) fields() store.Fields {
	var f store.Fields
	for i := range p {
		switch p[i].op {
		case opBefore, opOn, opSince:
			f |= store.FieldDates
		case opSentBefore, opSentOn, opSentSince, opEnvelope:
			f |= store.FieldMeta
		case opHeader, opBody, opText:
			f |= store.FieldMeta | store.FieldContent
		}
	}
	return f
}
