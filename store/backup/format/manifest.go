package format

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

// formatName is in the first line of every manifest.
const formatName = "mailstead-backup"

// Manifest is what one backup holds. It is written last: a backup without one
// is not there.
type Manifest struct {
	ID       string    `json:"id"` // sorts by age
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Accounts []Entry   `json:"accounts"` // in order of (Account, Mailbox)
	Packs    []Object  `json:"packs"`    // all that bodies of this backup may lie in
}

// Entry is an account in a backup, as it was at one ModSeq.
type Entry struct {
	Account  store.AccountID    `json:"account"`
	Mailbox  string             `json:"mailbox,omitempty"` // id of the one that was taken; "" = all
	State    store.AccountState `json:"state"`
	Limits   store.Limits       `json:"limits"`
	Created  time.Time          `json:"created"`
	Holds    []Hold             `json:"holds,omitempty"`
	ModSeq   store.ModSeq       `json:"modseq"`
	Taken    time.Time          `json:"taken"`
	Messages int64              `json:"messages"`
	Bytes    int64              `json:"bytes"`

	// Missing is how many bodies could not be read when they were taken.
	Missing int64 `json:"missing,omitempty"`

	// Inbox and its UIDVALIDITY tell an account from a later one of that id.
	Inbox         string            `json:"inbox"`
	InboxValidity store.UIDValidity `json:"inboxValidity"`

	Log Log `json:"log"`
}

// Hold is a store.Hold.
type Hold struct {
	Name    string        `json:"name"`
	Reason  string        `json:"reason,omitempty"`
	Mailbox string        `json:"mailbox,omitempty"`
	UIDs    [][2]uint32   `json:"uids,omitempty"`
	Until   time.Time     `json:"until,omitzero"`
	Keep    time.Duration `json:"keep,omitempty"` // nanoseconds
}

// Log is what was written about an account at one time: rows, and the hashes
// of the bodies that these rows are the first to name.
type Log struct {
	Rows   Object  `json:"rows"`
	Bodies *Object `json:"bodies,omitempty"`
}

// LogMeta stands in the index of the rows of a Log.
type LogMeta struct {
	Account store.AccountID `json:"account"`
	Mailbox string          `json:"mailbox,omitempty"`
	Since   store.ModSeq    `json:"since"` // 0 = full
	ModSeq  store.ModSeq    `json:"modseq"`
	Taken   time.Time       `json:"taken"`
	Chain   int             `json:"chain"`            // logs from the full one to this
	Parent  *Log            `json:"parent,omitempty"` // ModSeq of which is Since
}

// head is the first line of a manifest. Later versions keep it.
type head struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"` // of the rest
}

// encodeHeaded writes a value behind a head.
func encodeHeaded(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	line, err := json.Marshal(head{formatName, Version, fmt.Sprintf("%x", sha256.Sum256(body))})
	if err != nil {
		return nil, err
	}
	return append(append(line, '\n'), body...), nil
}

// decodeHeaded reads what encodeHeaded wrote.
func decodeHeaded(name string, b []byte, v any) error {
	line, body, ok := bytes.Cut(b, []byte("\n"))
	var h head
	if !ok || len(line) > 1000 || json.Unmarshal(line, &h) != nil || h.Format != formatName || h.Version < 1 {
		return Damage(name, "it does not begin as it must")
	}
	if h.Version > Version {
		return &Problem{Object: name, Err: fmt.Errorf("%w: format %d, this is %d", store.ErrVersion, h.Version, Version)}
	}
	if fmt.Sprintf("%x", sha256.Sum256(body)) != h.SHA256 {
		return Damage(name, "it has another checksum")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return Damage(name, "%v", err)
	}
	return nil
}

// WriteHeaded stores a value.
func WriteHeaded(ctx context.Context, t Target, name string, v any) error {
	b, err := encodeHeaded(v)
	if err != nil {
		return err
	}
	w, err := t.Create(ctx, name)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Commit(ctx)
}

