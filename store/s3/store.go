package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/mailstead/mailstead/store/blob/objects"
)

// maxPut is the most that S3 takes in one part.
const maxPut = 5 << 30

// metaSums is the metadata that has the Sums of an object.
const metaSums = "Mailstead-Sums"

// Store is a bucket, or the part of one with a prefix. All methods may be called
// from any number of goroutines. Make one with New.
type Store struct {
	c      Config
	client minio.Core
}

var _ objects.Lister = (*Store)(nil)

// New returns the Store of a bucket, after a request that shows that it is
// there and may be used.
func New(ctx context.Context, c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.setDefaults()
	transport := c.Transport
	if transport == nil {
		transport = newTransport(c.Timeout)
	}
	lookup := minio.BucketLookupAuto
	if c.HostStyle {
		lookup = minio.BucketLookupDNS
	}
	client, err := minio.NewCore(c.Endpoint, &minio.Options{
		Creds: secrets(&c), Secure: !c.Plain, Region: c.Region, BucketLookup: lookup,
		MaxRetries: c.Attempts, Transport: transport,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	client.SetAppInfo("mailstead", "1")
	s := &Store{c: c, client: *client}
	return s, s.check(ctx)
}

// check lists one object: unlike HEAD, a refused GET says why. ListBucket is
// needed anyway: without it Amazon answers 403 for an object that is not there.
func (s *Store) check(ctx context.Context) error {
	bounded, cancel := s.bound(ctx, 0)
	defer cancel()
	opts := minio.ListObjectsOptions{Prefix: s.c.Prefix, Recursive: true, MaxKeys: 1}
	for info := range s.client.ListObjectsIter(bounded, s.c.Bucket, opts) {
		return s.explain(ctx, "open", info.Err)
	}
	return s.explain(ctx, "open", bounded.Err())
}

func newTransport(timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		ExpectContinueTimeout: timeout,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
}

func secrets(c *Config) *credentials.Credentials {
	if c.AccessKey != "" {
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken)
	}
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
	})
}

// bound is a context for a request that moves size octets.
func (s *Store) bound(ctx context.Context, size int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 2*time.Minute+time.Duration(float64(size)/float64(s.c.MinRate)*float64(time.Second)))
}

// wait waits before another attempt, and reports whether there is one.
func (s *Store) wait(ctx context.Context, attempt int) bool {
	if attempt+1 >= s.c.Attempts {
		return false
	}
	longest := min(200*time.Millisecond<<min(attempt, 10), time.Second)
	t := time.NewTimer(rand.N(longest))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Put implements objects.Store.
func (s *Store) Put(ctx context.Context, o objects.Object, r io.ReaderAt) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.Size > maxPut {
		return fmt.Errorf("s3: put: %d octets are more than S3 takes in one part", o.Size)
	}
	bounded, cancel := s.bound(ctx, o.Size)
	defer cancel()
	var err error
	for attempt := 0; ; attempt++ {
		err = s.put(bounded, o, r)
		code := minio.ToErrorResponse(err).Code
		if code == minio.PreconditionFailed {
			return s.same(ctx, o)
		}
		// 409: another request for this key is under way: an earlier one of ours.
		if code != "ConditionalRequestConflict" && code != "OperationAborted" || !s.wait(bounded, attempt) {
			return s.explain(ctx, "put", err)
		}
	}
}

func (s *Store) put(ctx context.Context, o objects.Object, r io.ReaderAt) error {
	sum := binary.BigEndian.AppendUint32(nil, o.Sums.Whole)
	opts := minio.PutObjectOptions{
		ContentType:      "message/rfc822",
		DisableMultipart: true,
		UserMetadata: map[string]string{
			metaSums:                o.Sums.String(),
			"X-Amz-Checksum-Crc32c": base64.StdEncoding.EncodeToString(sum),
		},
	}
	if !s.c.Unconditional {
		opts.SetMatchETagExcept("*")
	}
	_, err := s.client.Client.PutObject(ctx, s.c.Bucket, s.c.Prefix+o.Key, io.NewSectionReader(r, 0, o.Size), o.Size, opts)
	return err
}

