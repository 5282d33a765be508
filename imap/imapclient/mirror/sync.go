package mirror

import (
	"context"
	"errors"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
)

// maxKnownRanges bounds what a FETCH names; a picture with more ranges is named by its
// first and last UID.
const maxKnownRanges = 500

// allUIDs is the set of all.
var allUIDs = imap.UIDSet{{First: 1, Last: 1<<32 - 1}}

// syncer is one Sync.
type syncer struct {
	c    *imapclient.Client
	st   *State
	o    Options
	name string
	res  Result

	box     imap.SelectedMailbox // as it was opened
	pending []edit               // what SELECT told, until its UIDVALIDITY is known
	doubt   bool                 // what the server says does not fit together
}

func (s *syncer) run(ctx context.Context) error {
	s.res.Rung = s.choose(ctx)
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.identify(); err != nil {
		return err
	}
	if err := s.changes(ctx); err != nil {
		return err
	}
	if s.res.Rung != Difference {
		s.st.ModSeq = s.box.HighestModSeq // M1: all that is known is of this moment, or later
	} else {
		s.st.ModSeq = 0
	}
	if err := s.members(ctx); err != nil {
		return err
	}
	s.st.UIDNext = max(s.box.UIDNext, s.st.MaxUID()+1)
	s.st.compact(4096)
	return nil
}

// choose finds the rung that server and quirks allow.
func (s *syncer) choose(ctx context.Context) Rung {
	r := s.o.Highest
	if r == QResync && (s.o.Quirks.NoQResync || s.o.Quirks.NoCondStore || !s.enable(ctx, imap.CapQResync)) {
		r = CondStore
	}
	if r == CondStore && (s.o.Quirks.NoCondStore || !s.c.Has(imap.CapCondStore) && !s.c.Has(imap.CapQResync)) {
		r = Difference
	}
	return r
}

// enable switches a capability on, if it can be.
func (s *syncer) enable(ctx context.Context, capability imap.Capability) bool {
	if s.c.Enabled(capability) {
		return true
	}
	if !s.c.Has(capability) || s.c.State() != imapclient.Authenticated {
		return false
	}
	_, err := s.c.Enable(ctx, capability)
	return err == nil && s.c.Enabled(capability)
}

// open selects the mailbox. A server that refuses the parameter of a rung is
// asked without.
func (s *syncer) open(ctx context.Context) error {
	for {
		s.pending = nil
		o := imapclient.SelectOptions{ReadOnly: !s.o.ReadWrite, CondStore: s.res.Rung == CondStore}
		// Without known UIDs the server tells of new messages, too, so that the number
		// of messages is a check of all that it tells.
		if s.res.Rung == QResync && s.st.UIDValidity != 0 && s.st.ModSeq != 0 && !s.o.Full {
			o.QResync = &imap.QResync{UIDValidity: s.st.UIDValidity, ModSeq: s.st.ModSeq}
			o.Changed = s.note
		}
		box, err := s.c.Select(ctx, s.name, o)
		if err == nil {
			s.box = *box
			return nil
		}
		var refused *imapclient.Error
		if s.res.Rung == Difference || !errors.As(err, &refused) || refused.Response.Condition != imap.ConditionBad {
			return err
		}
		s.res.Rung++
	}
}

// note remembers what SELECT told of a message.
func (s *syncer) note(m *imapclient.Message) {
	if m.UID != 0 && m.Has(imap.FetchFlags) {
		s.pending = append(s.pending, edit{m.UID, s.st.sets.intern(flagsOf(m.Flags))})
	}
}

// identify compares what the mailbox says of itself with what is known: M3, and
// numbers that cannot have gone back.
func (s *syncer) identify() error {
	if s.box.NoModSeq || s.box.HighestModSeq == 0 {
		s.res.Rung = Difference
	}
	if s.box.UIDValidity != s.st.UIDValidity || s.box.UIDValidity == 0 && !s.o.Quirks.ZeroValidity {
		s.res.Reset = s.st.UIDValidity != 0 || s.st.Len() > 0
		s.pending = nil
		if s.res.Reset {
			if err := s.tell(Change{Kind: Reset, UIDValidity: s.box.UIDValidity}); err != nil {
				return err
			}
		}
		s.st.reset(s.box.UIDValidity)
		return nil
	}
	s.doubt = s.res.Rung != Difference && s.box.HighestModSeq < s.st.ModSeq || s.box.UIDNext != 0 && s.box.UIDNext < s.st.UIDNext
	return nil
}

// changes brings the flags of all known messages in step, and takes out those
// that are told to be gone.
func (s *syncer) changes(ctx context.Context) error {
	if s.st.Len() == 0 {
		return nil
	}
	since := s.st.ModSeq
	switch {
	case s.o.SkipFlags && s.res.Rung == Difference:
		return nil
	case s.o.Full || s.doubt || since == 0 || s.res.Rung == Difference:
		return s.fetch(ctx, allKnown(s.st), 0)
	case s.res.Rung == QResync:
		if err := s.gone(s.box.Vanished); err != nil {
			return err
		}
		return s.flush(s.pending)
	case s.box.HighestModSeq == since:
		return nil
	}
	return s.fetch(ctx, allUIDs, since)
}

// allKnown is a set of few ranges that covers the picture.
func allKnown(st *State) imap.UIDSet {
	uids := st.UIDs()
	if len(uids) > maxKnownRanges {
		return imap.UIDSet{{First: uids.Min(), Last: uids.Max()}}
	}
	return uids
}

