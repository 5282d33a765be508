package maildir

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// The journal is a line that names the format and then records: length and
// CRC-32C of the payload, four octets each, and the payload, a delta in JSON.
// A record that is cut off or does not match ends it; what is behind was never
// acknowledged.
const (
	journalMagic = "mailstead maildir index 1\n"
	recordHead   = 8
	maxRecord    = 1 << 30
)

// delta is what one Change or scan changed; a snapshot is one delta, too.
type delta struct {
	Info    *store.AccountInfo `json:",omitempty"`
	ModSeq  store.ModSeq
	Arrived int64
	Boxes   []boxRec     `json:",omitempty"`
	Msgs    []msgRec     `json:",omitempty"`
	Entries []entryRec   `json:",omitempty"`
	Once    []onceRec    `json:",omitempty"`
	Holds   []holdRec    `json:",omitempty"`
	Purged  store.ModSeq `json:",omitempty"`
}

// holdRec is a hold, or the end of one.
type holdRec struct {
	Hold    store.Hold
	Box     []byte
	Dropped bool `json:",omitempty"`
}

type boxRec struct {
	ID  []byte
	Row store.Mailbox
	Dir string
}

type msgRec struct {
	Box      []byte
	Row      store.Message
	Ref      blob.Ref  `json:",omitempty"`
	Base     string    `json:",omitempty"`
	Letters  string    `json:",omitempty"`
	InNew    bool      `json:",omitempty"`
	LF       bool      `json:",omitempty"`
	Staged   bool      `json:",omitempty"`
	Prefix   []byte    `json:",omitempty"`
	GoneAt   time.Time `json:",omitzero"`
	Arrival  int64     `json:",omitempty"`
	Keys     []uint64  `json:",omitempty"`
	Subject  uint64    `json:",omitempty"`
	EmailID  []byte    `json:",omitempty"`
	ThreadID []byte    `json:",omitempty"`
}

type entryRec struct {
	Box   []byte
	Entry store.Entry
	Forgo bool `json:",omitempty"` // gone with its mailbox
}

// onceRec is a key with its result.
type onceRec struct {
	Key    string
	At     time.Time
	Result store.Result
}

func recOfHold(h store.Hold) holdRec { return holdRec{Hold: h, Box: h.Mailbox[:]} }

func recOfBox(b *box) boxRec { return boxRec{ID: b.ID[:], Row: b.Mailbox, Dir: b.dir} }

func recOfMessage(id store.MailboxID, m *message) msgRec {
	r := msgRec{
		Box: id[:], Row: m.Message, Ref: m.ref, Base: m.base, Letters: m.letters, InNew: m.inNew, LF: m.lf, Staged: m.staged, Prefix: m.prefix,
		GoneAt: m.goneAt, Arrival: m.arrival, Keys: m.keys, Subject: m.subject, EmailID: m.EmailID[:], ThreadID: m.ThreadID[:],
	}
	r.Row.Prefix, r.Row.Blob = nil, ""
	return r
}

func (r *msgRec) message() *message {
	m := &message{
		Message: r.Row, ref: r.Ref, base: r.Base, letters: r.Letters, inNew: r.InNew, lf: r.LF, staged: r.Staged, prefix: r.Prefix,
		goneAt: r.GoneAt, arrival: r.Arrival, keys: r.Keys, subject: r.Subject,
	}
	copy(m.EmailID[:], r.EmailID)
	copy(m.ThreadID[:], r.ThreadID)
	if !m.Gone {
		m.Message.Prefix, m.Message.Blob = r.Prefix, r.Ref
	}
	return m
}

// apply brings a state that nobody else sees forward by d.
func (st *state) apply(d *delta) {
	if d.Info != nil {
		st.Info = *d.Info
	}
	st.ModSeq, st.arrived, st.Purged = d.ModSeq, d.Arrived, max(st.Purged, d.Purged)
	for i := range d.Boxes {
		r := &d.Boxes[i]
		id := store.MailboxID(r.ID)
		b := st.boxes[id]
		if b == nil {
			b = &box{}
			st.boxes[id] = b
		}
		b.Mailbox, b.dir = r.Row, r.Dir
		b.ID = id
	}
	for i := range d.Msgs {
		r := &d.Msgs[i]
		if b := st.boxes[store.MailboxID(r.Box)]; b != nil {
			b.load(r.message()) // the row carries the counters
		}
	}
	for _, r := range d.Entries {
		e := r.Entry
		e.Mailbox = store.MailboxID(r.Box)
		if key := (entryKey{e.Mailbox, e.Key}); r.Forgo {
			delete(st.entries, key)
		} else {
			st.entries[key] = e
		}
	}
	for _, o := range d.Once {
		st.once[o.Key] = o
	}
	for _, r := range d.Holds {
		if r.Hold.Mailbox = store.MailboxID(r.Box); r.Dropped {
			delete(st.holds, r.Hold.Name)
		} else {
			st.holds[r.Hold.Name] = r.Hold
		}
	}
}