// same looks whether the object that is there is o: then a call before has
// stored it, and its reply was lost.
func (s *Store) same(ctx context.Context, o objects.Object) error {
	there, err := s.Stat(ctx, o.Key)
	if err != nil {
		return err
	}
	if there.Size != o.Size || there.Sums.Whole != o.Sums.Whole {
		return fmt.Errorf("%w: %s has %d octets, not %d", objects.ErrExists, o.Key, there.Size, o.Size)
	}
	return nil
}

// Get implements objects.Store.
func (s *Store) Get(ctx context.Context, key string, p []byte, off int64) error {
	bounded, cancel := s.bound(ctx, int64(len(p)))
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := s.get(bounded, key, p, off)
		if !errors.Is(err, errCut) || !s.wait(bounded, attempt) {
			return s.explain(ctx, "get", err)
		}
	}
}

// errCut: a body ended before its announced length.
var errCut = errors.New("s3: the answer was cut off")

func (s *Store) get(ctx context.Context, key string, p []byte, off int64) error {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(off, off+int64(len(p))-1); err != nil {
		return err
	}
	body, info, _, err := s.client.GetObject(ctx, s.c.Bucket, s.c.Prefix+key, opts)
	if err != nil {
		return err
	}
	defer body.Close()
	if info.Size < int64(len(p)) {
		return minio.ErrorResponse{Code: minio.InvalidRange}
	}
	if _, err := io.ReadFull(body, p); err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return nil
}

// Stat implements objects.Store.
func (s *Store) Stat(ctx context.Context, key string) (objects.Object, error) {
	bounded, cancel := s.bound(ctx, 0)
	defer cancel()
	info, err := s.client.StatObject(bounded, s.c.Bucket, s.c.Prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return objects.Object{}, s.explain(ctx, "stat", err)
	}
	o := objects.Object{Key: key, Size: info.Size, Modified: info.LastModified}
	if o.Sums, err = objects.ParseSums(info.UserMetadata[metaSums]); err != nil {
		return o, fmt.Errorf("s3: stat: metadata of object %s: %w", key, err)
	}
	return o, nil
}

// Delete implements objects.Store.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil || len(keys) == 0 {
		return err
	}
	bounded, cancel := s.bound(ctx, int64(len(keys))*1024)
	defer cancel()
	if len(keys) == 1 {
		err := s.client.RemoveObject(bounded, s.c.Bucket, s.c.Prefix+keys[0], minio.RemoveObjectOptions{})
		if err = s.explain(ctx, "delete", err); errors.Is(err, objects.ErrNoObject) {
			err = nil
		}
		return err
	}
	results, err := s.client.RemoveObjectsWithIter(bounded, s.c.Bucket, func(yield func(minio.ObjectInfo) bool) {
		for _, key := range keys {
			if !yield(minio.ObjectInfo{Key: s.c.Prefix + key}) {
				return
			}
		}
	}, minio.RemoveObjectsOptions{})
	if err != nil {
		return s.explain(ctx, "delete", err)
	}
	for r := range results {
		if err := s.explain(ctx, "delete", r.Err); err != nil && !errors.Is(err, objects.ErrNoObject) {
			return err
		}
	}
	return s.explain(ctx, "delete", bounded.Err())
}

// List implements objects.Lister.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Object, error] {
	return func(yield func(objects.Object, error) bool) {
		opts := minio.ListObjectsOptions{Prefix: s.c.Prefix + prefix, Recursive: true}
		if after != "" {
			opts.StartAfter = s.c.Prefix + after
		}
		for info := range s.client.ListObjectsIter(ctx, s.c.Bucket, opts) {
			if info.Err != nil {
				yield(objects.Object{}, s.explain(ctx, "list", info.Err))
				return
			}
			o := objects.Object{Key: info.Key[len(s.c.Prefix):], Size: info.Size, Modified: info.LastModified}
			if o.Key > after && !yield(o, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(objects.Object{}, err)
		}
	}
}
