package pgtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// patience bounds the wait for a server that starts or stops.
const patience = time.Minute

// Server is a PostgreSQL server of the test. Its methods are not for several
// goroutines at once, but for DSN, TCP and Addr.
type Server struct {
	dir  string // its own, with data, socket and log
	bin  string
	port int
	who  *account // whom it runs as; nil = who we are
	run  *process // nil = it does not run

	databases atomic.Int64
}

// Start starts a server for this test, and stops it when the test ends.
// Settings are "name=value" of postgresql.conf.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := launch(settings)
	if errors.Is(err, errMissing) {
		skip(t)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

// DSN is the address of a database, through the socket.
func (s *Server) DSN(database string) string {
	q := url.Values{"host": {s.dir}, "port": {strconv.Itoa(s.port)}}
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: q.Encode()}
	return u.String()
}

// TCP is the address of a database, through loopback.
func (s *Server) TCP(database string) string {
	return "postgres://postgres@" + s.Addr() + "/" + database + "?sslmode=disable"
}

// Addr is where the server listens on loopback.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Start starts the server after Stop or Kill, at the same address. Backends of a
// server that was killed may take a moment to go, and keep a new one from
// starting as long.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := s.start()
		if err == nil {
			return
		}
		if !errors.Is(err, errEnded) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// errEnded: the server ended instead of answering.
var errEnded = errors.New("it has ended")

// Restart stops the server as with Fast and starts it again.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t, Fast)
	s.Start(t)
}

// Mode is how a server is stopped, as in `pg_ctl stop -m`.
type Mode uint8

const (
	// Fast disconnects everyone and shuts down cleanly.
	Fast Mode = iota
	// Immediate leaves at once; the next start recovers from the WAL.
	Immediate
)

// Stop stops the server.
func (s *Server) Stop(t testing.TB, m Mode) {
	t.Helper()
	if err := s.stop(m); err != nil {
		t.Fatal(err)
	}
}

// Kill kills the server and all of its processes with SIGKILL.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.run == nil {
		t.Fatal("pgtest: the server does not run")
	}
	s.run.kill()
	s.run = nil
}

// launch makes a server and starts it.
func launch(settings []string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	who, err := runAs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, who: who}
	if err := s.create(settings); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) create(settings []string) error {
	if err := s.who.own(s.dir); err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.Dir = s.dir
	s.who.become(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w\n%s", err, out)
	}
	for tries := 0; ; tries++ { // somebody may take the port meanwhile
		var err error
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err := s.configure(settings); err != nil {
			return err
		}
		if err = s.start(); err == nil || tries == 3 {
			return err
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// configure writes the settings; later ones win.
func (s *Server) configure(settings []string) error {
	var b bytes.Buffer
	for _, line := range append([]string{
		"listen_addresses='127.0.0.1'", "port=" + strconv.Itoa(s.port), "unix_socket_directories='" + s.dir + "'",
		"max_connections=300", "shared_buffers=64MB", "log_min_messages=warning", "log_error_verbosity=terse",
	}, settings...) {
		fmt.Fprintln(&b, line)
	}
	return os.WriteFile(filepath.Join(s.data(), "postgresql.auto.conf"), b.Bytes(), 0o644)
}

// freePort lies below the ports that the system gives to outgoing connections, so
// that none of them takes it before the server does.
func freePort() (int, error) {
	for {
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return port, l.Close()
	}
}

// start starts the server and waits until it answers.
func (s *Server) start() error {
	if s.run != nil {
		return errors.New("pgtest: the server runs already")
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data())
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	s.who.become(cmd)
	run, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	if err := s.ready(run); err != nil {
		run.kill()
		return fmt.Errorf("pgtest: PostgreSQL does not start: %w\n%s", err, s.log())
	}
	s.run = run
	return nil
}

// ready waits until the server answers, or has ended.
func (s *Server) ready(run *process) error {
	db, err := sql.Open("pgx", s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-run.ended:
			return errEnded
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (s *Server) stop(m Mode) error {
	if s.run == nil {
		return errors.New("pgtest: the server does not run")
	}
	sig := sigFast
	if m == Immediate {
		sig = sigImmediate
	}
	if err := s.run.signal(sig); err != nil {
		return err
	}
	select {
	case <-s.run.ended:
		s.run = nil
		return nil
	case <-time.After(patience):
		return fmt.Errorf("pgtest: PostgreSQL does not stop\n%s", s.log())
	}
}

// log is the end of the server's log.
func (s *Server) log() []byte {
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return b[max(0, len(b)-4096):]
}

// remove ends the server and takes its directory away.
func (s *Server) remove() {
	if s.run != nil {
		s.run.kill()
		s.run = nil
	}
	os.RemoveAll(s.dir)
}
