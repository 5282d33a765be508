package sqlqueue

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func someJob() *queue.Job {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	r := queue.Recipient{Delayed: true}
	r.ForwardPath.Path = smtp.Path{Local: "b\xffob \"x\"", Domain: "example.net"}
	r.Params = smtp.RcptParams{
		Notify: smtp.NotifyDelay, Original: smtp.OriginalRecipient{Type: "rfc822", Address: "x"},
		Unknown: []smtp.Param{{Keyword: "K", Value: "v", HasEq: true}},
	}
	return &queue.Job{
		ID: "id", Message: "m", Destination: "d", Once: "o", ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "a", Domain: "example.org"}},
		Params: smtp.MailParams{
			Size: -1, Body: smtp.BodyBinaryMIME, UTF8: true, Return: smtp.ReturnFull, EnvelopeID: "e", Auth: "<>", RequireTLS: true,
			Priority: smtp.Priority{Level: -9, Given: true}, DeliverBy: smtp.DeliverBy{Seconds: -1, Mode: smtp.ByNotify, Trace: true},
			FutureRelease: smtp.FutureRelease{For: 1, Until: time.Date(9999, 1, 2, 3, 4, 5, 6, time.UTC)}, PRDR: true,
			Unknown: []smtp.Param{{Keyword: "K", Value: "\x00", HasEq: true}, {Keyword: "K"}},
		},
		Recipients: []queue.Recipient{r, {}}, Identity: "i", Peer: queue.PeerInfo{Addr: "192.0.2.1", Hello: "h", Protocol: "ESMTP"},
		Blob: "ref", Size: 1 << 60, Key: []byte{0}, Prefix: []byte("X: 1\r\n"),
		Created: at, Due: at.Add(1), Expires: at.Add(time.Hour), Attempts: 3, Priority: -9, Hold: "h", Last: "l",
		Crashes: 1, Bounce: "b", Kind: "k",
	}
}

// TestRecordHoldsEveryField fails when queue.Job gets a field that records do
// not keep.
func TestRecordHoldsEveryField(t *testing.T) {
	j := someJob()
	full := *j
	full.Entries = []queue.Entry{{Kind: "k", Key: "k", Value: []byte{1}, Count: 1, Expires: j.Due, Remove: true}} // no part of the job
	nonZero(t, "Job", reflect.ValueOf(full))
	got, err := decode(encode(nil, &full))
	if err != nil || !reflect.DeepEqual(got, j) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, j)
	}
	empty := &queue.Job{ID: "x"}
	if got, err := decode(encode(nil, empty)); err != nil || !reflect.DeepEqual(got, empty) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A job that a node of the version before could have made is one that it can
// read.
func TestRecordVersion(t *testing.T) {
	j := someJob()
	if v := encode(nil, j)[0]; v != recordKind {
		t.Errorf("version %d", v)
	}
	j.Kind = ""
	if v := encode(nil, j)[0]; v != recordFate {
		t.Errorf("version %d", v)
	}
	j.Crashes, j.Bounce = 0, ""
	if v := encode(nil, j)[0]; v != recordTiming {
		t.Errorf("version %d", v)
	}
	p := &j.Params
	p.Priority, p.DeliverBy, p.FutureRelease, p.PRDR = smtp.Priority{}, smtp.DeliverBy{}, smtp.FutureRelease{}, false
	b := encode(nil, j)
	if got, err := decode(b); b[0] != recordVersion || err != nil || !reflect.DeepEqual(got, j) {
		t.Errorf("version %d: %+v, %v", b[0], got, err)
	}
}

// nonZero: each field of the example has a value, in depth; of a list, one of
// its elements has.
func nonZero(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch {
	case v.IsZero():
		t.Errorf("%s has no value in the example", name)
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			nonZero(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		nonZero(t, name, v.Index(0))
	}
}

func TestDamagedRecord(t *testing.T) {
	good := encode(nil, someJob())
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		if _, err := decode(bad); !errors.Is(err, errDamaged) {
			t.Errorf("octet %d changed: %v", i, err)
		}
		if _, err := decode(good[:i]); !errors.Is(err, errDamaged) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

func TestNewerRecord(t *testing.T) {
	if _, err := decode(seal([]byte{recordKind + 1, 1, 2, 3})); !errors.Is(err, errVersion) {
		t.Errorf("got %v, want errVersion", err)
	}
}

// FuzzDecode: whatever the octets under a right checksum are, decode returns,
// and what it accepts is kept.
func FuzzDecode(f *testing.F) {
	for _, j := range []*queue.Job{someJob(), {}} {
		b := encode(nil, j)
		f.Add(b[:len(b)-4])
	}
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := decode(seal(b))
		if err != nil {
			return
		}
		again, err := decode(encode(nil, j))
		if err != nil || !reflect.DeepEqual(again, j) {
			t.Errorf("got  %+v, %v\nwant %+v", again, err, j)
		}
	})
}

// seal puts the checksum behind a record's octets.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clip(b), crc32.Checksum(b, castagnoli))
}
