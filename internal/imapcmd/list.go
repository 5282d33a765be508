package imapcmd

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Option is a word of a list of options; those that are not on are left out.
type Option struct {
	Name string
	On   bool
}

// Options adds prefix and those that are on, in parentheses; nothing where none
// is.
func (l *Line) Options(prefix string, list ...Option) *Line {
	var on []string
	for _, o := range list {
		if o.On {
			on = append(on, o.Name)
		}
	}
	if len(on) == 0 {
		return l
	}
	return l.Text(prefix).Raw("(" + strings.Join(on, " ") + ")")
}

// StatusNames are the items of STATUS that the server knows.
func StatusNames(items []imap.StatusItem, has func(imap.Capability) bool) string {
	var names []string
	for _, i := range items {
		if need := statusNeeds(i); i.String() != "" && (need == "" || has(need)) {
			names = append(names, i.String())
		}
	}
	return strings.Join(names, " ")
}

// statusNeeds is the capability that an item needs; "" = none.
func statusNeeds(i imap.StatusItem) imap.Capability {
	switch i {
	case imap.StatusSize:
		return imap.CapStatusSize
	case imap.StatusHighestModSeq:
		return imap.CapCondStore
	case imap.StatusAppendLimit:
		return imap.CapAppendLimit
	case imap.StatusMailboxID:
		return imap.CapObjectID
	case imap.StatusDeletedStorage:
		return imap.CapQuotaStorage
	}
	return ""
}

// List adds the arguments of the LIST of RFC 5258: those of o that the server
// knows. They have the form of RFC 3501 where nothing else is needed.
func (l *Line) List(o *imap.ListOptions, has func(imap.Capability) bool) *Line {
	status := StatusNames(o.Status, has)
	special := has(imap.CapSpecialUse)
	l.Options("", Option{"SUBSCRIBED", o.Subscribed}, Option{"REMOTE", o.Remote}, Option{"RECURSIVEMATCH", o.RecursiveMatch},
		Option{"SPECIAL-USE", o.SpecialUse && special})
	l.Pattern(o.Reference)
	if len(o.Patterns) == 1 {
		l.Pattern(o.Patterns[0])
	} else {
		Each(l, o.Patterns, func(p string) { l.MailboxValue(p) })
	}
	var names []byte
	for i, n := range o.Metadata {
		if i > 0 {
			names = append(names, ' ')
		}
		names = imapwire.AppendQuoted(names, n)
	}
	return l.Options(" RETURN", Option{"CHILDREN", o.Children}, Option{"SUBSCRIBED", o.Subscription},
		Option{"SPECIAL-USE", o.Uses && special}, Option{"MYRIGHTS", o.MyRights && has(imap.CapListMyRights)},
		Option{"STATUS (" + status + ")", status != "" && has(imap.CapListStatus)},
		Option{"METADATA (" + string(names) + ")", len(names) > 0 && has(imap.CapListMetadata)})
}

// Pattern adds a space and a name with wildcards, which may be empty.
func (l *Line) Pattern(s string) *Line {
	if s == "" {
		return l.Text(` ""`)
	}
	return l.Mailbox(s)
}

// Each adds a space and a list in parentheses, of which add adds one each.
func Each[T any](l *Line, list []T, add func(T)) *Line {
	l.Text(" (")
	for i, v := range list {
		if i > 0 {
			l.Text(" ")
		}
		add(v)
	}
	return l.Text(")")
}

// Return adds the result options of SEARCH and SORT (RFC 4731 §3.1).
func (l *Line) Return(o *imap.SearchOptions) *Line {
	r := o.Return
	if r == 0 {
		r = imap.ReturnAll
	}
	on := func(bit imap.SearchReturn, name string) Option { return Option{name, r&bit != 0} }
	return l.Options(" RETURN", on(imap.ReturnMin, "MIN"), on(imap.ReturnMax, "MAX"), on(imap.ReturnCount, "COUNT"),
		on(imap.ReturnAll, "ALL"), on(imap.ReturnSave, "SAVE"), on(imap.ReturnContext, "CONTEXT"), on(imap.ReturnUpdate, "UPDATE"),
		on(imap.ReturnPartial, "PARTIAL "+o.Partial.String()))
}

// QResync adds the parameter of SELECT (RFC 7162 §3.2.5).
func (l *Line) QResync(q *imap.QResync) *Line {
	l.Text(" (QRESYNC (").Text(strconv.FormatUint(uint64(q.UIDValidity), 10)).Number(int64(q.ModSeq))
	if len(q.KnownUIDs) > 0 {
		known := q.KnownUIDs
		if _, tail := Cut(known); tail != nil { // all that matters is that none is left out
			known = imap.UIDSet{{First: known.Min(), Last: known.Max()}}
		}
		l.UIDs(known)
	}
	if q.SeqMatch != nil {
		l.Text(" (").Text(q.SeqMatch.Source.String()).SP(q.SeqMatch.Dest.String()).Text(")")
	}
	return l.Text("))")
}

// Keys are those of m in order, so that the same command is always the same.
func Keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
