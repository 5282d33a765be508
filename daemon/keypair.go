package daemon

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// KeyPair serves a certificate and its key from two PEM files, and reads them
// again when they change. A pair that cannot be read, or that does not fit
// together, as while another program is writing it, leaves the last good one
// in use. Its methods may be called from any number of goroutines.
type KeyPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // guards what follows
	pair    *tls.Certificate
	used    stamps // of the files that pair was read from
	failed  stamps // of the files that could not be read last
	checked time.Time
}

// stamps tell one state of the two files from another.
type stamps [2]struct {
	modified time.Time
	size     int64
}

// recheck is how long a look at the files serves.
const recheck = time.Second

// LoadKeyPair reads the pair once. certFile holds the certificate and the
// chain behind it. logger gets what is wrong with a later pair; nil =
// slog.Default().
func LoadKeyPair(certFile, keyFile string, logger *slog.Logger) (*KeyPair, error) {
	if logger == nil {
		logger = slog.Default()
	}
	k := &KeyPair{certFile: certFile, keyFile: keyFile, log: logger}
	k.used = k.stamps()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	k.pair, k.checked = &pair, time.Now()
	return k, nil
}

// GetCertificate is for tls.Config. It looks at the files at most once a
// second. The error is always nil.
func (k *KeyPair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.checked) >= recheck {
		k.checked = now
		k.reloadLocked()
	}
	return k.pair, nil
}

func (k *KeyPair) reloadLocked() {
	now := k.stamps()
	if now == k.used {
		return
	}
	pair, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
	if err != nil {
		if now != k.failed {
			k.log.Error("cannot reload the certificate; the last one stays in use", "file", k.certFile, "error", err)
		}
		k.failed = now
		return
	}
	k.pair, k.used = &pair, now
	k.log.Info("certificate reloaded", "file", k.certFile)
}

// stamps looks at the files; what is missing is zero.
func (k *KeyPair) stamps() (s stamps) {
	for i, f := range [...]string{k.certFile, k.keyFile} {
		if info, err := os.Stat(f); err == nil {
			s[i].modified, s[i].size = info.ModTime(), info.Size()
		}
	}
	return s
}
