package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serve runs a Server for h in a directory of its own.
func serve(t *testing.T, s *Server) *Client {
	t.Helper()
	dir := t.TempDir()
	l, err := Listen(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not tell who is at the other end of a socket")
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	c := NewClient(dir)
	t.Cleanup(func() {
		c.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(filepath.Join(dir, SocketName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return c
}

// codeOf is the code of an *Error, or what else err is.
func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

type question struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

func echo(r *http.Request) (any, error) {
	var q question
	if err := Decode(r, &q); err != nil {
		return nil, err
	}
	switch {
	case q.N < 0:
		return nil, &Error{Status: http.StatusConflict, Code: "negative", Message: "n is negative"}
	case q.N == 0:
		return nil, errors.New("something broke")
	}
	return q, nil
}

func TestShortRequests(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("POST /echo", Handle(echo))
	mux.Handle("/", NotFound())
	c := serve(t, &Server{Handler: mux, MaxRequestBytes: 1000})
	for _, tt := range []struct {
		path string
		in   any
		code string
	}{
		{"/echo", question{N: 1}, ""},
		{"/echo", question{N: -1}, "negative"},
		{"/echo", question{}, CodeInternal},
		{"/echo", map[string]int{"m": 1}, CodeBadRequest},
		{"/echo", []int{1}, CodeBadRequest},
		{"/echo", question{Text: strings.Repeat("x", 1000)}, CodeTooLarge},
		{"/other", nil, CodeNotFound},
	} {
		var out question
		err := c.Do(t.Context(), "POST", tt.path, tt.in, &out)
		if (err == nil) != (tt.code == "") || err != nil && codeOf(err) != tt.code {
			t.Errorf("%s %v: %v, want code %q", tt.path, tt.in, err, tt.code)
		}
		if err == nil && out != tt.in {
			t.Errorf("%v came back as %v", tt.in, out)
		}
	}
}

func TestDecodeTakesOneValue(t *testing.T) {
	for body, ok := range map[string]bool{`{"n":1}`: true, "": true, `{"n":1} `: true, `{"n":1}{}`: false, `{"n":1}x`: false, `{`: false, `1`: false} {
		r, _ := http.NewRequest("POST", "/", strings.NewReader(body))
		var q question
		if err := Decode(r, &q); (err == nil) != ok {
			t.Errorf("%q: %v", body, err)
		}
	}
	r, _ := http.NewRequest("POST", "/", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "text/plain")
	if err := Decode(r, &question{}); codeOf(err) != CodeBadRequest {
		t.Error(err)
	}
}

// TestStream: lines come one by one, while the request is under way and longer
// than a request may take to arrive.
func TestStream(t *testing.T) {
	next := make(chan struct{})
	h := Stream(func(r *http.Request, l *Lines) (any, error) {
		var q question
		if err := Decode(r, &q); err != nil {
			return nil, err
		}
		for i := range q.N {
			if err := l.Item(i); err != nil {
				return nil, err
			}
			select {
			case <-next:
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
		if q.Text != "" {
			return nil, errors.New(q.Text)
		}
		return q, nil
	})
	c := serve(t, &Server{Handler: h, arrive: 50 * time.Millisecond})
	for _, text := range []string{"", "broken"} {
		var got []string
		var out question
		err := c.Stream(t.Context(), "/", question{N: 3, Text: text}, &out, func(l Line) error {
			got = append(got, string(l.Item))
			if len(got) == 1 {
				<-time.After(150 * time.Millisecond) // longer than arrive
			}
			next <- struct{}{}
			return nil
		})
		if s := strings.Join(got, " "); s != "0 1 2" {
			t.Errorf("items %s", s)
		}
		if text == "" && (err != nil || out.N != 3) || text != "" && codeOf(err) != CodeInternal {
			t.Errorf("%q: %v, result %v", text, err, out)
		}
	}
	if err := c.Stream(t.Context(), "/", []int{}, nil, nil); codeOf(err) != CodeBadRequest {
		t.Errorf("a fault before the first line: %v", err)
	}
}

// TestClientGoes: a long request ends when nobody hears it any more.
func TestClientGoes(t *testing.T) {
	ended := make(chan error, 1)
	started := make(chan struct{})
	c := serve(t, &Server{Handler: Stream(func(r *http.Request, _ *Lines) (any, error) {
		close(started)
		<-r.Context().Done()
		ended <- r.Context().Err()
		return nil, r.Context().Err()
	})})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	if err := c.Stream(ctx, "/", question{}, nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestShutdownEndsStreams: who listens is told that the server stops.
func TestShutdownEndsStreams(t *testing.T) {
	s := &Server{Handler: Stream(func(r *http.Request, l *Lines) (any, error) {
		if err := l.Item("begun"); err != nil {
			return nil, err
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	c := serve(t, s)
	stopped := make(chan error, 1)
	err := c.Stream(t.Context(), "/", nil, nil, func(Line) error {
		go func() { stopped <- s.Shutdown(context.Background()) }()
		return nil
	})
	if codeOf(err) != CodeStopping {
		t.Errorf("%v, want %s", err, CodeStopping)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestCutOff: a stream without an end is not taken for one that succeeded.
func TestCutOff(t *testing.T) {
	c := serve(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"item":1}`+"\n")
	})})
	if err := c.Stream(t.Context(), "/", nil, nil, nil); codeOf(err) != CodeCutOff {
		t.Errorf("%v, want %s", err, CodeCutOff)
	}
}

func TestProgressIsThinned(t *testing.T) {
	w := &recorder{header: http.Header{}}
	l := &Lines{w: w, ctl: http.NewResponseController(w)}
	for i := range 1000 {
		if err := l.Progress(i); err != nil {
			t.Fatal(err)
		}
	}
	if n := bytes.Count(w.body.Bytes(), []byte("\n")); n < 1 || n > 20 {
		t.Errorf("%d lines", n)
	}
}

type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) Flush()                      {}

func TestConnectionsAreBounded(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 3)
	c := serve(t, &Server{MaxConnections: 2, Handler: Handle(func(*http.Request) (any, error) {
		entered <- struct{}{}
		<-release
		return 1, nil
	})})
	c.http.Transport.(*http.Transport).DisableKeepAlives = true
	done := make(chan error, 3)
	for range 3 {
		go func() { done <- c.Do(context.Background(), "GET", "/", nil, nil) }()
	}
	<-entered
	<-entered
	select {
	case <-entered:
		t.Error("a third one is served")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SocketName)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	if err := NewClient(dir).Do(t.Context(), "GET", "/", nil, nil); codeOf(err) != CodeNoServer {
		t.Errorf("a socket that nobody serves: %v", err)
	}
	l, err := Listen(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not tell who is at the other end of a socket")
	}
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(path); err != nil || fi.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	next, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the earlier owner removed the socket of the later one: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if err := next.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := NewClient(dir).Do(t.Context(), "GET", "/", nil, nil); codeOf(err) != CodeNoServer {
		t.Errorf("no socket: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	if err := supported(); err != nil {
		t.Skip("this system does not tell who is at the other end of a socket")
	}
	file := t.TempDir()
	os.WriteFile(filepath.Join(file, SocketName), []byte("mine"), 0o600)
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 110))
	os.Mkdir(long, 0o700)
	for name, dir := range map[string]string{"a file has the name": file, "path too long": long, "no directory": filepath.Join(long, "x")} {
		if l, err := Listen(dir); err == nil {
			l.Close()
			t.Errorf("%s: no error", name)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(file, SocketName)); string(b) != "mine" {
		t.Error("the file was touched")
	}
}

// TestOtherUsersAreRefused: the seam stands for a uid that a test cannot have.
func TestOtherUsersAreRefused(t *testing.T) {
	dir := t.TempDir()
	l, err := Listen(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not tell who is at the other end of a socket")
	}
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan uint32, 1)
	l.judge = func(uid uint32) bool { asked <- uid; return false }
	s := &Server{Handler: Handle(func(*http.Request) (any, error) { return 1, nil })}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	if err := NewClient(dir).Do(t.Context(), "GET", "/", nil, nil); err == nil {
		t.Error("a refused connection was answered")
	}
	if uid := <-asked; int(uid) != os.Getuid() {
		t.Errorf("uid %d, want %d", uid, os.Getuid())
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !allowed(0) || !allowed(uint32(os.Geteuid())) || allowed(uint32(os.Geteuid())+1) {
		t.Error("allowed is wrong")
	}
}

func TestErrorsOnTheWire(t *testing.T) {
	b, err := json.Marshal(line{Error: &Error{Status: 400, Code: "c", Message: "m"}})
	if err != nil || string(b) != `{"error":{"code":"c","message":"m"}}` {
		t.Errorf("%s %v", b, err)
	}
}
