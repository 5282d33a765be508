package saslmech

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"
)

// channel is one TLS connection, seen from both ends.
type channel struct {
	server, client *tls.ConnectionState
	certificate    *x509.Certificate
}

// handshake makes a TLS connection of one version.
func handshake(t testing.TB, version uint16, algorithm x509.SignatureAlgorithm) channel {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.org"}, DNSNames: []string{"mail.example.org"},
		NotAfter: time.Now().Add(time.Hour), SignatureAlgorithm: algorithm,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, crypto.PublicKey(&key.PublicKey), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	a, b := net.Pipe()
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: version, MaxVersion: version})
	client := tls.Client(b, &tls.Config{RootCAs: roots, ServerName: "mail.example.org", MinVersion: version, MaxVersion: version})
	result := make(chan error, 1)
	go func() {
		err := server.HandshakeContext(t.Context())
		if err == nil {
			_, err = server.Write([]byte("x"))
		}
		result <- err
	}()
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	s, c := server.ConnectionState(), client.ConnectionState()
	return channel{&s, &c, certificate}
}

func names(all []Binding) (list []string) {
	for _, b := range all {
		list = append(list, b.Name)
	}
	return list
}

// Both ends of a connection have the same bindings, and no two connections do.
func TestBindings(t *testing.T) {
	for _, tt := range []struct {
		version uint16
		want    []string
	}{
		{tls.VersionTLS13, []string{TLSExporter, TLSServerEndPoint}},
		{tls.VersionTLS12, []string{TLSUnique, TLSExporter, TLSServerEndPoint}},
	} {
		ch, other := handshake(t, tt.version, x509.ECDSAWithSHA256), handshake(t, tt.version, x509.ECDSAWithSHA256)
		server := Bindings(ch.server, ch.certificate)
		client := Bindings(ch.client, ch.client.PeerCertificates[0])
		if !slices.Equal(names(server), tt.want) || !slices.Equal(names(client), tt.want) {
			t.Fatalf("%x: server %v, client %v", tt.version, names(server), names(client))
		}
		for i, b := range Bindings(other.server, other.certificate) {
			if string(server[i].Data) != string(client[i].Data) || string(b.Data) == string(server[i].Data) || len(b.Data) < 12 {
				t.Errorf("%s: %x, %x, another connection %x", b.Name, server[i].Data, client[i].Data, b.Data)
			}
		}
		if got := names(Bindings(ch.server, nil)); slices.Contains(got, TLSServerEndPoint) {
			t.Errorf("without the certificate: %v", got)
		}
	}
	if Bindings(nil, nil) != nil || Bindings(&tls.ConnectionState{}, nil) != nil {
		t.Error("bindings of nothing")
	}
}

// RFC 5929 §4.1: the hash of the certificate's signature, and SHA-256 for those
// that are weaker.
func TestServerEndPoint(t *testing.T) {
	for algorithm, sum := range map[x509.SignatureAlgorithm]func([]byte) []byte{
		x509.ECDSAWithSHA256: func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		x509.ECDSAWithSHA384: func(b []byte) []byte { s := sha512.Sum384(b); return s[:] },
		x509.ECDSAWithSHA512: func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
	} {
		ch := handshake(t, tls.VersionTLS13, algorithm)
		b, ok := findBinding(Bindings(ch.server, ch.certificate), TLSServerEndPoint)
		if !ok || string(b.Data) != string(sum(ch.certificate.Raw)) {
			t.Errorf("%v: %x", algorithm, b.Data)
		}
	}
	weak := &x509.Certificate{Raw: []byte("x"), SignatureAlgorithm: x509.SHA1WithRSA}
	ch := handshake(t, tls.VersionTLS13, x509.ECDSAWithSHA256)
	want := sha256.Sum256([]byte("x"))
	if b, _ := findBinding(Bindings(ch.server, weak), TLSServerEndPoint); string(b.Data) != string(want[:]) {
		t.Errorf("SHA-1: %x", b.Data)
	}
}

// An exchange that is bound to the channel works with each binding, and fails
// where somebody forwards it from one connection to another.
func TestSCRAMPlus(t *testing.T) {
	ch, other := handshake(t, tls.VersionTLS12, x509.ECDSAWithSHA256), handshake(t, tls.VersionTLS12, x509.ECDSAWithSHA256)
	for _, hash := range []SCRAMHash{SHA1, SHA256, SHA512} {
		v := verifierWith(t, hash, "pencil", []byte("salt"))
		for i, binding := range Bindings(ch.client, ch.certificate) {
			var judged []string
			s := serverOf(v, "user", &judged)
			s.Plus, s.Bindings = true, Bindings(ch.server, ch.certificate)
			c := SCRAMClient{Hash: hash, Username: "user", Password: "pencil", Authzid: "a,b", Binding: binding}
			if mechanism, _, _ := c.New().Start(); mechanism != hash.Mechanism()+"-PLUS" {
				t.Errorf("mechanism %s", mechanism)
			}
			serverErr, clientErr := run(s.New(), c.New())
			if serverErr != nil || clientErr != nil {
				t.Errorf("%s, %s: server %v, client %v", hash, binding.Name, serverErr, clientErr)
			}
			c.Binding = Bindings(other.client, other.certificate)[i]
			if serverErr, clientErr = run(s.New(), c.New()); !errors.Is(serverErr, errDenied) || !errors.Is(clientErr, ErrUnproved) {
				t.Errorf("%s, %s, forwarded: server %v, client %v", hash, binding.Name, serverErr, clientErr)
			}
		}
	}
}

// Which flags go with which mechanism (RFC 5802 §6).
func TestSCRAMFlags(t *testing.T) {
	ch := handshake(t, tls.VersionTLS13, x509.ECDSAWithSHA256)
	all := Bindings(ch.server, ch.certificate)
	for _, tt := range []struct {
		name     string
		plus     bool
		bindings []Binding
		header   string
		err      error
	}{
		{"n, none offered", false, nil, "n,,", nil},
		{"y, none offered", false, nil, "y,,", nil},
		{"n, -PLUS offered", false, all, "n,,", nil},
		{"y, -PLUS offered", false, all, "y,,", ErrDowngrade},
		{"p, without -PLUS", false, all, "p=tls-exporter,,", ErrBinding},
		{"p, none offered", false, nil, "p=tls-exporter,,", ErrBinding},
		{"p with -PLUS", true, all, "p=tls-exporter,,", nil},
		{"end point with -PLUS", true, all, "p=tls-server-end-point,,", nil},
		{"unknown binding", true, all, "p=tls-unheard-of,,", ErrBinding},
		{"binding of TLS 1.2", true, all, "p=tls-unique,,", ErrBinding},
		{"n with -PLUS", true, all, "n,,", ErrBinding},
		{"y with -PLUS", true, all, "y,,", ErrDowngrade},
		{"-PLUS without bindings", true, nil, "p=tls-exporter,,", ErrBinding},
	} {
		var judged []string
		s := serverOf(verifierWith(t, SHA256, "pencil", []byte("salt")), "user", &judged)
		s.Plus, s.Bindings = tt.plus, tt.bindings
		if _, _, err := s.New().Next([]byte(tt.header + "n=user,r=abc")); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v; want %v", tt.name, err, tt.err)
		}
	}
}
