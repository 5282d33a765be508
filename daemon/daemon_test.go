package daemon_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/daemon"
)

// pemPair makes a certificate with the serial number n.
func pemPair(t *testing.T, n int64) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(n), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func TestKeyPair(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	age := 0
	write := func(file string, data []byte) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		age++ // file systems differ in how fine their clock is
		when := time.Unix(int64(1_000_000+age), 0)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := daemon.LoadKeyPair(certFile, keyFile, nil); err == nil {
		t.Error("a pair that is missing was loaded")
	}
	cert1, key1 := pemPair(t, 1)
	cert2, key2 := pemPair(t, 2)
	write(certFile, cert1)
	write(keyFile, key1)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		pair, err := daemon.LoadKeyPair(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		want := func(serial int64) {
			t.Helper()
			got, err := pair.GetCertificate(nil)
			if err != nil || got.Leaf.SerialNumber.Int64() != serial {
				t.Errorf("%v, %v; want %d", got.Leaf.SerialNumber, err, serial)
			}
		}
		want(1)
		write(certFile, cert2) // its key is still the old one
		want(1)
		time.Sleep(time.Second)
		want(1)
		time.Sleep(time.Second)
		want(1)
		if n := strings.Count(log.String(), "cannot reload"); n != 1 {
			t.Errorf("the fault was logged %d times", n)
		}
		write(keyFile, key2)
		want(1) // not looked at again so soon
		time.Sleep(time.Second)
		want(2)
		os.Remove(keyFile)
		time.Sleep(time.Second)
		want(2)
	})
}

// The test starts itself as systemd would: the sockets from descriptor 3 on,
// LISTEN_PID known only in the child.
func TestSockets(t *testing.T) {
	if os.Getenv("DAEMON_TEST") == "child" {
		child()
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("no socket activation")
	}
	run := func(env string, files ...*os.File) string {
		t.Helper()
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=${LISTEN_PID:-$$} exec "$0" -test.run=^TestSockets$`, exe)
		cmd.Env = append(os.Environ(), "DAEMON_TEST=child")
		cmd.Env = append(cmd.Env, strings.Fields(env)...)
		cmd.ExtraFiles = files
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		return line
	}
	file := func() (*os.File, string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f, l.Addr().String()
	}
	a, addrA := file()
	b, addrB := file()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, tt := range []struct {
		env   string
		files []*os.File
		want  string
	}{
		{"LISTEN_FDS=2 LISTEN_FDNAMES=smtp:submission", []*os.File{a, b}, "smtp=" + addrA + " submission=" + addrB + " end"},
		{"LISTEN_FDS=2 LISTEN_FDNAMES=smtp", []*os.File{a, b}, "smtp=" + addrA + " =" + addrB + " end"},
		{"LISTEN_FDS=0", nil, "end"},
		{"LISTEN_FDS=1 LISTEN_PID=1", []*os.File{a}, "end"},
		{"", nil, "error"},
		{"LISTEN_FDS=-1", nil, "error"},
		{"LISTEN_FDS=2", []*os.File{a, null}, "error"},
	} {
		if got := run(tt.env, tt.files...); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.env, got, tt.want)
		}
	}
}

// child says what it was given.
func child() {
	sockets, err := daemon.Sockets()
	if err != nil {
		fmt.Println("error")
		return
	}
	for _, s := range sockets {
		fmt.Printf("%s=%s ", s.Name, s.Addr())
	}
	fmt.Println("end" + os.Getenv("LISTEN_PID"))
}
