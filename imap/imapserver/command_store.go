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
	since    *store.ModSeq // UNCHANGEDSINCE; nil = not given
	mode     store.FlagsMode
	silent   bool
	flags    store.Flags
	keywords []string

	ops []store.SetFlags // what is done of it; see within
}

// store runs STORE and UID STORE (RFC 3501 §6.4.6), with UNCHANGEDSINCE of RFC
// 7162 §3.1.3.
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
	uids = s.capped(cmd, uids)
	before, err := s.table()
	if err != nil {
		return err
	}
	if err := args.within(s.sel.rights, before.AllKeywords()); err != nil {
		return err
	}
	if args.since != nil {
		s.turnOn(condstore)
	}
	var modified store.UIDSet
	for part := range batches(uids, bulk) {
		lost, err := s.setFlags(&args, part)
		if err != nil {
			return err
		}
		modified.AddSet(lost)
	}
	missing, err := s.tellStored(cmd, args, uids, before)
	if err != nil {
		return err
	}
	code := s.modifiedCode(cmd, modified)
	if missing && !cmd.uid {
		if code == "" {
			code = string(imap.CodeExpungeIssued)
		}
		return no(imap.Code(code), "Some messages are gone")
	}
	if cmd.okCode = code; code != "" {
		cmd.okText = "Some messages were changed meanwhile"
	}
	return nil
}

// modifiedCode is the code that names what lost UNCHANGEDSINCE; "" = nothing did.
func (s *session) modifiedCode(cmd *command, modified store.UIDSet) string {
	if len(modified) == 0 {
		return ""
	}
	if !cmd.uid {
		modified = s.sel.told.Seqs(modified)
	}
	return string(imap.CodeModified) + " " + modified.String()
}

// tellStored sends the new flags. With .SILENT only those that are not what the
// client expects: another session changed them too (RFC 3501 §6.4.6). A client
// with CONDSTORE is sent the new mod-sequences all the same (RFC 7162 §3.1.3).
// missing: some of the messages are gone.
func (s *session) tellStored(cmd *command, args storeArgs, uids store.UIDSet, before *view.Table) (missing bool, err error) {
	t, err := s.fresh()
	if err != nil {
		return false, err
	}
	if s.sel.newKeywords(t) {
		s.tellFlags(t)
	}
	items := imap.FetchFlags
	if cmd.uid {
		items |= imap.FetchUID
	}
	for _, r := range uids {
		n := int64(r.Last-r.First) + 1
		for row := range t.Rows(r.First, r.Last) {
			n--
			switch {
			case !args.silent || !args.expected(before, t, row):
				s.tellRow(t, row, items)
			case args.since != nil || s.has(condstore) && before.Row(row.UID).ModSeq != row.ModSeq:
				s.tellRow(t, row, items&^imap.FetchFlags)
			}
		}
		missing = missing || n > 0
	}
	s.sel.echo = echo{uids, t}
	return missing, nil
}

// expected reports whether a row is what the flags before and STORE make of it.
func (a *storeArgs) expected(before, now *view.Table, r *view.Row) bool {
	old := before.Row(r.UID)
	if old == nil {
		return false
	}
	want := store.Flagging{Flags: old.Flags(), Keywords: before.Keywords(old.KeywordSet())}
	for _, op := range a.ops {
		var err error
		if want, _, err = op.On(want); err != nil {
			return false
		}
	}
	if want.Flags != r.Flags() {
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
//	SP sequence-set [SP store-modifiers] SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / flag *(SP flag))
func (s *session) readStore() (a storeArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if a.set, err = s.readSet(); err != nil {
		return a, err
	}
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if s.dec.Peek() == '(' {
		if err = s.readUnchangedSince(&a); err != nil {
			return a, err
		}
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

// readUnchangedSince takes "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP
// (RFC 4466 §2.5, RFC 7162 §7).
func (s *session) readUnchangedSince(a *storeArgs) error {
	err := s.dec.List(func() error {
		if word, err := s.dec.Word(); err != nil || word != "UNCHANGEDSINCE" || a.since != nil {
			return orBad(err, "Unknown modifier of STORE")
		}
		if err := s.dec.SP(); err != nil {
			return err
		}
		v, err := imapwire.Take(s.dec, imapwire.ConsumeNumber64)
		since := store.ModSeq(v)
		a.since = &since
		return err
	})
	if err != nil {
		return err
	}
	return s.dec.SP()
}
