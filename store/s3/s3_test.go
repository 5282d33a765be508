package s3_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/s3"
	"github.com/mailstead/mailstead/store/s3/s3test"
)

var gw s3test.Shared

func TestMain(m *testing.M) { os.Exit(gw.Run(m)) }

func open(t testing.TB, c s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestObjects(t *testing.T) {
	for name, prefix := range map[string]string{"Bucket": "", "Prefix": "some/where"} {
		t.Run(name, func(t *testing.T) {
			objecttest.Run(t, func(t *testing.T) objects.Lister {
				c := s3test.Bucket(t, gw.Server(t))
				c.Prefix = prefix
				return open(t, c)
			})
		})
	}
}

// TestBlobs: a bucket alone is a whole blob.Blobs.
func TestBlobs(t *testing.T) {
	configs := map[blob.Blobs]s3.Config{}
	blobs := func(t *testing.T, c s3.Config) blob.Blobs {
		b := objects.NewBlobs(open(t, c), "blobs/", objects.Options{TempDir: t.TempDir()})
		configs[b] = c
		return b
	}
	blobtest.Run(t, blobtest.Config{
		New:    func(t *testing.T) blob.Blobs { return blobs(t, s3test.Bucket(t, gw.Server(t))) },
		Reopen: func(t *testing.T, b blob.Blobs) blob.Blobs { return blobs(t, configs[b]) },
	})
}

// TestRefused: what an operator can do something about has a name.
func TestRefused(t *testing.T) {
	c := s3test.Bucket(t, gw.Server(t))
	for name, test := range map[string]struct {
		change func(*s3.Config)
		want   error
	}{
		"Bucket": {func(c *s3.Config) { c.Bucket = "there-is-none" }, s3.ErrNoBucket},
		"Key":    {func(c *s3.Config) { c.AccessKey = "nobody" }, s3.ErrAccess},
		"Secret": {func(c *s3.Config) { c.SecretKey = "wrong-secret" }, s3.ErrAccess},
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			test.change(&c)
			_, err := s3.New(t.Context(), c)
			if !errors.Is(err, test.want) || !errors.Is(err, store.ErrTemporary) {
				t.Errorf("%v, want %v and ErrTemporary", err, test.want)
			}
			hasNoSecret(t, c, err.Error())
		})
	}
}

// TestServerVerifies: octets that do not match the checksum that goes with them,
// as when they change on their way, are refused by the server.
func TestServerVerifies(t *testing.T) {
	s := open(t, s3test.Bucket(t, gw.Server(t)))
	o := objects.Object{Key: "k", Size: 4, Sums: objects.SumsOf([]byte("body"))}
	if err := s.Put(t.Context(), o, bytes.NewReader([]byte("bodz"))); err == nil {
		t.Error("stored")
	}
	if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, objects.ErrNoObject) {
		t.Errorf("Stat: %v, want ErrNoObject", err)
	}
}

// TestDown: a server that is not there is a temporary failure.
func TestDown(t *testing.T) {
	server := s3test.Start(t)
	c := s3test.Bucket(t, server)
	c.Attempts = 2
	s := open(t, c)
	server.Kill(t)
	if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, store.ErrTemporary) || !errors.Is(err, s3.ErrOverload) {
		t.Errorf("%v, want ErrTemporary, ErrOverload", err)
	}
	server.Restart(t)
	if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, objects.ErrNoObject) {
		t.Errorf("%v, want ErrNoObject", err)
	}
}
