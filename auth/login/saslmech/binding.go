package saslmech

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/xdg-go/scram"
)

// The channel bindings of TLS.
const (
	TLSExporter       = "tls-exporter"         // RFC 9266
	TLSServerEndPoint = "tls-server-end-point" // RFC 5929 §4
	TLSUnique         = "tls-unique"           // RFC 5929 §3; not in TLS 1.3
)

// Binding is one channel binding of a connection.
type Binding struct {
	Name string
	Data []byte
}

// Bindings returns what an exchange on a TLS connection can be bound to, best
// first; nil for a nil state and before the handshake's end. certificate is
// what the server showed, on both sides; nil leaves tls-server-end-point out.
//
// tls-exporter and tls-unique need TLS 1.3 or the extended master secret
// (RFC 7627): without it they say nothing about who is at the other end
// (RFC 7677 §4).
func Bindings(state *tls.ConnectionState, certificate *x509.Certificate) []Binding {
	if state == nil || !state.HandshakeComplete || state.Version == 0 {
		return nil
	}
	var all []Binding
	exporter, err := scram.NewTLSExporterBinding(state)
	safe := err == nil
	if safe && state.Version < tls.VersionTLS13 && len(state.TLSUnique) > 0 {
		// What RFC 5802 §6.1 names for these versions, and older peers know.
		all = append(all, Binding{TLSUnique, state.TLSUnique})
	}
	if safe {
		all = append(all, Binding{TLSExporter, exporter.Data})
	}
	if certificate != nil {
		// The library hashes the certificate of the peer, which on a server is
		// the client's: it gets the right one here.
		b, err := scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}})
		if err == nil {
			all = append(all, Binding{TLSServerEndPoint, b.Data})
		}
	}
	return all
}

// findBinding returns the binding of a name.
func findBinding(all []Binding, name string) (Binding, bool) {
	for _, b := range all {
		if b.Name == name {
			return b, true
		}
	}
	return Binding{}, false
}
