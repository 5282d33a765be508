package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mailstead/mailstead/deliver/tlspolicy"
)

// outboundFileName is in the data directory.
const outboundFileName = "outbound.toml"

// outboundFile says where mail goes, how TLS to other servers has to be, whether
// reports go out, and what the queue does besides delivering. Its zero value, as
// without a file, has the defaults.
// docs/guide/mailserver.md explains it.
type outboundFile struct {
	TLS     tlsFile     `toml:"tls"`
	Reports reportsFile `toml:"reports"`

	Targets map[string]*targetFile `toml:"targets"` // other mail hosts, by name
	Routes  []routeFile            `toml:"routes"`  // who gets mail there

	Queue    queueFile     `toml:"queue"`
	Webhooks []webhookFile `toml:"webhooks"`
}

// tlsFile is how TLS to other servers has to be.
type tlsFile struct {
	DANE       *bool               `toml:"dane"`        // default true
	MTASTS     *bool               `toml:"mta-sts"`     // default true
	InsecureMX bool                `toml:"insecure-mx"` // DANE also for hosts found without DNSSEC
	Default    *tlsEntry           `toml:"default"`     // for domains without an entry
	Domains    map[string]tlsEntry `toml:"domains"`     // ".example.org": those below it
	Relay      *tlsEntry           `toml:"relay"`       // of the smart host of -relay
	table      *tlspolicy.Table    // of Default and Domains
	relay      *tlspolicy.Static   // of Relay
}

// tlsEntry is a tlspolicy.Static in words.
type tlsEntry struct {
	Level        string   `toml:"level"`
	Override     bool     `toml:"override"`
	Names        []string `toml:"names"`
	Fingerprints []string `toml:"fingerprints"`
}

// reportsFile is about the daily reports to domains that ask for them.
type reportsFile struct {
	Enabled      *bool  `toml:"enabled"`      // default: where hostname is public and there is a key for From
	From         string `toml:"from"`         // the mailbox that they come from; default postmaster@ the first domain
	Organization string `toml:"organization"` // default: the host name
}

// readOutboundFile reads the file; a missing one is as good as an empty one.
func readOutboundFile(dir string) (*outboundFile, error) {
	path := filepath.Join(dir, outboundFileName)
	f := &outboundFile{}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		d := toml.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(f); err != nil {
			if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
				err = fmt.Errorf("unknown name:\n%s", strict.String())
			}
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := f.TLS.compile(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if from := f.Reports.From; from != "" && !isAddress(from) {
		return nil, fmt.Errorf("%s: reports.from: %q is not a mailbox", path, from)
	}
	if err := f.compileRoutes(dir); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := f.compileWebhooks(dir); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// compile makes policies of the words.
func (f *tlsFile) compile() error {
	f.table = &tlspolicy.Table{Domains: map[string]tlspolicy.Static{}}
	if f.Default != nil {
		s, err := f.Default.static()
		if err != nil {
			return fmt.Errorf("tls.default: %w", err)
		}
		f.table.Default = *s
	}
	for domain, e := range f.Domains {
		s, err := e.static()
		if err != nil {
			return fmt.Errorf("tls.domains.%q: %w", domain, err)
		}
		f.table.Domains[strings.ToLower(domain)] = *s
	}
	if err := f.table.Validate(); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if f.Relay == nil {
		return nil
	}
	var err error
	if f.relay, err = f.Relay.static(); err != nil {
		return fmt.Errorf("tls.relay: %w", err)
	}
	if f.relay.Level == tlspolicy.DANEOnly {
		return errors.New("tls.relay: dane-only does not go with a smart host")
	}
	return nil
}

func (e *tlsEntry) static() (*tlspolicy.Static, error) {
	s := &tlspolicy.Static{Override: e.Override, Names: e.Names}
	var err error
	if e.Level != "" {
		if s.Level, err = tlspolicy.ParseLevel(e.Level); err != nil {
			return nil, err
		}
	}
	for _, text := range e.Fingerprints {
		sum, err := tlspolicy.ParseFingerprint(text)
		if err != nil {
			return nil, err
		}
		s.Fingerprints = append(s.Fingerprints, sum)
	}
	return s, s.Validate()
}

// isOn is a switch that is on where nothing is said.
func isOn(b *bool) bool { return b == nil || *b }
