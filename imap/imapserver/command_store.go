package imapserver

import (
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// storeArgs are the arguments of STORE.
type storeArgs struct {
	set      imap.NumSet
	mode     store.FlagsMode
	silent   bool
	flags    store.Flags
	keywords []string
}

// store runs STORE and UID STORE (RFC 3501 §6.4.6).
func (s *session) store(cmd *command) error {
	args, err := s.readStore()
	if err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	uids, err := s.sel.resolve(cmd, args.set)
	if err != nil {
		return err
	}
	before, err := s.table()
	if err != nil {
		return err
	}
	for part := range batches(uids, bulk) {
		op := store.SetFlags{Mailbox: s.sel.ID, UIDs: part, Mode: args.mode, Flags: args.flags, Keywords: args.keywords}
		if _, err := s.apply(s.sel.account, op); err != nil {
			return err
		}
	}
	return s.tellStored(cmd, args, uids, before)
}

// tellStored sends the new flags. With .SILENT only those that are not what the
// client expects: another session changed them too (RFC 3501 §6.4.6).
func (s *session) tellStored(cmd *command, args storeArgs, uids store.UIDSet, before *view.Table) error {
	t, err := s.fresh()
	if err != nil {
		return err
	}
	if s.sel.newKeywords(t) {
		s.tellFlags(t)
	}
	missing := false
	for _, r := range uids {
		n := int64(r.Last-r.First) + 1
		for row := range t.Rows(r.First, r.Last) {
			n--
			if !args.silent || !args.expected(before, t, row) {
				s.tellRow(t, row, cmd.uid)
			}
		}
		missing = missing || n > 0
	}
	s.sel.echo = echo{uids, t}
	if missing && !cmd.uid {
		return no(imap.CodeExpungeIssued, "Some messages are gone")
	}
	return nil
}

// expected reports whether a row is what the flags before and STORE make of it.
func (a *storeArgs) expected(before, now *view.Table, r *view.Row) bool {
	old := before.Row(r.UID)
	if old == nil {
		return false
	}
	op := store.SetFlags{Mode: a.mode, Flags: a.flags, Keywords: a.keywords}
	want, _, err := op.On(store.Flagging{Flags: old.Flags(), Keywords: before.Keywords(old.KeywordSet())})
	if err != nil || want.Flags != r.Flags() {
		return false
	}
	have := now.Keywords(r.KeywordSet())
	if len(have) != len(want.Keywords) {
		return false
	}
	for i := range have {
		if !store.SameKeyword(have[i], want.Keywords[i]) {
			return false
		}
	}
	return true
}

// readStore takes
//
//	SP sequence-set SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / flag *(SP flag))
func (s *session) readStore() (a storeArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	set, err := imapwire.Take(s.dec, imapwire.ConsumeSeqSet)
	if err != nil {
		return a, err
	}
	a.set = imap.NumSet(set)
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	item, err := s.dec.Word()
	if err != nil {
		return a, err
	}
	item, a.silent = strings.CutSuffix(item, ".SILENT")
	switch item {
	case "FLAGS":
		a.mode = store.FlagsReplace
	case "+FLAGS":
		a.mode = store.FlagsAdd
	case "-FLAGS":
		a.mode = store.FlagsRemove
	default:
		return a, bad("Unknown item of STORE")
	}
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if a.flags, a.keywords, err = s.readFlags(); err != nil {
		return a, err
	}
	return a, s.dec.End()
}
