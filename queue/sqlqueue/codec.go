package sqlqueue

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// recordVersion is the first octet of a record. A record is the fields of a
// queue.Job in a fixed order, then the CRC-32C of all octets before it. Numbers
// are varints, strings have their length in front, so any octets survive.
//
// Version 2 has the parameters that say when and how urgently a message is
// delivered behind the others. A job without them has version 1, so that nodes
// of the version before can read what they could have written. Version 3 has
// what befell the job behind that, version 4 its Kind.
const (
	recordVersion = 1
	recordTiming  = 2
	recordFate    = 3
	recordKind    = 4
)

var (
	errDamaged = errors.New("sqlqueue: record does not match its checksum")
	errVersion = errors.New("sqlqueue: record of a newer version")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode appends the record of a job to b.
func encode(b []byte, j *queue.Job) []byte {
	start, version := len(b), byte(recordVersion)
	switch {
	case j.Kind != "":
		version = recordKind
	case j.Crashes != 0 || j.Bounce != "":
		version = recordFate
	case hasTiming(&j.Params):
		version = recordTiming
	}
	e := encoder{append(b, version)}
	e.text(j.ID, j.Message, j.Destination, j.Once, j.ReversePath.Local, j.ReversePath.Domain)
	e.mailParams(&j.Params)
	e.num(int64(len(j.Recipients)))
	for i := range j.Recipients {
		e.recipient(&j.Recipients[i])
	}
	e.text(j.Identity, j.Peer.Addr, j.Peer.Hello, j.Peer.Protocol, string(j.Blob))
	e.num(j.Size)
	e.bytes(j.Key)
	e.bytes(j.Prefix)
	e.num(nanos(j.Created), nanos(j.Due), nanos(j.Expires), int64(j.Attempts), int64(j.Priority))
	e.text(j.Hold, j.Last)
	if version >= recordTiming {
		e.timing(&j.Params)
	}
	if version >= recordFate {
		e.num(int64(j.Crashes))
		e.text(j.Bounce)
	}
	if version >= recordKind {
		e.text(j.Kind)
	}
	return binary.LittleEndian.AppendUint32(e.b, crc32.Checksum(e.b[start:], castagnoli))
}

// decode reads a record; the job shares no memory with b.
func decode(b []byte) (*queue.Job, error) {
	if len(b) < 5 {
		return nil, errDamaged
	}
	end := len(b) - 4
	if binary.LittleEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return nil, errDamaged
	}
	if b[0] < recordVersion || b[0] > recordKind {
		return nil, errVersion
	}
	d := decoder{b: b[1:end]}
	j := &queue.Job{}
	d.text(&j.ID, &j.Message, &j.Destination, &j.Once, &j.ReversePath.Local, &j.ReversePath.Domain)
	d.mailParams(&j.Params)
	for n := d.count(); n > 0; n-- {
		j.Recipients = append(j.Recipients, d.recipient())
	}
	d.text(&j.Identity, &j.Peer.Addr, &j.Peer.Hello, &j.Peer.Protocol, (*string)(&j.Blob))
	j.Size = d.num()
	j.Key, j.Prefix = d.bytes(), d.bytes()
	j.Created, j.Due, j.Expires = instant(d.num()), instant(d.num()), instant(d.num())
	j.Attempts, j.Priority = int(d.num()), int(d.num())
	d.text(&j.Hold, &j.Last)
	if b[0] >= recordTiming {
		d.timing(&j.Params)
	}
	if b[0] >= recordFate {
		j.Crashes = int(d.num())
		d.text(&j.Bounce)
	}
	if b[0] >= recordKind {
		d.text(&j.Kind)
	}
	if d.failed || len(d.b) > 0 {
		return nil, errDamaged
	}
	return j, nil
}

// nanos is a time as the tables hold it: nanoseconds since 1970, the zero Time
// as the smallest number.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

type encoder struct{ b []byte }

func (e *encoder) num(ns ...int64) {
	for _, n := range ns {
		e.b = binary.AppendVarint(e.b, n)
	}
}

func (e *encoder) text(ss ...string) {
	for _, s := range ss {
		e.b = binary.AppendUvarint(e.b, uint64(len(s)))
		e.b = append(e.b, s...)
	}
}

func (e *encoder) bytes(b []byte) {
	e.b = binary.AppendUvarint(e.b, uint64(len(b)))
	e.b = append(e.b, b...)
}

func (e *encoder) flag(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) mailParams(p *smtp.MailParams) {
	e.num(p.Size, int64(p.Body), int64(p.Return))
	e.flag(p.UTF8)
	e.flag(p.RequireTLS)
	e.text(p.EnvelopeID, p.Auth)
	e.params(p.Unknown)
}

// hasTiming reports whether a job needs version 2.
func hasTiming(p *smtp.MailParams) bool {
	return !p.Priority.IsZero() || !p.DeliverBy.IsZero() || !p.FutureRelease.IsZero() || p.PRDR
}

