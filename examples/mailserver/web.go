package main

import (
	"context"
	"expvar"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"
)

// web is the HTTP face: health, metrics and, on loopback only, profiles.
type web struct {
	ready  atomic.Bool // every listener accepts
	server *http.Server
}

func newWeb(loopback bool) *web {
	w := &web{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", w.healthz)
	mux.Handle("GET /debug/vars", expvar.Handler())
	if loopback {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	w.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return w
}

func (w *web) healthz(rw http.ResponseWriter, _ *http.Request) {
	if !w.ready.Load() {
		http.Error(rw, "starting or stopping", http.StatusServiceUnavailable)
		return
	}
	rw.Write([]byte("ok\n"))
}

func (w *web) Serve(l net.Listener) error { return w.server.Serve(l) }

func (w *web) Shutdown(ctx context.Context) error {
	w.ready.Store(false)
	return w.server.Shutdown(ctx)
}
