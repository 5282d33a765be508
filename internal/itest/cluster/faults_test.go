package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/s3"
)

func putObject(ctx context.Context, s objects.Store, key string, p []byte) error {
	o := objects.Object{Key: key, Size: int64(len(p)), Sums: objects.SumsOf(p)}
	return s.Put(ctx, o, bytes.NewReader(p))
}

// TestPasses: what passes by itself is not seen.
func TestPasses(t *testing.T) {
	p, s := openFaulty(t)
	body := objecttest.Octets(1, 300_000)
	slow := refuse(503, "SlowDown")
	for name, faults := range map[string][]fault{
		"none": nil, "503": {slow, slow, slow}, "500": {refuse(500, "InternalError")}, "cut": {cut, cut},
		"hang": {hang}, "mixed": {slow, cut, hang},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, key := soon(t), "passes/"+name
			p.next(http.MethodPut, faults...)
			if err := putObject(ctx, s, key, body); err != nil {
				t.Errorf("Put: %v", err)
			}
			p.next(http.MethodGet, faults...)
			got := make([]byte, len(body))
			if err := s.Get(ctx, key, got, 0); err != nil || !bytes.Equal(got, body) {
				t.Errorf("Get: %v", err)
			}
			p.next(http.MethodHead, faults...)
			if o, err := s.Stat(ctx, key); err != nil || o.Size != int64(len(body)) {
				t.Errorf("Stat: %v", err)
			}
			p.next(http.MethodDelete, faults...)
			if err := s.Delete(ctx, key); err != nil {
				t.Errorf("Delete: %v", err)
			}
			p.next(http.MethodPost, faults...)
			if err := s.Delete(ctx, key, "another"); err != nil {
				t.Errorf("Delete of two: %v", err)
			}
		})
	}
}

// TestLostReply: a Put that the server has done, without our knowing, succeeds
// when it is done again; with other octets under the key it does not.
func TestLostReply(t *testing.T) {
	p, s := openFaulty(t)
	body := objecttest.Octets(1, 300_000)
	for name, f := range map[string]fault{"lost": lose, "late": late} {
		t.Run(name, func(t *testing.T) {
			p.next(http.MethodPut, f, f)
			if err := putObject(soon(t), s, "reply/"+name, body); err != nil {
				t.Error(err)
			}
			if n, statuses := p.requests(); statuses[http.StatusPreconditionFailed] == 0 {
				t.Errorf("%d requests, answered with %v: no 412", n, statuses)
			}
			p.next(http.MethodPut, f)
			if err := putObject(soon(t), s, "reply/"+name, objecttest.Octets(2, 300_000)); !errors.Is(err, objects.ErrExists) {
				t.Errorf("other octets: %v, want ErrExists", err)
			}
			got := make([]byte, len(body))
			if err := s.Get(soon(t), "reply/"+name, got, 0); err != nil || !bytes.Equal(got, body) {
				t.Errorf("the first octets are gone: %v", err)
			}
		})
	}
}

// TestNamed: what does not pass by itself has a name, after a bounded number of
// requests, and no text of the server or secret of ours in it.
func TestNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault fault
		want  error
		tries int
	}{
		{"overload", refuse(503, "SlowDown"), s3.ErrOverload, 5},
		{"hang", hang, s3.ErrOverload, 5},
		{"bucket", refuse(404, "NoSuchBucket"), s3.ErrNoBucket, 1},
		{"denied", refuse(403, "AccessDenied"), s3.ErrAccess, 1},
		{"key", refuse(403, "InvalidAccessKeyId"), s3.ErrAccess, 1},
		{"secret", refuse(403, "SignatureDoesNotMatch"), s3.ErrAccess, 1},
		{"clock", refuse(403, "RequestTimeTooSkewed"), s3.ErrClock, 1},
		{"quota", refuse(403, "QuotaExceeded"), s3.ErrFull, 1},
		{"full", refuse(507, "InsufficientStorage"), s3.ErrFull, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s := openFaulty(t)
			for method, do := range map[string]func() error{
				http.MethodPut:    func() error { return putObject(soon(t), s, "k", []byte("body")) },
				http.MethodGet:    func() error { return s.Get(soon(t), "k", make([]byte, 4), 0) },
				http.MethodDelete: func() error { return s.Delete(soon(t), "k") },
			} {
				p.next(method, slices.Repeat([]fault{c.fault}, 20)...)
				err := do()
				if !errors.Is(err, store.ErrTemporary) || !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v and ErrTemporary", method, err, c.want)
				}
				if n, _ := p.requests(); n != c.tries {
					t.Errorf("%s: %d requests, want %d", method, n, c.tries)
				}
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: the secret is in %q", method, err)
				}
			}
		})
	}
}

// TestClock: a server whose clock differs by a day.
func TestClock(t *testing.T) {
	_, c := faulty(t, gofakes3.WithTimeSource(gofakes3.FixedTimeSource(time.Now().Add(24*time.Hour))))
	_, err := s3.New(soon(t), c)
	if !errors.Is(err, s3.ErrClock) {
		t.Errorf("%v, want ErrClock", err)
	}
}

// TestCancelled: retries end with the context, at once.
func TestCancelled(t *testing.T) {
	p, s := openFaulty(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.next(http.MethodPut, refuse(503, "SlowDown"), func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		cancel()
		hang(nil, r, nil)
	})
	if err := putObject(ctx, s, "k", []byte("body")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// TestBadGet: a body that is cut or changed on its way is asked for again; one
// that stays wrong is an error, and no octet of it is handed out.
func TestBadGet(t *testing.T) {
	p, s := openFaulty(t)
	body := objecttest.Octets(1, 1_000_000)
	if err := putObject(soon(t), s, "k", body); err != nil {
		t.Fatal(err)
	}
	read := func() error {
		r, err := objects.NewReader(t.Context(), s, objects.Object{Key: "k", Size: int64(len(body)), Sums: objects.SumsOf(body)}, nil)
		if err != nil {
			return err
		}
		defer r.Close()
		got := make([]byte, len(body))
		n, err := r.ReadAt(got, 0)
		if !bytes.Equal(got[:n], body[:n]) {
			return fmt.Errorf("%d octets differ", n)
		}
		return err
	}
	p.next(http.MethodGet, truncate, truncate, corrupt, pass, truncate)
	if err := read(); err != nil {
		t.Errorf("bad for a while: %v", err)
	}
	p.next(http.MethodGet, pass, corrupt, corrupt, corrupt, corrupt)
	if err := read(); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("always changed: %v, want ErrCorrupt", err)
	}
	p.next(http.MethodGet, slices.Repeat([]fault{truncate}, 20)...)
	if err := read(); !errors.Is(err, s3.ErrOverload) {
		t.Errorf("always cut: %v, want ErrOverload", err)
	}
}
