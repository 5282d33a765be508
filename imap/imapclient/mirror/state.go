package mirror

import (
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// Flags are the flags of a message: system flags, and keywords in ascending
// order. They are not to be changed.
type Flags struct {
	System   imap.Flags
	Keywords []string
}

// Equal reports whether two sets are the same.
func (f Flags) Equal(g Flags) bool {
	return f.System == g.System && slices.Equal(f.Keywords, g.Keywords)
}

// flagsOf leaves \Recent out, which is another one for each session.
func flagsOf(f imap.FlagList) Flags {
	out := Flags{System: f.System}
	if len(f.Keywords) > 0 {
		out.Keywords = slices.Clone(f.Keywords)
		slices.Sort(out.Keywords)
		out.Keywords = slices.Compact(out.Keywords)
	}
	return out
}

// State is the picture of a mailbox: which messages it holds, and their flags.
// The zero value knows nothing. Messages with neighbouring UIDs and the same
// flags cost 12 octets together.
//
// Invariant M1: the flags of each message in it are those of a moment at which
// the mailbox had reached ModSeq, or later. Messages may be missing, never
// wrong.
//
// One goroutine at a time uses it.
type State struct {
	// UIDValidity is that of all UIDs; 0 = unknown.
	UIDValidity imap.UIDValidity

	// UIDNext is what the server said last; 0 = nothing.
	UIDNext imap.UID

	// ModSeq is up to which change flags are known; 0 = unknown: the mailbox has
	// no mod-sequences, or they are not used.
	ModSeq imap.ModSeq

	runs  []run
	count int64
	sets  flagTable
}

// run is messages with all UIDs from first to last.
type run struct {
	first, last imap.UID
	flags       uint32 // in State.sets
}

// edit is a message as it is now.
type edit struct {
	uid   imap.UID
	flags uint32
}

// flagTable keeps each set of flags once.
type flagTable struct {
	list  []Flags
	index map[string]uint32
	bytes int64
}

// key tells sets of flags apart.
func (f Flags) key() string { return string(rune(f.System)) + strings.Join(f.Keywords, " ") }

func (t *flagTable) intern(f Flags) uint32 {
	key := f.key()
	if i, ok := t.index[key]; ok {
		return i
	}
	if t.index == nil {
		t.index = make(map[string]uint32)
	}
	i := uint32(len(t.list))
	t.list = append(t.list, f)
	t.index[key] = i
	t.bytes += int64(len(key)) + 64
	return i
}

// Len is the number of messages.
func (s *State) Len() int64 { return s.count }

// UIDs are those of all messages.
func (s *State) UIDs() imap.UIDSet {
	var set imap.UIDSet
	for _, r := range s.runs {
		set.AddRange(r.first, r.last)
	}
	return set
}

// MaxUID is the greatest UID; 0 = no messages.
func (s *State) MaxUID() imap.UID {
	if len(s.runs) == 0 {
		return 0
	}
	return s.runs[len(s.runs)-1].last
}

// at finds the run that has uid; false: none has it, and it would stand at i.
func (s *State) at(uid imap.UID) (i int, ok bool) {
	i = sort.Search(len(s.runs), func(i int) bool { return s.runs[i].last >= uid })
	return i, i < len(s.runs) && s.runs[i].first <= uid
}

// Flags are the flags of a message; false: it is not there.
func (s *State) Flags(uid imap.UID) (Flags, bool) {
	i, ok := s.at(uid)
	if !ok {
		return Flags{}, false
	}
	return s.sets.list[s.runs[i].flags], true
}

// UIDAt is the UID of the message with a sequence number, as far as the picture
// is complete; 0 = there is none. It takes time by the number of runs.
func (s *State) UIDAt(seq uint32) imap.UID {
	left := int64(seq)
	for _, r := range s.runs {
		n := int64(r.last-r.first) + 1
		if left <= n && left > 0 {
			return r.first + imap.UID(left-1)
		}
		left -= n
	}
	return 0
}

// All yields all messages in ascending order of UID. The State must not be
// changed meanwhile.
func (s *State) All() iter.Seq2[imap.UID, Flags] {
	return func(yield func(imap.UID, Flags) bool) {
		for _, r := range s.runs {
			for uid := r.first; ; uid++ {
				if !yield(uid, s.sets.list[r.flags]) {
					return
				}
				if uid == r.last {
					break
				}
			}
		}
	}
}

// reset forgets everything.
func (s *State) reset(v imap.UIDValidity) { *s = State{UIDValidity: v} }

// remove takes messages out.
func (s *State) remove(gone imap.UIDSet) {
	if len(gone) > 0 {
		s.runs = subtract(s.runs, gone)
		s.recount()
	}
}

// put adds messages and replaces flags; edits ascend by UID, each once.
func (s *State) put(edits []edit) {
	if len(edits) == 0 {
		return
	}
	var touched imap.UIDSet
	added := make([]run, 0, len(edits))
	for _, e := range edits {
		touched.Add(e.uid)
		added = appendRun(added, run{e.uid, e.uid, e.flags})
	}
	s.runs = union(subtract(s.runs, touched), added)
	s.recount()
}

func (s *State) recount() {
	s.count = 0
	for _, r := range s.runs {
		s.count += int64(r.last-r.first) + 1
	}
}

// compact drops sets of flags that no message has, once there are many.
func (s *State) compact(over int) {
	if len(s.sets.list) <= over {
		return
	}
	var t flagTable
	for i, r := range s.runs {
		s.runs[i].flags = t.intern(s.sets.list[r.flags])
	}
	s.sets = t
}

// appendRun adds a run behind the others.
func appendRun(runs []run, r run) []run {
	if n := len(runs); n > 0 && runs[n-1].flags == r.flags && runs[n-1].last+1 == r.first {
		runs[n-1].last = r.last
		return runs
	}
	return append(runs, r)
}

// subtract returns runs without the UIDs of set.
func subtract(runs []run, set imap.UIDSet) []run {
	out := make([]run, 0, len(runs))
	i := 0
	for _, r := range runs {
		for i < len(set) && set[i].Last < r.first {
			i++
		}
		whole := true
		for j := i; j < len(set) && set[j].First <= r.last; j++ {
			if set[j].First > r.first {
				out = appendRun(out, run{r.first, set[j].First - 1, r.flags})
			}
			if set[j].Last >= r.last {
				whole = false
				break
			}
			r.first = set[j].Last + 1
		}
		if whole {
			out = appendRun(out, r)
		}
	}
	return out
}

// union merges runs that have no UID in common.
func union(a, b []run) []run {
	out := make([]run, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].first < b[0].first {
			out, a = appendRun(out, a[0]), a[1:]
		} else {
			out, b = appendRun(out, b[0]), b[1:]
		}
	}
	for _, r := range append(a[:len(a):len(a)], b...) {
		out = appendRun(out, r)
	}
	return out
}
