package migrate

import (
	"context"
	"errors"
	"io"
)

// A line carries batches from the source to the target: while one is added and
// committed, the next is read. Batches are committed in their order, and what is
// noted of one is written when it is committed, as if there were no line.
//
// Two goroutines have a part in it. The one that merges reads bodies into chunks and
// has the Reader; the other one has the Writer and the open run of the ledger as long as
// a load is under way. Who needs those calls drain first.
type line struct {
	work func(context.Context, *load) error // adds and commits

	loads chan *load // nil = the goroutine does not run
	ended chan struct{}
	under []*load // handed over, in order, and not seen to be done

	free   chan []byte // chunks that nobody uses
	chunks int         // that were made
}

// What a line holds of bodies at most: 4 MiB.
const (
	chunkSize = 16 << 10
	maxChunks = 256
	maxUnder  = 2 // loads
)

// load is one batch on its way.
type load struct {
	items []item
	parts chan part // in order; closed behind the last one
	whole bool      // all of it was put; the one who puts sets it
	rest  error     // what ended the reading; set before parts is closed
	err   error     // what came of it; set before done is closed
	done  chan struct{}
}

// part is a piece of a body, or word that there is none.
type part struct {
	item int
	data []byte // of a chunk
	last bool
	err  error // why there is no more; ErrGone: it was listed and did not come
}

// errVoid: a load before this one failed, and nothing was done of this one.
var errVoid = errors.New("migrate: a batch before this one failed")

// start runs the goroutine that works.
func (l *line) start(ctx context.Context) {
	if l.loads != nil {
		return
	}
	if l.free == nil {
		l.free = make(chan []byte, maxChunks)
	}
	loads, ended := make(chan *load, maxUnder), make(chan struct{})
	l.loads, l.ended = loads, ended
	go func() {
		defer close(ended)
		failed := false
		for x := range loads {
			x.err = errVoid
			if !failed {
				x.err = l.work(ctx, x)
			}
			failed = failed || x.err != nil
			l.discard(x)
			close(x.done)
		}
	}()
}

// send hands a batch over, whose parts are put next. It waits until there is room.
// False: an earlier one failed.
func (l *line) send(ctx context.Context, items []item) (*load, bool) {
	for len(l.under) > 0 {
		first := l.under[0]
		if len(l.under) >= maxUnder {
			<-first.done
		} else if !first.isDone() {
			break
		}
		if first.err != nil {
			return nil, false
		}
		l.under = l.under[1:]
	}
	l.start(ctx)
	x := &load{items: items, parts: make(chan part, maxChunks), done: make(chan struct{})}
	l.under = append(l.under, x)
	l.loads <- x
	return x, true
}

func (x *load) isDone() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

// put hands a part over; false: nobody takes parts any more.
func (x *load) put(p part) bool {
	select {
	case x.parts <- p:
		return true
	case <-x.done:
		return false
	}
}

// end ends the parts.
func (x *load) end(rest error) {
	x.rest = rest
	close(x.parts)
}

// body reads a body into parts. False: nobody takes them any more.
func (l *line) body(x *load, item int, r io.Reader) bool {
	for {
		chunk := l.chunk(x)
		if chunk == nil {
			return false
		}
		n, err := fill(r, chunk)
		p := part{item: item, data: chunk[:n], last: err != nil}
		if err != nil && err != io.EOF {
			p.err = err
		}
		if !x.put(p) {
			l.release(chunk)
			return false
		}
		if p.last {
			return true
		}
	}
}

// fill reads until b is full or r ends. io.ReadFull does not tell a body that is
// at its end from one that was cut off.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = r.Read(b[n:])
		n += k
	}
	return n, err
}

// chunk is a chunk that nobody uses; nil: x is done.
func (l *line) chunk(x *load) []byte {
	select {
	case c := <-l.free:
		return c
	default:
	}
	if l.chunks < maxChunks {
		l.chunks++
		return make([]byte, chunkSize)
	}
	select {
	case c := <-l.free:
		return c
	case <-x.done:
		return nil
	}
}

func (l *line) release(chunk []byte) {
	if cap(chunk) > 0 {
		l.free <- chunk[:chunkSize]
	}
}

// discard takes what is left of the parts that were put already.
func (l *line) discard(x *load) {
	for {
		select {
		case p, ok := <-x.parts:
			if !ok {
				return
			}
			l.release(p.data)
		default:
			return
		}
	}
}

// drain waits until all that was handed over is done. The error is that of the
// first load that failed; undone are the items of it and of those behind it.
func (l *line) drain() (undone []item, err error) {
	if l.loads == nil {
		return nil, nil
	}
	close(l.loads)
	<-l.ended
	for _, x := range l.under {
		if x.err == nil {
			continue
		}
		if err == nil {
			err = x.err
		}
		undone = append(undone, x.items...)
		l.discard(x) // what was put meanwhile
	}
	l.loads, l.under = nil, nil
	return undone, err
}

// lineBody is one message as it comes out of a line.
type lineBody struct {
	l    *line
	x    *load
	part part
	off  int
}

// Read implements io.Reader.
func (b *lineBody) Read(p []byte) (int, error) {
	for b.off == len(b.part.data) {
		if b.part.last {
			if b.part.err != nil {
				return 0, b.part.err
			}
			return 0, io.EOF
		}
		b.next()
	}
	n := copy(p, b.part.data[b.off:])
	b.off += n
	return n, nil
}

func (b *lineBody) next() {
	b.l.release(b.part.data)
	b.part, b.off = part{last: true, err: io.ErrUnexpectedEOF}, 0
	if next, ok := <-b.x.parts; ok {
		b.part = next
	}
}

// skip goes to the end of the message.
func (b *lineBody) skip() {
	for !b.part.last {
		b.next()
	}
	b.l.release(b.part.data)
	b.part.data, b.off = nil, 0
}
