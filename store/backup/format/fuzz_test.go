package format

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

func seedRows() [][]byte {
	at := time.Unix(1e9, 0).In(time.FixedZone("", -3600))
	m := &store.Message{
		UID: 7, ModSeq: 9, Flags: store.Seen, Keywords: []string{"$a", "$b"}, Size: 20, Received: at, Saved: at.UTC(),
		EmailID: store.EmailID{1}, ThreadID: store.ThreadID{2}, Blob: "ref", Prefix: []byte("p: 1\r\n"), Key: []byte("k"), Meta: []byte("m"),
	}
	box := &store.Mailbox{ID: store.MailboxID{3}, Name: "a/b", UIDValidity: 1, UIDNext: 9, ModSeq: 4, HighestModSeq: 9, Messages: 1, Bytes: 20, Role: `\Sent`}
	e := &store.Entry{Key: "k", Value: []byte("v"), ModSeq: 3, Expires: at}
	return [][]byte{
		AppendMailbox(nil, box), AppendMessage(nil, m), AppendState(nil, RowState, m), AppendState(nil, RowGone, m),
		AppendEntry(nil, e), AppendBody(nil, 7, Hash{1}, 14), AppendNoBody(nil, 7),
	}
}

// FuzzRow: whatever a row holds, reading it ends, and what was read is written
// the same way again.
func FuzzRow(f *testing.F) {
	for _, row := range seedRows() {
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := &input{b: b}
		kind := in.octet()
		var again []byte
		switch kind {
		case RowMailbox:
			m := in.mailbox()
			again = AppendMailbox(nil, &m)
		case RowEntry:
			e := in.entry()
			again = AppendEntry(nil, &e)
		default:
			if !isUIDRow(kind) {
				return
			}
			var m Message
			in.uidRow(kind, &m)
			switch kind {
			case RowMessage:
				again = AppendMessage(nil, &m.Message)
			case RowState, RowGone:
				again = AppendState(nil, kind, &m.Message)
			case RowBody:
				again = AppendBody(nil, m.UID, m.Body, m.Size)
			case RowNoBody:
				again = AppendNoBody(nil, m.UID)
			}
		}
		if in.err != nil {
			return
		}
		second := &input{b: again}
		second.octet()
		if kind == RowMessage {
			var m Message
			second.uidRow(kind, &m)
			var first Message
			in = &input{b: b[1:]}
			in.uidRow(kind, &first)
			if second.err != nil || !reflect.DeepEqual(first.EmailID, m.EmailID) || !bytes.Equal(first.Prefix, m.Prefix) ||
				!first.Received.Equal(m.Received) || m.Key != nil || m.Meta != nil {
				t.Errorf("%+v became %+v", first, m)
			}
		}
	})
}

// FuzzLogIndex: an index that is read names only what is in the file, and
// takes memory in proportion to its own octets.
func FuzzLogIndex(f *testing.F) {
	meta, err := json.Marshal(&LogMeta{Account: "alice", ModSeq: 5, Chain: 1})
	if err != nil {
		f.Fatal(err)
	}
	blocks := []blockInfo{{stream: StreamMessages, stored: 100, raw: 200, rows: 3}, {stream: StreamEntries, stored: 50, raw: 60, rows: 1}}
	f.Add(appendIndex(appendString(nil, meta), 1, blocks, []Section{{Mailbox: store.MailboxID{1}, Rows: 3}}))
	f.Add(appendIndex(appendString(nil, meta), math.MaxInt32, nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &LogReader{Source: &Source{name: "x", frames: headerSize + 150}}
		if r.parse(b) != nil {
			return
		}
		for part := range r.Parts {
			for _, x := range r.Ordered(part) {
				if r.blocks[x.Block].part != part || int64(x.Offset) >= r.blocks[x.Block].raw {
					t.Errorf("section %+v in block %+v", x, r.blocks[x.Block])
				}
			}
		}
		for _, x := range r.blocks {
			if x.off+x.stored > r.frames || x.raw > MaxBlock {
				t.Errorf("block %+v", x)
			}
		}
	})
}

// FuzzPackIndex: an index that is read is in order and names only what is in
// the file.
func FuzzPackIndex(f *testing.F) {
	one := PackEntry{Hash: Hash{1}, Offset: headerSize, Stored: 10, Size: 20}
	two := PackEntry{Hash: Hash{2}, Offset: headerSize + 10, Stored: 10, Size: 20}
	f.Add(two.append(one.append(nil)))
	f.Add(one.append(two.append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Source{name: "x", index: b, raw: int64(len(b)), frames: 1000}
		p := &Bodies{}
		if p.parse(s) != nil {
			return
		}
		for i := range p.Packs[0].Entries {
			if e := parsePackEntry(b[i*packEntrySize:]); e.Offset+e.Stored > 1000 || e.Size < 0 || e.Offset < headerSize {
				t.Errorf("%+v", e)
			}
		}
	})
}

// FuzzManifest: a manifest that is accepted has sane names, in order.
func FuzzManifest(f *testing.F) {
	const id = "00000001-20260101t000000z"
	sum := Hash{}.String()
	log := Log{Rows: Object{Name: "logs/x/1.rows", SHA256: sum}}
	seed, err := json.Marshal(&Manifest{ID: id, Accounts: []Entry{{Account: "a", Log: log}}, Packs: []Object{{Name: "packs/x/1.pack", SHA256: sum}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(bytes.Replace(seed, []byte("logs/x"), []byte("logs/.."), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Manifest
		if json.Unmarshal(b, &m) != nil || m.Check(ManifestName(id)) != nil {
			return
		}
		for i := range m.Accounts {
			e := &m.Accounts[i]
			if CheckName(e.Log.Rows.Name) != nil || m.Entry(e.Account, e.Mailbox) != e {
				t.Errorf("%+v", e)
			}
			for n := range e.Holds {
				if h, ok := e.Holds[n].Stored(); ok && h.Check() != nil {
					t.Errorf("%+v", h)
				}
			}
		}
	})
}

// FuzzUnpack: a frame never becomes more than was announced.
func FuzzUnpack(f *testing.F) {
	c, err := NewCodec()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.enc.EncodeAll(make([]byte, 1<<20), nil), int64(100))
	f.Add(c.enc.EncodeAll([]byte("hello"), nil), int64(5))
	f.Add(c.enc.EncodeAll(nil, nil), int64(0))
	f.Fuzz(func(t *testing.T, frame []byte, size int64) {
		if size < 0 || size > MaxBlock {
			return
		}
		out, err := c.unpack(nil, frame, size)
		if err == nil && int64(len(out)) != size || int64(cap(out)) > size {
			t.Errorf("%d octets (capacity %d), want %d, %v", len(out), cap(out), size, err)
		}
	})
}

// FuzzCheckName: a name that passes stays below the archive.
func FuzzCheckName(f *testing.F) {
	for _, name := range []string{"logs/a/1.rows", "../x", "/etc/passwd", "a//b", "a/./b", "a\\b", "a/.b", "C:", "a\x00"} {
		f.Add(name)
	}
	d := NewDir("/archive")
	f.Fuzz(func(t *testing.T, name string) {
		file, err := d.file(name)
		if err == nil && (len(file) != len("/archive/")+len(name) || file[:9] != "/archive/" || bytes.Contains([]byte(name), []byte(".."+"/"))) {
			t.Errorf("%q is %q", name, file)
		}
	})
}
