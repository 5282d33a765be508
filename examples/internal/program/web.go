package program

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"
)

// Web is the HTTP face of a server: health, metrics and, on loopback only,
// profiles.
type Web struct {
	Ready  atomic.Bool // every listener accepts: /healthz says 200
	server *http.Server
	own    []variable
}

// variable is one of /debug/vars that belongs to this Web, and not to the
// process as those of expvar do.
type variable struct {
	name  string
	value func(context.Context) any
}

// NewWeb returns one that is not ready. loopback says who can reach it.
func NewWeb(loopback bool) *Web {
	w := &Web{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", w.healthz)
	mux.HandleFunc("GET /debug/vars", w.vars)
	if loopback {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	w.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return w
}

func (w *Web) healthz(rw http.ResponseWriter, _ *http.Request) {
	if !w.Ready.Load() {
		http.Error(rw, "starting or stopping", http.StatusServiceUnavailable)
		return
	}
	rw.Write([]byte("ok\n"))
}

// Publish adds a variable to /debug/vars: what value returns, as JSON. It is
// called before Serve.
func (w *Web) Publish(name string, value func(context.Context) any) {
	w.own = append(w.own, variable{name, value})
}

// vars writes the published variables as expvar.Handler does, without the
// command line: passwords may stand in it.
func (w *Web) vars(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	sep := "{\n"
	expvar.Do(func(kv expvar.KeyValue) {
		if kv.Key == "cmdline" {
			return
		}
		fmt.Fprintf(rw, "%s%q: %s", sep, kv.Key, kv.Value)
		sep = ",\n"
	})
	for _, v := range w.own {
		text, err := json.Marshal(v.value(r.Context()))
		if err != nil {
			text = []byte("null")
		}
		fmt.Fprintf(rw, "%s%q: %s", sep, v.name, text)
		sep = ",\n"
	}
	fmt.Fprint(rw, "\n}\n")
}

// Serve serves until Shutdown.
func (w *Web) Serve(l net.Listener) error { return w.server.Serve(l) }

// Shutdown is not ready any more, and waits for requests under way.
func (w *Web) Shutdown(ctx context.Context) error {
	w.Ready.Store(false)
	return w.server.Shutdown(ctx)
}
