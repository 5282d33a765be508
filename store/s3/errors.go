package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/objects"
)

// What an operator can do something about; tested with errors.Is. Errors that
// match one of them match store.ErrTemporary, too.
var (
	// ErrNoBucket: the bucket does not exist, or its name is wrong.
	ErrNoBucket = errors.New("s3: no such bucket; make it, or correct its name")
	// ErrAccess: the server refuses the credentials.
	ErrAccess = errors.New("s3: access denied")
	// ErrClock: requests are signed with a time that the server refuses.
	ErrClock = errors.New("s3: the clock of this machine and that of the server differ too much; set it")
	// ErrFull: the server takes no more octets.
	ErrFull = errors.New("s3: the server is full, or a quota is reached")
	// ErrOverload: the server said that it has too much to do, or did not
	// answer in time, also after retries.
	ErrOverload = errors.New("s3: the server is overloaded or does not answer")
)

// explain makes an error of the client one of ours. ctx is the caller's, which
// is not the one that bounds the request.
func (s *Store) explain(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r, said := errors.AsType[minio.ErrorResponse](err)
	if !said {
		if _, request := errors.AsType[*url.Error](err); request || errors.Is(err, errCut) || errors.Is(err, context.DeadlineExceeded) {
			return s.temporary(op, ErrOverload, err)
		}
		return s.temporary(op, nil, err)
	}
	switch r.Code {
	case minio.NoSuchKey:
		return objects.ErrNoObject
	case minio.InvalidRange:
		return io.ErrUnexpectedEOF
	case minio.NoSuchBucket:
		return s.temporary(op, ErrNoBucket, err)
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		return s.temporary(op, ErrAccess, errors.New("the access key is unknown there"))
	case "SignatureDoesNotMatch":
		return s.temporary(op, ErrAccess, errors.New("the secret key is wrong, or something on the way changes requests"))
	case "ExpiredToken", "InvalidToken":
		return s.temporary(op, ErrAccess, errors.New("the session token has expired or is wrong"))
	case "RequestTimeTooSkewed", "RequestExpired":
		return s.temporary(op, ErrClock, err)
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage":
		return s.temporary(op, ErrFull, err)
	}
	return s.byStatus(op, r, err)
}

// byStatus judges what has no code that says enough. A 404 is no proof that an
// object is missing: some servers answer it to unknown credentials, too.
func (s *Store) byStatus(op string, r minio.ErrorResponse, err error) error {
	switch {
	case r.StatusCode == http.StatusForbidden, r.StatusCode == http.StatusUnauthorized:
		return s.temporary(op, ErrAccess, errors.New(
			"the key needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket on the bucket"))
	case r.StatusCode == http.StatusInsufficientStorage:
		return s.temporary(op, ErrFull, err)
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode >= 500:
		return s.temporary(op, ErrOverload, err)
	}
	return s.temporary(op, nil, err)
}

// temporary says what failed where; kind may be nil.
func (s *Store) temporary(op string, kind, err error) error {
	if kind != nil {
		err = fmt.Errorf("%w (%w)", kind, err)
	}
	return fmt.Errorf("%w: %s in bucket %s at %s: %w", store.ErrTemporary, op, s.c.Bucket, s.c.Endpoint, err)
}
