package inflate

import "sync"

// windowSize is how far a distance reaches back.
const windowSize = 32 << 10

// leastWindow is what a window begins with.
const leastWindow = 512

// window is the end of what was handed out. It grows as that does.
type window struct {
	buf  []byte
	next int // where buf, when it has windowSize octets, goes on
}

var windowPool = sync.Pool{New: func() any { return new([windowSize]byte) }}

// add puts p behind what is there.
func (w *window) add(p []byte) {
	switch {
	case len(p) >= windowSize:
		w.grow(windowSize)
		w.buf = append(w.buf[:0], p[len(p)-windowSize:]...)
		w.next = 0
	case len(w.buf) == windowSize:
		n := copy(w.buf[w.next:], p)
		copy(w.buf, p[n:])
		w.next = (w.next + len(p)) % windowSize
	default:
		w.grow(len(w.buf) + len(p))
		n := min(len(p), windowSize-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		w.next = copy(w.buf, p[n:]) % windowSize
	}
}

// grow makes room for n octets, or windowSize.
func (w *window) grow(n int) {
	if n <= cap(w.buf) || cap(w.buf) == windowSize {
		return
	}
	size := max(cap(w.buf), leastWindow)
	for size < n && size < windowSize {
		size *= 2
	}
	old := w.buf
	if size == windowSize {
		w.buf = windowPool.Get().(*[windowSize]byte)[:0]
	} else {
		w.buf = make([]byte, 0, size)
	}
	w.buf = append(w.buf, old...)
}

// copy fills p with what begins back octets before the end, which must be there.
func (w *window) copy(p []byte, back int) {
	from := len(w.buf) - back
	if len(w.buf) == windowSize {
		from = (w.next - back + windowSize) % windowSize
	}
	n := copy(p, w.buf[from:])
	copy(p[n:], w.buf)
}

// release gives the memory back.
func (w *window) release() {
	if cap(w.buf) == windowSize {
		windowPool.Put((*[windowSize]byte)(w.buf[:windowSize]))
	}
	*w = window{}
}