func (e *encoder) timing(p *smtp.MailParams) {
	e.num(int64(p.Priority.Level))
	e.flag(p.Priority.Given)
	e.num(int64(p.DeliverBy.Seconds), int64(p.DeliverBy.Mode))
	e.flag(p.DeliverBy.Trace)
	until := p.FutureRelease.Until
	e.num(int64(p.FutureRelease.For))
	e.flag(!until.IsZero())
	e.num(until.Unix(), int64(until.Nanosecond())) // a year that nanos could not hold may be meant
	e.flag(p.PRDR)
}

func (e *encoder) params(ps []smtp.Param) {
	e.num(int64(len(ps)))
	for _, p := range ps {
		e.text(p.Keyword, p.Value)
		e.flag(p.HasEq)
	}
}

func (e *encoder) recipient(r *queue.Recipient) {
	e.text(r.ForwardPath.Local, r.ForwardPath.Domain)
	e.num(int64(r.Params.Notify))
	e.text(r.Params.Original.Type, r.Params.Original.Address)
	e.params(r.Params.Unknown)
	e.flag(r.Delayed)
}

// decoder consumes b; after a fault everything is zero and failed is set.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) num() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.failed, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

// count is the length of a list, each element of which has an octet at least.
func (d *decoder) count() int64 {
	n := d.num()
	if n < 0 || n > int64(len(d.b)) {
		d.failed, d.b = true, nil
		return 0
	}
	return n
}

// raw is the next string; it aliases b.
func (d *decoder) raw() []byte {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > uint64(len(d.b)-size) {
		d.failed, d.b = true, nil
		return nil
	}
	s := d.b[size : size+int(n)]
	d.b = d.b[size+int(n):]
	return s
}

func (d *decoder) text(ss ...*string) {
	for _, s := range ss {
		*s = string(d.raw())
	}
}

// bytes is nil where nothing was written.
func (d *decoder) bytes() []byte { return append([]byte(nil), d.raw()...) }

func (d *decoder) flag() bool {
	if len(d.b) == 0 {
		d.failed = true
		return false
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v != 0
}

func (d *decoder) mailParams(p *smtp.MailParams) {
	p.Size, p.Body, p.Return = d.num(), smtp.BodyType(d.num()), smtp.Return(d.num())
	p.UTF8, p.RequireTLS = d.flag(), d.flag()
	d.text(&p.EnvelopeID, &p.Auth)
	p.Unknown = d.params()
}

func (d *decoder) timing(p *smtp.MailParams) {
	p.Priority.Level, p.Priority.Given = int8(d.num()), d.flag()
	p.DeliverBy.Seconds, p.DeliverBy.Mode = int32(d.num()), smtp.ByMode(d.num())
	p.DeliverBy.Trace = d.flag()
	p.FutureRelease.For = int32(d.num())
	given, seconds, nanos := d.flag(), d.num(), d.num()
	if given {
		p.FutureRelease.Until = time.Unix(seconds, nanos).UTC()
	}
	p.PRDR = d.flag()
}

func (d *decoder) params() (ps []smtp.Param) {
	for n := d.count(); n > 0; n-- {
		var p smtp.Param
		d.text(&p.Keyword, &p.Value)
		p.HasEq = d.flag()
		ps = append(ps, p)
	}
	return ps
}

func (d *decoder) recipient() (r queue.Recipient) {
	d.text(&r.ForwardPath.Local, &r.ForwardPath.Domain)
	r.Params.Notify = smtp.Notify(d.num())
	d.text(&r.Params.Original.Type, &r.Params.Original.Address)
	r.Params.Unknown = d.params()
	r.Delayed = d.flag()
	return r
}

// columns of the job's row that are there for picking and filters, as the
// database holds them (see Storage.text).
type columns struct {
	id, message, dest string
	rank              int64 // Job.Rank
	next              int64 // when it falls due, in nanoseconds; never = held
	created           int64
	sender, identity  string // the sender folded, see queue.FoldPath
	blob              blob.Ref
	record            []byte
}

// holdSetAside is the Job.Hold of a job that could not be read before.
const holdSetAside = "set aside: its record could not be read before"

// never is the next of a job that is held.
const never = math.MaxInt64

func (s *Storage) columnsOf(j *queue.Job) columns {
	c := columns{
		id: s.text(j.ID), message: s.text(j.Message), dest: s.text(j.Destination), rank: j.Rank(),
		next: nanos(j.Due), created: nanos(j.Created),
		sender: s.text(queue.FoldPath(j.ReversePath.String())), identity: s.text(j.Identity), blob: j.Blob,
		record: encode(nil, j),
	}
	if j.Hold != "" {
		c.next = never
	}
	return c
}

// job is the row's job. A row whose record is damaged is a held job of what
// the columns say. One that was set aside, and can be read, is held until an
// operator releases it: it was repaired, or a node of the version before could
// not read it.
func (s *Storage) job(c *columns) (*queue.Job, error) {
	j, err := decode(c.record)
	if err == nil {
		if c.next == never && j.Hold == "" {
			j.Hold = holdSetAside
		}
		return j, nil
	}
	return &queue.Job{
		ID: s.octets(c.id), Message: s.octets(c.message), Destination: s.octets(c.dest), Priority: queue.PriorityOf(c.rank), Created: instant(c.created),
		Identity: s.octets(c.identity), Blob: c.blob, Hold: "damaged: " + err.Error(),
	}, err
}
