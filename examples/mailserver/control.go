package main

import (
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/queuecontrol"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
)

// controls is what mailctl can ask of the server that owns the data directory,
// see docs/guide/control.md.
type controls struct {
	s       *server
	users   users
	queue   *queuecontrol.Queue
	started time.Time
	server  *control.Server
	upkeep  sync.Mutex // held by the one long request that runs

	migrations chan struct{} // one for each that runs
}

func newControls(s *server, users users) *controls {
	c := &controls{
		s: s, users: users, started: time.Now(), migrations: make(chan struct{}, maxMigrations),
		queue: &queuecontrol.Queue{Storage: s.engine.queue, Runner: s.runner, Logger: s.log, OneWay: s.o.relay != ""},
	}
	mux := http.NewServeMux()
	short := func(pattern string, f func(*http.Request) (any, error)) {
		mux.Handle(pattern, control.Handle(func(r *http.Request) (any, error) {
			v, err := f(r)
			return v, controlError(err)
		}))
	}
	long := func(pattern string, f func(*http.Request, *control.Lines) (any, error)) {
		mux.Handle(pattern, control.Stream(c.alone(f)))
	}
	mux.Handle("/", control.NotFound())
	short("GET /v1/status", c.status)
	short("GET /v1/accounts", c.listAccounts)
	short("POST /v1/accounts", c.addAccount)
	short("PUT /v1/accounts/{name}/quota", c.setQuota)
	short("PUT /v1/accounts/{name}/password", c.setPassword)
	short("GET /v1/accounts/{name}/logins", c.logins)
	short("GET /v1/logins/refused", c.refused)
	short("GET /v1/accounts/{name}/app-passwords", c.listAppPasswords)
	short("POST /v1/accounts/{name}/app-passwords", c.addAppPassword)
	short("DELETE /v1/accounts/{name}/app-passwords/{label}", c.deleteAppPassword)
	short("PUT /v1/accounts/{name}/app-passwords-only", c.setAppPasswordsOnly)
	c.queue.Handle(short)
	short("GET /v1/queue/suppressed", c.listSuppressed)
	short("POST /v1/queue/suppress", c.suppress)
	short("POST /v1/queue/unsuppress", c.unsuppress)
	short("GET /v1/queue/rules", c.listRules)
	short("POST /v1/queue/rules", c.putRule)
	short("DELETE /v1/queue/rules/{name}", c.deleteRule)
	short("GET /v1/queue/history", c.queueHistory)
	short("POST /v1/queue/send", c.sendMessage)
	long("POST /v1/verify", c.verify)
	long("POST /v1/collect", c.collectNow)
	long("POST /v1/backup", c.backup)
	long("POST /v1/restore", c.restore)
	mux.Handle("POST /v1/migrate", control.Stream(func(r *http.Request, l *control.Lines) (any, error) {
		v, err := c.migrate(r, l)
		return v, controlError(err)
	}))
	c.server = &control.Server{Handler: mux, Logger: s.log}
	return c
}

// errBusy refuses a second long operation.
var errBusy = &control.Error{Status: http.StatusConflict, Code: "busy", Message: "another verify, collect, backup or restore is running"}

// alone lets one long operation run at a time, since each reads the whole
// store.
func (c *controls) alone(f func(*http.Request, *control.Lines) (any, error)) func(*http.Request, *control.Lines) (any, error) {
	return func(r *http.Request, l *control.Lines) (any, error) {
		if !c.upkeep.TryLock() {
			return nil, errBusy
		}
		defer c.upkeep.Unlock()
		c.s.log.Info("control", "request", r.URL.Path)
		v, err := f(r, l)
		return v, controlError(err)
	}
}

// controlName is what the control socket is called in the log.
const controlName = "control"

// controlPart makes the socket. The server runs without where there is no room
// for one.
func (s *server) controlPart(users users) (part, bool) {
	l, err := control.Listen(s.o.data)
	if err != nil {
		s.log.Warn("no control socket: mailctl cannot talk to this server", "error", err)
		return part{}, false
	}
	l.Logger = s.log
	c := newControls(s, users)
	serve := c.server.Serve
	return part{name: controlName, l: l, serve: serve, shutdown: c.server.Shutdown}, true
}

// controlError gives the errors that an operator can do something about their
// codes; all others are internal.
func controlError(err error) error {
	for _, e := range [...]struct {
		is     error
		status int
		code   string
	}{
		{login.ErrUsername, http.StatusBadRequest, control.CodeBadRequest},
		{store.ErrNoAccount, http.StatusNotFound, control.CodeNotFound},
		{login.ErrNoUser, http.StatusNotFound, control.CodeNotFound},
		{activity.ErrNoAccount, http.StatusNotFound, control.CodeNotFound},
		{login.ErrNoAppPassword, http.StatusNotFound, control.CodeNotFound},
		{login.ErrAppPassword, http.StatusBadRequest, control.CodeBadRequest},
		{store.ErrExists, http.StatusConflict, "exists"},
		{store.ErrTemporary, http.StatusServiceUnavailable, "temporary"},
		{store.ErrClosed, http.StatusServiceUnavailable, control.CodeStopping},
		{store.ErrCorrupt, http.StatusInternalServerError, "damaged"},
	} {
		if errors.Is(err, e.is) {
			return &control.Error{Status: e.status, Code: e.code, Message: err.Error()}
		}
	}
	return queuecontrol.Error(err)
}

// statusAnswer is the answer to GET /v1/status.
type statusAnswer struct {
	Version string            `json:"version"`
	PID     int               `json:"pid"`
	Uptime  int64             `json:"uptime_seconds"`
	Started time.Time         `json:"started"`
	Listen  []listening       `json:"listeners"`
	Bodies  *bodyStats        `json:"bodies,omitempty"` // of segment files
	Queue   answer.QueueStats `json:"queue"`
}

type listening struct {
	Name string `json:"name"`
	Addr string `json:"address"`
}

// bodyStats counts since the start, apart from free and segments.
type bodyStats struct {
	Segments int    `json:"segments"`
	Commits  int64  `json:"commits"`
	Bytes    int64  `json:"bytes"`
	Syncs    int64  `json:"syncs"`
	Poisoned bool   `json:"poisoned"` // a sync failed: nothing is taken until a restart
	Free     uint64 `json:"free_bytes"`
}

func (c *controls) status(r *http.Request) (any, error) {
	q, err := c.queue.Stats(r.Context())
	if err != nil {
		return nil, err
	}
	bodies, err := c.bodies()
	if err != nil {
		return nil, err
	}
	a := statusAnswer{
		Version: version(), PID: os.Getpid(), Started: c.started.UTC().Truncate(time.Second),
		Uptime: int64(time.Since(c.started).Seconds()), Queue: q,
		Bodies: bodies,
	}
	for _, p := range c.s.parts {
		a.Listen = append(a.Listen, listening{p.name, p.l.Addr().String()})
	}
	return a, nil
}

// bodies is nil where they do not lie in segment files.
func (c *controls) bodies() (*bodyStats, error) {
	files := c.s.engine.segments
	if files == nil {
		return nil, nil
	}
	free, err := files.Free()
	if err != nil {
		return nil, err
	}
	st := files.Stats()
	return &bodyStats{Segments: st.Segments, Commits: st.Commits, Bytes: st.Bytes, Syncs: st.Syncs, Poisoned: st.Poisoned, Free: free}, nil
}

// version is what the build says about itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