// members finds the messages that the picture lacks, and those that it has and
// the mailbox has not. Messages behind the last known one are asked for first;
// then the number of messages tells whether all UIDs have to be compared.
func (s *syncer) members(ctx context.Context) error {
	lacks := int64(s.mailbox().Exists) - s.st.Len()
	if last := s.st.MaxUID(); 0 < last && last < 1<<32-1 && lacks > 0 && lacks <= int64(s.o.Batch) {
		if err := s.fetch(ctx, imap.UIDSet{{First: last + 1, Last: 1<<32 - 1}}, 0); err != nil {
			return err
		}
	}
	if s.st.Len() == int64(s.mailbox().Exists) && s.res.Rung != Difference && !s.o.Full && !s.doubt {
		return nil
	}
	s.res.Compared = true
	if s.mailbox().Exists == 0 {
		return s.gone(s.st.UIDs())
	}
	found, err := s.c.Search(ctx, imap.Criteria{}, imap.SearchOptions{Return: imap.ReturnAll})
	if err != nil {
		return err
	}
	if s.o.MaxMessages > 0 && found.UIDs.Len() > s.o.MaxMessages {
		return ErrTooLarge
	}
	have := s.st.UIDs()
	if err := s.gone(have.Minus(found.UIDs)); err != nil {
		return err
	}
	return s.fill(ctx, found.UIDs.Minus(have))
}

// mailbox is the one that is selected, as it is now.
func (s *syncer) mailbox() *imap.SelectedMailbox {
	if m := s.c.Mailbox(); m != nil {
		return m
	}
	return &s.box
}

// fill fetches messages that are missing, in batches that can be saved one by
// one.
func (s *syncer) fill(ctx context.Context, missing imap.UIDSet) error {
	for len(missing) > 0 {
		var batch imap.UIDSet
		left := int64(s.o.Batch)
		for len(missing) > 0 && left > 0 {
			r := missing[0]
			if n := int64(r.Last-r.First) + 1; n > left {
				r.Last = r.First + imap.UID(left-1)
				missing[0].First = r.Last + 1
			} else {
				missing = missing[1:]
			}
			left -= int64(r.Last-r.First) + 1
			batch.AddRange(r.First, r.Last)
		}
		if err := s.fetch(ctx, batch, 0); err != nil {
			return err
		}
		if err := s.checkpoint(); err != nil {
			return err
		}
	}
	return nil
}

// fetch asks for flags, and takes what comes into the picture.
func (s *syncer) fetch(ctx context.Context, uids imap.UIDSet, since imap.ModSeq) error {
	if len(uids) == 0 {
		return nil
	}
	var edits []edit
	var failed error
	for m, err := range s.c.Fetch(ctx, uids, imap.FetchOptions{Items: imap.FetchFlags, ChangedSince: since}) {
		if err != nil {
			return err
		}
		if m.UID == 0 || !m.Has(imap.FetchFlags) || !uids.Contains(m.UID) {
			s.res.Again = true // told of a change, unasked and without its UID
			continue
		}
		edits = append(edits, edit{m.UID, s.st.sets.intern(flagsOf(m.Flags))})
		if failed = s.bounds(); failed != nil {
			break
		}
		if len(edits) >= s.o.Batch {
			if failed = s.flush(edits); failed != nil {
				break
			}
			edits = edits[:0]
		}
	}
	if failed != nil {
		return failed
	}
	return s.flush(edits)
}

// bounds keeps M4.
func (s *syncer) bounds() error {
	if s.o.MaxMessages > 0 && s.st.Len() > s.o.MaxMessages || s.o.MaxFlagBytes > 0 && s.st.sets.bytes > s.o.MaxFlagBytes {
		return ErrTooLarge
	}
	return nil
}

// flush tells what edits change, and then takes them into the picture (M2): all
// that were told, also when an error ends it. The last one of several for a
// message counts.
func (s *syncer) flush(edits []edit) error {
	slices.SortStableFunc(edits, func(a, b edit) int { return int(int64(a.uid) - int64(b.uid)) })
	kept := edits[:0]
	for i, e := range edits {
		if i+1 < len(edits) && edits[i+1].uid == e.uid {
			continue
		}
		run, known := s.st.at(e.uid)
		if known && s.st.runs[run].flags == e.flags {
			continue
		}
		ch := Change{Kind: New, UIDValidity: s.st.UIDValidity, UID: e.uid, Flags: s.st.sets.list[e.flags]}
		if known {
			ch.Kind = FlagsChanged
		}
		if err := s.tell(ch); err != nil {
			s.st.put(kept)
			return err
		}
		kept = append(kept, e)
	}
	s.st.put(kept)
	return nil
}

// gone takes messages out of the picture, as far as it has them.
func (s *syncer) gone(uids imap.UIDSet) error {
	var told imap.UIDSet
	defer func() { s.st.remove(told) }()
	for uid := range s.st.UIDs().Intersect(uids).All() {
		if err := s.tell(Change{Kind: Gone, UIDValidity: s.st.UIDValidity, UID: uid}); err != nil {
			return err
		}
		told.Add(uid)
	}
	return nil
}

func (s *syncer) tell(ch Change) error {
	switch ch.Kind {
	case New:
		s.res.New++
	case FlagsChanged:
		s.res.Changed++
	case Gone:
		s.res.Gone++
	}
	if s.o.Changed == nil {
		return nil
	}
	return s.o.Changed(ch)
}

func (s *syncer) checkpoint() error {
	if s.o.Checkpoint == nil {
		return nil
	}
	return s.o.Checkpoint()
}
