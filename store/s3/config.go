package s3

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says which bucket, and how to reach it. It prints without its secrets.
type Config struct {
	// Endpoint is HOST or HOST:PORT. Required.
	Endpoint string

	// Bucket is the bucket, which must exist. Required.
	Bucket string

	// Prefix is put before all keys. It ends with "/" unless it is empty; a
	// missing one is added. Nothing else may have keys with it.
	Prefix string

	// AccessKey and SecretKey are the credentials, with SessionToken where
	// they are temporary. Without an AccessKey they are those of the
	// environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
	// AWS_SESSION_TOKEN), of ~/.aws/credentials, or of the machine's role, in
	// this order.
	AccessKey, SecretKey, SessionToken string

	// Plain: HTTP without TLS. For a server on this machine or behind a
	// proxy of it.
	Plain bool

	// Region of the bucket; "" = us-east-1, or what the endpoint of Amazon
	// says.
	Region string

	// HostStyle: the bucket is part of the host name. Amazon is asked in that
	// way anyway; other servers mostly want it in the path.
	HostStyle bool

	// Unconditional leaves out If-None-Match, for servers that do not know
	// it. Keys are used once, so that nothing is overwritten by it.
	Unconditional bool

	// Timeout is how long the server may take to accept a connection, and to
	// begin an answer. Zero = 30 s.
	Timeout time.Duration

	// MinRate is how many octets a second a transfer makes at least; a slower
	// one ends after 2 minutes and the time that its size takes. Zero =
	// 100 KiB.
	MinRate int64

	// Attempts is how often a request is made before it fails. Zero = 5.
	Attempts int

	// Transport makes the requests; nil = one of its own, with Timeout.
	Transport http.RoundTripper
}

// ErrConfig: a Config or a URL that cannot be right.
var ErrConfig = errors.New("s3: malformed configuration")

// Parse reads the form of a Config that fits into a flag:
//
//	s3://ACCESS:SECRET@HOST:PORT/BUCKET/PREFIX?tls=0&region=eu-central-1
//
// ACCESS:SECRET@ may be missing (see Config.AccessKey); in it, what has a
// meaning in URLs is percent-encoded. The parameters are tls (1 or 0), region,
// style (path or host), and conditional (1 or 0). The error never repeats the
// text, as there is a secret in it. ErrConfig.
func Parse(text string) (Config, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Config{}, fmt.Errorf("%w: not a URL; characters such as / + @ in the secret must be percent-encoded", ErrConfig)
	}
	if u.Scheme != "s3" || u.Host == "" || u.Opaque != "" || u.Fragment != "" {
		return Config{}, fmt.Errorf("%w: want s3://ACCESS:SECRET@HOST:PORT/BUCKET/PREFIX", ErrConfig)
	}
	c := Config{Endpoint: u.Host}
	if u.User != nil {
		c.AccessKey = u.User.Username()
		c.SecretKey, _ = u.User.Password()
	}
	c.Bucket, c.Prefix, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("%w: malformed parameters", ErrConfig)
	}
	for name, values := range q {
		if err := c.set(name, values[len(values)-1]); err != nil {
			return Config{}, err
		}
	}
	return c, c.Validate()
}

// set sets a parameter of the URL.
func (c *Config) set(name, value string) error {
	one := func(yes, no string) (bool, error) {
		if value == yes || value == no {
			return value == yes, nil
		}
		return false, fmt.Errorf("%w: parameter %s is %s or %s", ErrConfig, name, yes, no)
	}
	var err error
	switch name {
	case "tls":
		c.Plain, err = one("0", "1")
	case "region":
		c.Region = value
	case "style":
		c.HostStyle, err = one("host", "path")
	case "conditional":
		c.Unconditional, err = one("0", "1")
	default:
		err = fmt.Errorf("%w: unknown parameter; known are tls, region, style, conditional", ErrConfig)
	}
	return err
}

// Validate lists all faults. ErrConfig.
func (c *Config) Validate() error {
	var errs []error
	fault := func(bad bool, text string) {
		if bad {
			errs = append(errs, fmt.Errorf("%w: %s", ErrConfig, text))
		}
	}
	fault(c.Endpoint == "", "no endpoint")
	fault(strings.ContainsAny(c.Endpoint, "/@?#"), "the endpoint is HOST or HOST:PORT")
	fault(c.Bucket == "", "no bucket")
	fault(c.AccessKey != "" && c.SecretKey == "", "an access key without its secret")
	fault(c.AccessKey == "" && c.SecretKey != "", "a secret without its access key")
	fault(len(c.Prefix) > 500, "the prefix is longer than 500 octets")
	fault(c.Timeout < 0 || c.MinRate < 0 || c.Attempts < 0, "a limit is negative")
	return errors.Join(errs...)
}

func (c *Config) setDefaults() {
	c.Prefix = strings.Trim(c.Prefix, "/")
	if c.Prefix != "" {
		c.Prefix += "/"
	}
	if c.Region == "" && !strings.Contains(c.Endpoint, ".amazonaws.com") {
		c.Region = "us-east-1"
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.MinRate == 0 {
		c.MinRate = 100 << 10
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
}

// String is where the bucket is; never a secret.
func (c Config) String() string {
	u := url.URL{Scheme: "s3", Host: c.Endpoint, Path: "/" + c.Bucket + "/" + c.Prefix}
	return u.String()
}

// GoString is String, so that %#v has no secret either.
func (c Config) GoString() string { return c.String() }

// LogValue implements slog.LogValuer.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