// ReadHeaded reads a value of at most limit octets.
func ReadHeaded(ctx context.Context, t Target, name string, limit int64, v any) error {
	r, err := t.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return Damage(name, "it is missing")
	}
	if err != nil {
		return &Problem{Object: name, Err: err}
	}
	defer r.Close()
	if r.Size() > limit {
		return &Problem{Object: name, Err: fmt.Errorf("%w: %d octets", ErrLimit, r.Size())}
	}
	b := make([]byte, r.Size())
	if n, err := r.ReadAt(b, 0); n < len(b) {
		if err == nil || err == io.EOF {
			return Damage(name, "it ends early")
		}
		return &Problem{Object: name, Err: err}
	}
	return decodeHeaded(name, b, v)
}

// ReadManifest reads the manifest of a backup and checks it. ErrDamaged,
// ErrLimit, store.ErrVersion.
func ReadManifest(ctx context.Context, t Target, id string, l Limits) (*Manifest, error) {
	m := &Manifest{}
	name := ManifestName(id)
	if err := ReadHeaded(ctx, t, name, l.WithDefaults().Manifest, m); err != nil {
		return nil, err
	}
	return m, m.Check(name)
}

// Check finds what no manifest of this name may say.
func (m *Manifest) Check(name string) error {
	if m.ID != IDOf(name) {
		return Damage(name, "it says that it is %q", m.ID)
	}
	for i := range m.Packs {
		if !m.Packs[i].check("packs/") {
			return Damage(name, "it names a pack that can be none")
		}
	}
	for i := range m.Accounts {
		e := &m.Accounts[i]
		if e.Account.Check() != nil || !e.Log.check() || e.State > store.AccountClosed || !isMailboxID(e.Mailbox) {
			return Damage(name, "its entry %d makes no sense", i)
		}
		if i > 0 && m.Accounts[i-1].Compare(e) >= 0 {
			return Damage(name, "its entries are in disorder")
		}
	}
	return nil
}

// Compare orders entries by account, then by mailbox.
func (e *Entry) Compare(f *Entry) int {
	if c := strings.Compare(string(e.Account), string(f.Account)); c != 0 {
		return c
	}
	return strings.Compare(e.Mailbox, f.Mailbox)
}

func (l *Log) check() bool {
	return l.Rows.check("logs/") && (l.Bodies == nil || l.Bodies.check("logs/"))
}

func (o *Object) check(prefix string) bool {
	sum, err := hex.DecodeString(o.SHA256)
	return strings.HasPrefix(o.Name, prefix) && CheckName(o.Name) == nil && o.Size >= 0 && err == nil && len(sum) == sha256.Size
}

// isMailboxID reports whether s is "" or an id as MailboxID.String writes it.
func isMailboxID(s string) bool {
	_, ok := ParseMailboxID(s)
	return ok
}

// ParseMailboxID reads an id as a manifest has it; "" is the zero one.
func ParseMailboxID(s string) (id store.MailboxID, ok bool) {
	if s == "" {
		return id, true
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	copy(id[:], b)
	return id, id.String() == s && !id.IsZero()
}

// Entry is the entry of an account; of one mailbox, where id is not "". nil:
// there is none.
func (m *Manifest) Entry(account store.AccountID, mailbox string) *Entry {
	i, ok := slices.BinarySearchFunc(m.Accounts, &Entry{Account: account, Mailbox: mailbox}, func(e Entry, want *Entry) int {
		return e.Compare(want)
	})
	if !ok {
		return nil
	}
	return &m.Accounts[i]
}

// Stored is the hold as the store knows it.
func (h *Hold) Stored() (store.Hold, bool) {
	id, ok := ParseMailboxID(h.Mailbox)
	x := store.Hold{Name: h.Name, Reason: h.Reason, Mailbox: id, Until: h.Until, Keep: h.Keep}
	for _, r := range h.UIDs {
		x.UIDs.AddRange(store.UID(r[0]), store.UID(r[1]))
	}
	return x, ok && x.Check() == nil
}
