package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store"
)

// EntryState is the State in the entries of an account of a store: "fetched/",
// a hash of the source, "/", the kind and the ID. Account is required.
type EntryState struct{ Account store.Account }

// QueueState is the State in the entries beside a queue, where there is no store.
// Storage is required.
type QueueState struct{ Storage queue.Storage }

// queueKind is the Kind of the entries of a QueueState.
const queueKind = "fetched"

// row is the value of an entry.
type row struct {
	Source     string    `json:"s,omitempty"` // for who reads the table
	Print      string    `json:"p,omitempty"`
	Size       int64     `json:"n,omitempty"`
	Fetched    time.Time `json:"f,omitzero"`
	Done       []string  `json:"d,omitempty"`
	Missing    time.Time `json:"m,omitzero"`
	Generation string    `json:"g,omitempty"`
	Elsewhere  bool      `json:"e,omitempty"`
}

func encodeRecord(source string, r *Record) ([]byte, error) {
	v := row{source, "", r.Size, r.Fetched.UTC(), r.Done, r.Missing.UTC(), r.Generation, r.Elsewhere}
	if r.Print != (Print{}) {
		v.Print = hex.EncodeToString(r.Print[:])
	}
	return json.Marshal(v)
}

func decodeRecord(key string, value []byte) (Record, error) {
	var v row
	kind, err := strconv.ParseUint(key[:min(1, len(key))], 10, 8)
	if err == nil {
		err = json.Unmarshal(value, &v)
	}
	if err != nil {
		return Record{}, fmt.Errorf("fetch: a record of the state cannot be read: %q: %w", key, err)
	}
	r := Record{
		Key: Key{Kind(kind), key[1:]}, Size: v.Size, Fetched: v.Fetched, Done: v.Done, Missing: v.Missing,
		Generation: v.Generation, Elsewhere: v.Elsewhere,
	}
	if _, err := hex.Decode(r.Print[:], []byte(v.Print[:min(len(v.Print), 2*len(r.Print))])); err != nil {
		return Record{}, fmt.Errorf("fetch: a record of the state cannot be read: %q: %w", key, err)
	}
	return r, nil
}

// prefix is the beginning of the keys of a source.
func prefix(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:12]) + "/"
}

// keyOf is the rest of the key of a record.
func keyOf(k Key) string { return strconv.Itoa(int(k.Kind)) + k.ID }

const entryPrefix = "fetched/"

// Records implements State.
func (s *EntryState) Records(ctx context.Context, source string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		begin := entryPrefix + prefix(source)
		for e, err := range s.Account.Entries(ctx, store.EntryQuery{Prefix: begin}) {
			var r Record
			if err == nil {
				r, err = decodeRecord(e.Key[len(begin):], e.Value)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Put implements State.
func (s *EntryState) Put(ctx context.Context, source string, records ...Record) error {
	ops := make([]store.Op, len(records))
	for i := range records {
		value, err := encodeRecord(source, &records[i])
		if err != nil {
			return err
		}
		ops[i] = store.PutEntry{Key: entryPrefix + prefix(source) + keyOf(records[i].Key), Value: value}
	}
	return s.apply(ctx, ops)
}

// Remove implements State.
func (s *EntryState) Remove(ctx context.Context, source string, keys ...Key) error {
	ops := make([]store.Op, len(keys))
	for i, k := range keys {
		ops[i] = store.PutEntry{Key: entryPrefix + prefix(source) + keyOf(k)}
	}
	return s.apply(ctx, ops)
}

func (s *EntryState) apply(ctx context.Context, ops []store.Op) error {
	if len(ops) == 0 {
		return nil
	}
	_, err := s.Account.Apply(ctx, store.Change{Ops: ops})
	return err
}

// Records implements State.
func (s *QueueState) Records(ctx context.Context, source string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		begin := prefix(source)
		for e, err := range s.Storage.Entries(ctx, queue.EntryFilter{Kind: queueKind, Prefix: begin}) {
			var r Record
			if err == nil {
				r, err = decodeRecord(e.Key[len(begin):], e.Value)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Put implements State.
func (s *QueueState) Put(ctx context.Context, source string, records ...Record) error {
	entries := make([]queue.Entry, len(records))
	for i := range records {
		value, err := encodeRecord(source, &records[i])
		if err != nil {
			return err
		}
		entries[i] = queue.Entry{Kind: queueKind, Key: prefix(source) + keyOf(records[i].Key), Value: value}
	}
	return s.Storage.PutEntries(ctx, entries...)
}

// Remove implements State.
func (s *QueueState) Remove(ctx context.Context, source string, keys ...Key) error {
	entries := make([]queue.Entry, len(keys))
	for i, k := range keys {
		entries[i] = queue.Entry{Kind: queueKind, Key: prefix(source) + keyOf(k), Remove: true}
	}
	return s.Storage.PutEntries(ctx, entries...)
}
