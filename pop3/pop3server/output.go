package pop3server

import "sync"

// bufferSize is what a connection borrows for answers under way.
const bufferSize = 64 << 10

// bufferPool lends buffers to connections that have something to say.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *[bufferSize]byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b
	}
	return new([bufferSize]byte)
}

func (p *bufferPool) put(b *[bufferSize]byte) { p.pool.Put(b) }

// output holds answers back until no further command is waiting (RFC 2449
// §6.6), or there are many. With nothing in it, it holds no buffer.
type output struct {
	pool  *bufferPool
	write func([]byte) error
	big   *[bufferSize]byte // borrowed; nil = buf is empty
	buf   []byte            // in big
	err   error             // of the first write that failed
}

// room returns buf with space for n more octets, n at most bufferSize. The
// caller appends to it and gives it back with set.
func (o *output) room(n int) []byte {
	if len(o.buf)+n > bufferSize {
		o.flush()
	}
	if o.big == nil {
		o.big = o.pool.get()
		o.buf = o.big[:0]
	}
	return o.buf
}

func (o *output) set(b []byte) { o.buf = b }

// flush writes what is held, and gives the buffer back.
func (o *output) flush() error {
	if len(o.buf) > 0 && o.err == nil {
		o.err = o.write(o.buf)
	}
	if o.big != nil {
		o.pool.put(o.big)
		o.big, o.buf = nil, nil
	}
	return o.err
}
