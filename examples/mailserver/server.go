package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/daemon"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/queue/suppress"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/quotawatch"
	"github.com/mailstead/mailstead/store/view"
)

// part is one listener with the server behind it.
type part struct {
	name     string
	l        net.Listener
	serve    func(net.Listener) error
	shutdown func(context.Context) error
}

// server is everything that runs.
type server struct {
	o         *options
	log       *slog.Logger
	accounts  []account
	firstRun  bool
	engine    *engine
	queue     *queue.Queue
	runner    *queue.Runner
	intake    *intake.Intake    // in front of the queue
	budgets   *smtppolicy.Users // what each user may submit
	local     *deliver.LocalDelivery
	outgoing  *smtpclient.Pool   // connections to other servers
	pools     []*smtpclient.Pool // that one, and one for each target
	views     *view.Views
	maildrops store.Maildrops // of both POP3 listeners
	pop3Users pop3server.Users
	imapUsers imapserver.Users // of both IMAP listeners
	backups   backup.Holder
	login     *login.Service
	activity  *activity.Log
	clientTLS *x509.CertPool    // who signs the certificates of clients; nil = none are asked for
	directory *deliver.Accounts // the accounts of this host
	known     deliver.Directory // with what the routes of outbound.toml know better
	dns       *dnsx.Cache       // of MX delivery and of the authentication of messages
	verifier  *auth.Verifier    // of the MX port; nil = -auth off
	outbound  *outboundFile
	policies  *tlspolicy.Policies // for TLS to MX hosts
	reports   *reports            // to other domains; nil = none

	suppressed *suppress.List
	rules      *holdrule.Rules
	history    *history.History
	cert       certificate
	given      map[string]net.Listener // by systemd, under the name of the flag
	web        *program.Web
	parts      []part

	failures   chan error // of parts
	wg         sync.WaitGroup
	stopRunner context.CancelFunc
}

// newServer opens the data directory and every listener. What it returns
// serves nothing yet.
func newServer(ctx context.Context, o *options, log *slog.Logger) (_ *server, err error) {
	s := &server{o: o, log: log, failures: make(chan error, len(listeners)+2)}
	defer func() {
		if err != nil {
			s.closeAll()
		}
	}()
	if err = s.openDNS(ctx); err != nil {
		return nil, err
	}
	if err = s.takeSockets(); err != nil {
		return nil, err
	}
	if s.engine, err = o.kind().open(ctx, o, log); err != nil {
		return nil, err
	}
	s.engine.store = quotawatch.New(s.engine.store, quotawatch.Options{Logger: log})
	if s.cert, err = newCertificate(o, log); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if err = s.openAccounts(ctx); err != nil {
		return nil, err
	}
	if err = s.openLogin(); err != nil {
		return nil, err
	}
	if s.directory, err = newDirectory(o, s.engine.store, s.accounts); err != nil {
		return nil, err
	}
	warnForeign(log, s.directory, s.accounts)
	s.views = view.New(s.engine.store, view.Options{})
	if err = s.openOutbound(ctx); err != nil {
		return nil, err
	}
	if err = s.openIntake(); err != nil {
		return nil, err
	}
	if err = s.listen(); err != nil {
		return nil, err
	}
	if p, ok := s.controlPart(s.engine.users); ok {
		s.parts = append(s.parts, p)
	}
	return s, nil
}

// closeAll closes what newServer opened before it failed.
func (s *server) closeAll() {
	for _, p := range s.parts {
		p.l.Close()
	}
	for _, l := range s.given {
		l.Close()
	}
	if s.views != nil {
		s.views.Close()
	}
	if s.engine != nil {
		s.engine.close()
	}
}

// takeSockets takes over the sockets of systemd, each in place of the flag
// whose name its unit gives it (FileDescriptorName=). From then on the flag is
// where the socket listens, for whoever asks.
func (s *server) takeSockets() error {
	sockets, err := daemon.Sockets()
	if err != nil {
		return err
	}
	s.given = make(map[string]net.Listener)
	for _, socket := range sockets {
		addr, known := s.o.listen[socket.Name]
		if !known || s.given[socket.Name] != nil {
			socket.Close()
			s.log.Warn("a socket of systemd has no listener of its name", "name", socket.Name, "addr", socket.Addr().String())
			continue
		}
		s.given[socket.Name], *addr = socket, socket.Addr().String()
	}
	return nil
}

