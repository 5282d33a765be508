package delivertest

import (
	"context"
	"crypto/tls"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mailstead/mailstead/internal/netpipe"
	"github.com/mailstead/mailstead/smtp"
)

// Host takes mail for everybody, and does what its script says.
type Host struct {
	// Name is in its greeting.
	Name string

	net *Internet

	mu         sync.Mutex // guards what follows
	script     Script
	extensions []string    // nil = the usual ones
	tls        *tls.Config // nil = no STARTTLS
	dials      int
	open       int
	peak       int
	taken      []*Taken
}

// Taken is a message for which a Host took responsibility.
type Taken struct {
	Time        time.Time
	TLS         bool
	ReversePath smtp.ReversePath
	Params      smtp.MailParams
	Recipients  []smtp.Recipient // those accepted
	Data        []byte           // without dot-stuffing
	Told        bool             // the positive reply was sent
}

// Usual are the extensions of a Host.
func Usual() []string {
	return []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE", "ENHANCEDSTATUSCODES"}
}

// SetScript says what the host does from now on; nil takes everything.
func (h *Host) SetScript(s Script) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.script = s
}

// SetExtensions replaces the usual extensions. STARTTLS comes by SetTLS.
func (h *Host) SetExtensions(keywords ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.extensions = append([]string{}, keywords...)
}

// SetTLS offers STARTTLS with this config; nil = not any more. See
// Internet.Certificate.
func (h *Host) SetTLS(c *tls.Config) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tls = c
}

// Taken are copies of the messages so far, in order.
func (h *Host) Taken() []Taken {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Taken, len(h.taken))
	for i, t := range h.taken {
		out[i] = *t
		out[i].Recipients = slices.Clone(t.Recipients)
	}
	return out
}

// Dials is how many attempts to connect there were, refused ones included.
func (h *Host) Dials() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dials
}

// Peak is the greatest number of connections that were open at a time.
func (h *Host) Peak() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.peak
}

// ask is what the script says.
func (h *Host) ask(s Step) Answer {
	h.mu.Lock()
	script := h.script
	h.mu.Unlock()
	if script == nil {
		return Answer{}
	}
	return script(s)
}

// connect takes or refuses a connection.
func (h *Host) connect(ctx context.Context, c *netpipe.Conn) error {
	h.mu.Lock()
	number := h.dials
	h.dials++
	h.mu.Unlock()
	a := h.ask(Step{Stage: Connect, Conn: number})
	if err := sleep(ctx, a.Delay); err != nil {
		return err
	}
	switch {
	case a.Hang:
		<-ctx.Done()
		return ctx.Err()
	case a.Drop:
		return os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	h.mu.Lock()
	h.open++
	h.peak = max(h.peak, h.open)
	se := &session{h: h, raw: c, conn: number, tls: h.tls, extensions: h.extensions}
	h.mu.Unlock()
	if se.extensions == nil {
		se.extensions = Usual()
	}
	return h.net.serve(c, func() {
		se.use(c)
		se.run()
		h.mu.Lock()
		h.open--
		h.mu.Unlock()
	})
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
