package main

import (
	"crypto/sha256"
	"crypto/tls"
	"slices"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// pinCertificate accepts the certificates of these SHA-256 fingerprints and no
// others, whoever signed them and whatever name they have.
func pinCertificate(c *tls.Config, fingerprints []string) error {
	var sums [][sha256.Size]byte
	for _, text := range fingerprints {
		sum, err := settings.ParseFingerprint(text)
		if err != nil {
			return err
		}
		sums = append(sums, sum)
	}
	c.InsecureSkipVerify = true // VerifyConnection does it
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) > 0 && slices.Contains(sums, sha256.Sum256(state.PeerCertificates[0].Raw)) {
			return nil
		}
		return errFingerprint
	}
	return nil
}