// listener is the one of systemd, or a new one at addr.
func (s *server) listener(name, addr string) (net.Listener, error) {
	if l := s.given[name]; l != nil {
		delete(s.given, name)
		return l, nil
	}
	return net.Listen("tcp", addr)
}

// listen opens all listeners, so that a bad port is known before anything is
// served.
func (s *server) listen() error {
	for _, l := range listeners {
		addr := *s.o.listen[l.name]
		if addr == "off" {
			continue
		}
		nl, err := s.listener(l.name, addr)
		if err != nil {
			return fmt.Errorf("-%s: %w", l.name, err)
		}
		p, err := s.part(l.name)
		if err != nil {
			nl.Close()
			return fmt.Errorf("-%s: %w", l.name, err)
		}
		p.name, p.l = l.name, nl
		s.parts = append(s.parts, p)
	}
	return nil
}

// part makes the server behind a listener.
func (s *server) part(name string) (part, error) {
	switch name {
	case "smtp":
		return smtpPart(s.mxConfig()), nil
	case "submission", "submissions":
		return smtpPart(s.submissionConfig(name == "submissions")), nil
	case "lmtp":
		return smtpPart(s.lmtpConfig()), nil
	case "imap", "imaps":
		return imapPart(s.imapConfig(name == "imaps"))
	case "pop3", "pop3s":
		return pop3Part(s.pop3Config(name == "pop3s"))
	}
	s.web = program.NewWeb(isLoopback(*s.o.listen["http"]))
	s.measure()
	return part{serve: s.web.Serve, shutdown: s.web.Shutdown}, nil
}

func smtpPart(cfg smtpserver.Config) part {
	srv := smtpserver.New(cfg)
	serve := func(l net.Listener) error { return srv.Serve(context.Background(), l) }
	return part{serve: serve, shutdown: srv.Shutdown}
}

func imapPart(cfg imapserver.Config) (part, error) {
	srv, err := imapserver.New(cfg)
	if err != nil {
		return part{}, err
	}
	return part{serve: srv.Serve, shutdown: srv.Shutdown}, nil
}

func pop3Part(cfg pop3server.Config) (part, error) {
	srv, err := pop3server.New(cfg)
	if err != nil {
		return part{}, err
	}
	return part{serve: srv.Serve, shutdown: srv.Shutdown}, nil
}

// start serves all listeners and runs the queue.
func (s *server) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopRunner = cancel
	s.wg.Go(func() {
		if err := s.runner.Run(ctx); err != nil {
			s.failures <- fmt.Errorf("queue: %w", err)
		}
	})
	s.wg.Go(func() { s.collect(ctx) })
	s.wg.Go(func() { s.rememberLogins(ctx) })
	s.wg.Go(func() { s.refreshPolicies(ctx) })
	s.wg.Go(func() { s.keepHistory(ctx) })
	s.sendReports(ctx)
	for _, p := range s.parts {
		s.wg.Go(func() {
			if err := p.serve(p.l); err != nil && !closed(err) {
				s.failures <- fmt.Errorf("%s: %w", p.name, err)
			}
		})
		s.log.Info("listening", "service", p.name, "addr", p.l.Addr().String())
	}
	if s.web != nil {
		s.web.Ready.Store(true)
	}
}

// closed reports that Serve ended because it was told to.
func closed(err error) bool {
	for _, e := range [...]error{smtpserver.ErrServerClosed, imapserver.ErrServerClosed, pop3server.ErrServerClosed, http.ErrServerClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// wait returns at the end of ctx, or true when a part has failed.
func (s *server) wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case err := <-s.failures:
		s.log.Error("a part failed; stopping", "error", err)
		return true
	}
}

// shutdown ends the listeners, then the queue, then the store: each later one
// is used by the earlier ones.
func (s *server) shutdown() error {
	s.log.Info("draining")
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range s.parts {
		wg.Go(func() {
			if err := p.shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				s.log.Warn("shutdown", "service", p.name, "error", err)
			}
		})
	}
	wg.Wait()
	if s.verifier != nil {
		s.verifier.Wait()
	}
	s.stopRunner()
	s.wg.Wait()
	var errs []error
	for _, p := range s.pools {
		errs = append(errs, p.Close())
	}
	return errors.Join(errors.Join(errs...), s.views.Close(), s.engine.close())
}
