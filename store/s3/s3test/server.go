package s3test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/mailstead/mailstead/store/s3"
)

// patience bounds the wait for a server that starts.
const patience = 30 * time.Second

// errMissing: versitygw is not there.
var errMissing = errors.New("s3test: versitygw is not installed")

// program finds versitygw.
func program() (string, error) {
	if path := os.Getenv("MAILSTEAD_VERSITYGW"); path != "" {
		return path, nil
	}
	if cache, err := os.UserCacheDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(cache, "mailstead-tools", "*", "github.com_versity_versitygw_*", "versitygw"))
		if len(found) > 0 {
			slices.Sort(found)
			return found[len(found)-1], nil
		}
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	return "", errMissing
}

// Server is an S3 server of the test. Start and Kill are not for several
// goroutines at once.
type Server struct {
	dir, bin       string
	addr           string
	access, secret string
	run            *process // nil = it does not run

	buckets atomic.Int64
}

// Start starts a server for this test, and ends it with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := launch()
	check(t, err)
	t.Cleanup(s.remove)
	return s
}

// check ends a test that has no server.
func check(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case !errors.Is(err, errMissing):
		t.Fatal(err)
	case os.Getenv("MAILSTEAD_PEERS") == "required":
		t.Fatal("versitygw is not installed, and MAILSTEAD_PEERS=required")
	default:
		t.Skip("versitygw is not installed")
	}
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.addr }

// Dir is the directory of a bucket: each object is a file in it.
func (s *Server) Dir(bucket string) string { return filepath.Join(s.dir, "data", bucket) }

// Kill kills the server.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.run == nil {
		t.Fatal("s3test: the server does not run")
	}
	s.run.kill()
	s.run = nil
}

// Restart starts the server after Kill, at the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Bucket makes a bucket, and returns how to reach it.
func Bucket(t testing.TB, s *Server) s3.Config {
	t.Helper()
	c := s3.Config{
		Endpoint: s.addr, Bucket: fmt.Sprint("bucket", s.buckets.Add(1)), Plain: true,
		AccessKey: s.access, SecretKey: s.secret,
	}
	client, err := minio.New(c.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(context.Background(), c.Bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return c
}

func launch() (*Server, error) {
	bin, err := program()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "s3test")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, access: "test", secret: rand.Text()}
	if err = os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		s.remove()
		return nil, err
	}
	for range 3 { // somebody may take the port meanwhile
		if s.addr, err = freeAddr(); err != nil {
			break
		}
		if err = s.start(); err == nil {
			return s, nil
		}
	}
	s.remove()
	return nil, err
}

// freeAddr lies below the ports that the system gives to outgoing connections, so
// that none of them takes it before the server does.
func freeAddr() (string, error) {
	for {
		port := 10000 + mrand.IntN(22000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return l.Addr().String(), l.Close()
	}
}

// start starts the server and waits until it answers.
func (s *Server) start() error {
	if s.run != nil {
		return errors.New("s3test: the server runs already")
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.bin, "--port", s.addr, "--quiet", "--health", "/health", "posix", filepath.Join(s.dir, "data"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+s.access, "ROOT_SECRET_ACCESS_KEY="+s.secret)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	run, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("s3test: %w", err)
	}
	if err := s.ready(run); err != nil {
		run.kill()
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("s3test: versitygw does not start: %w\n%s", err, text)
	}
	s.run = run
	return nil
}

// ready waits until the server answers, or has ended.
func (s *Server) ready(run *process) error {
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := http.Get("http://" + s.addr + "/health")
		if err == nil {
			res.Body.Close()
			return nil
		}
		select {
		case <-run.ended:
			return errors.New("it has ended")
		case <-deadline:
			return err
		case <-tick.C:
		}
	}
}

func (s *Server) remove() {
	if s.run != nil {
		s.run.kill()
		s.run = nil
	}
	os.RemoveAll(s.dir)
}

// Shared is the server that all tests of a test binary have in common. The
// zero value is one that starts with the first test that asks for it. Nobody
// kills it.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Run runs the tests and then ends the server; for TestMain.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	s.End()
	return code
}

// End ends the server, for a TestMain that has several.
func (s *Shared) End() {
	if s.server != nil {
		s.server.remove()
	}
}

// Server is the server; without versitygw the test is skipped.
func (s *Shared) Server(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = launch() })
	check(t, s.err)
	return s.server
}
