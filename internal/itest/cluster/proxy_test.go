package cluster

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/mailstead/mailstead/store/s3"
)

// fault answers a request in the place of the server.
type fault func(w http.ResponseWriter, r *http.Request, server http.Handler)

// proxy stands before an S3 server in memory, and is faulty.
type proxy struct {
	server http.Handler
	host   string

	mu     sync.Mutex
	faults map[string][]fault // for the next requests of a method
	random func(r *http.Request) fault
	seen   map[int]int // statuses that the server answered
	asked  int
}

// faulty starts a proxy with a bucket behind it, and says how to reach it.
func faulty(t testing.TB, options ...gofakes3.Option) (*proxy, s3.Config) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("mail"); err != nil {
		t.Fatal(err)
	}
	p := &proxy{
		server: gofakes3.New(backend, options...).Server(),
		faults: map[string][]fault{}, seen: map[int]int{},
	}
	h := httptest.NewServer(p)
	t.Cleanup(h.Close)
	return p, s3.Config{
		Endpoint: h.Listener.Addr().String(), Bucket: "mail", Plain: true,
		AccessKey: "key", SecretKey: "hunter2", Timeout: 300 * time.Millisecond,
	}
}

func openFaulty(t testing.TB, options ...gofakes3.Option) (*proxy, *s3.Store) {
	t.Helper()
	p, c := faulty(t, options...)
	s, err := s3.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// next sets the faults of the next requests of a method.
func (p *proxy) next(method string, faults ...fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[method] = faults
	clear(p.seen)
	p.asked = 0
}

// sometimes has each request meet what random says; nil = no fault.
func (p *proxy) sometimes(random func(*http.Request) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.random = random
}

func (p *proxy) requests() (n int, statuses map[int]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, maps.Clone(p.seen)
}

func (p *proxy) take(r *http.Request) (f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if list := p.faults[r.Method]; len(list) > 0 {
		f, p.faults[r.Method] = list[0], list[1:]
	} else if p.random != nil {
		f = p.random(r)
	}
	return f
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p.take(r)
	if f == nil {
		f = pass
	}
	f(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		p.server.ServeHTTP(rec, r)
		p.mu.Lock()
		p.seen[rec.Code]++
		p.mu.Unlock()
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		rec.Body.WriteTo(w)
	}))
}

func pass(w http.ResponseWriter, r *http.Request, server http.Handler) { server.ServeHTTP(w, r) }

// refuse answers with an error of S3.
func refuse(status int, code string) fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			io.WriteString(w, `<?xml version="1.0"?><Error><Code>`+code+`</Code><Message>hunter3</Message></Error>`)
		}
	}
}

// cut closes the connection after a part of the request.
func cut(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.CopyN(io.Discard, r.Body, 1000)
	panic(http.ErrAbortHandler)
}

// lose does what is asked, and loses the answer.
func lose(_ http.ResponseWriter, r *http.Request, server http.Handler) {
	server.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// late does what is asked, and answers when nobody listens any more.
func late(_ http.ResponseWriter, r *http.Request, server http.Handler) {
	server.ServeHTTP(httptest.NewRecorder(), r)
	hang(nil, r, nil)
}

// hang never answers. The end of the connection is noticed behind the body.
func hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// truncate ends the body half way.
func truncate(w http.ResponseWriter, r *http.Request, server http.Handler) {
	rec := httptest.NewRecorder()
	server.ServeHTTP(rec, r)
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// corrupt changes an octet of the body.
func corrupt(w http.ResponseWriter, r *http.Request, server http.Handler) {
	rec := httptest.NewRecorder()
	server.ServeHTTP(rec, r)
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	b := bytes.Clone(rec.Body.Bytes())
	if len(b) > 0 {
		b[len(b)/2] ^= 0x10
	}
	w.Write(b)
}

// soon ends a test that hangs.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
