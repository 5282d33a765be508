package ldap

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// server is one server of the directory, and what is known of its health.
type server struct {
	url     string // for logs
	network string // "tcp" or "unix"
	address string
	layer   layer
	tls     *tls.Config // with the name to verify

	mu        sync.Mutex
	downUntil time.Time // asked after the others until then; zero: it works
}

// layer is what protects a connection.
type layer uint8

const (
	implicitTLS layer = iota
	startTLS
	plain // by AllowPlaintext, or a socket of this machine
)

// downTime is how long a server that failed is asked after the others.
const downTime = 30 * time.Second

// up reports whether s is asked in its turn.
func (s *server) up(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.Before(s.downUntil)
}

// mark notes how s did. changed: it did otherwise before.
func (s *server) mark(failed bool) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := !s.downUntil.IsZero()
	s.downUntil = time.Time{}
	if failed {
		s.downUntil = time.Now().Add(downTime)
	}
	return was != failed
}

// What is wrong with a URL. The texts do not repeat it: there may be a
// password in it.
var (
	errURL      = errors.New("want ldaps://HOST[:PORT], ldap://HOST[:PORT] or ldapi://PATH, and nothing else")
	errURLUser  = errors.New("a name or password does not belong into it; see BindDN and Password")
	errURLExtra = errors.New("a DN, filter or attributes do not belong into it; see Base and the Filters")
)

// parseURL reads one of Config.URLs.
func parseURL(text string, c *Config) (*server, error) {
	if path, ok := strings.CutPrefix(text, "ldapi://"); ok {
		path, err := url.PathUnescape(strings.TrimSuffix(path, "/"))
		if err != nil || !strings.HasPrefix(path, "/") {
			return nil, errURL
		}
		return &server{url: text, network: "unix", address: path, layer: plain}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return nil, errURL
	}
	if u.User != nil {
		return nil, errURLUser
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errURLExtra
	}
	s := &server{url: u.Scheme + "://" + u.Host, network: "tcp"}
	port := u.Port()
	switch u.Scheme {
	case "ldaps":
		s.layer = implicitTLS
		port = orDefault(port, "636")
	case "ldap":
		s.layer = startTLS
		if c.AllowPlaintext {
			s.layer = plain
		}
		port = orDefault(port, "389")
	default:
		return nil, errURL
	}
	s.address = net.JoinHostPort(u.Hostname(), port)
	s.tls = clientTLS(c.TLS, u.Hostname())
	return s, nil
}

func orDefault(s, text string) string {
	if s == "" {
		return text
	}
	return s
}

// clientTLS is conf for a server of this name.
func clientTLS(conf *tls.Config, name string) *tls.Config {
	if conf == nil {
		conf = &tls.Config{}
	}
	conf = conf.Clone()
	if conf.ServerName == "" {
		conf.ServerName = name
	}
	if conf.MinVersion == 0 {
		conf.MinVersion = tls.VersionTLS12
	}
	return conf
}