// load sets a message where nobody else sees the list.
func (b *box) load(m *message) {
	if i, there := b.find(m.UID); there {
		b.msgs[i] = m
	} else {
		b.msgs = slices.Insert(b.msgs, i, m)
	}
}

// snapshot is the whole state as one delta.
func (st *state) snapshot() *delta {
	d := &delta{Info: &st.Info, ModSeq: st.ModSeq, Arrived: st.arrived, Purged: st.Purged}
	for id, b := range st.boxes {
		d.Boxes = append(d.Boxes, recOfBox(b))
		for _, m := range b.msgs {
			d.Msgs = append(d.Msgs, recOfMessage(id, m))
		}
	}
	for k, e := range st.entries {
		d.Entries = append(d.Entries, entryRec{Box: k.box[:], Entry: e})
	}
	for _, o := range st.once {
		if time.Since(o.At) < onceFor {
			d.Once = append(d.Once, o)
		}
	}
	for _, h := range st.holds {
		d.Holds = append(d.Holds, recOfHold(h))
	}
	return d
}

// journal is the open index of one account.
type journal struct {
	fs   vfs.FS
	path string
	file vfs.File
	size int64
	base int64 // size after the last rewrite
}

func encodeRecord(d *delta) ([]byte, error) {
	payload, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	rec := make([]byte, recordHead, recordHead+len(payload))
	binary.BigEndian.PutUint32(rec, uint32(len(payload)))
	binary.BigEndian.PutUint32(rec[4:], crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
	return append(rec, payload...), nil
}

// openJournal reads the index at path. fs.ErrNotExist: there is none;
// store.ErrVersion: a newer one. A torn tail is cut off.
func openJournal(f vfs.FS, path string) (*journal, *state, error) {
	file, err := f.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{fs: f, path: path, file: file}
	st, err := j.replay()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	j.base = j.size
	return j, st, nil
}

func (j *journal) replay() (*state, error) {
	raw, err := io.ReadAll(j.file)
	if err != nil {
		return nil, err
	}
	if len(raw) < len(journalMagic) || string(raw[:len(journalMagic)]) != journalMagic {
		return nil, fmt.Errorf("%w: %s is no index of this version", store.ErrVersion, j.path)
	}
	st := newState(store.AccountInfo{})
	j.size = int64(len(journalMagic))
	for rest := raw[j.size:]; ; {
		payload, ok := nextRecord(rest)
		if !ok {
			break
		}
		d := new(delta)
		if err := json.Unmarshal(payload, d); err != nil {
			return nil, fmt.Errorf("%w: %s at %d: %w", store.ErrCorrupt, j.path, j.size, err)
		}
		st.apply(d)
		n := recordHead + len(payload)
		j.size, rest = j.size+int64(n), rest[n:]
	}
	if j.size == int64(len(raw)) {
		return st, nil
	}
	if err := j.file.Truncate(j.size); err != nil {
		return nil, err
	}
	return st, j.file.Sync()
}

func nextRecord(b []byte) (payload []byte, ok bool) {
	if len(b) < recordHead {
		return nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if n == 0 || n > maxRecord || len(b)-recordHead < int(n) { // octets that were not written yet are zero
		return nil, false
	}
	payload = b[recordHead : recordHead+int(n)]
	return payload, crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)) == binary.BigEndian.Uint32(b[4:])
}

// append makes one record durable. After an error the journal must not be
// appended to any more: what it holds is known only once it was opened again.
func (j *journal) append(rec []byte) error {
	if _, err := j.file.WriteAt(rec, j.size); err != nil {
		return err
	}
	j.size += int64(len(rec))
	return j.file.Sync()
}

// rewriteJournal replaces the journal by a snapshot of st, in one step. named,
// with an error: the name may stand for the new one.
func rewriteJournal(f vfs.FS, path string, st *state) (j *journal, named bool, err error) {
	rec, err := encodeRecord(st.snapshot())
	if err != nil {
		return nil, false, err
	}
	tmp := path + ".new"
	file, err := f.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, false, err
	}
	j = &journal{fs: f, path: path, file: file, size: int64(len(journalMagic))}
	if _, err = file.WriteAt([]byte(journalMagic), 0); err == nil {
		err = j.append(rec)
	}
	if err != nil {
		return nil, false, errors.Join(err, file.Close(), f.Remove(tmp))
	}
	err = f.Rename(tmp, path)
	if err == nil {
		err = f.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, true, errors.Join(err, file.Close())
	}
	j.base = j.size
	return j, true, nil
}

// long reports whether a rewrite pays.
func (j *journal) long() bool { return j.size > 1<<20 && j.size > 4*j.base }
