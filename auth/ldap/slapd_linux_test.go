package ldap_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
)

// slapd is an OpenLDAP server of a test, with its own configuration, database
// and ports, in a directory of its own.
type slapd struct {
	bin, root, dir string
	ldap, ldaps    string // HOST:PORT
	roots          *x509.CertPool
	process        *os.Process
	ended          chan struct{}
}

// findSlapd returns the program and the root below which its modules and
// schemas lie: MAILSTEAD_SLAPD names one for packages that are only unpacked.
func findSlapd() (bin, root string, err error) {
	root = os.Getenv("MAILSTEAD_SLAPD")
	if os.Getenv("MAILSTEAD_PEERS") == "none" {
		return "", "", os.ErrNotExist
	}
	if root != "" {
		bin = filepath.Join(root, "usr/sbin/slapd")
		_, err = os.Stat(bin)
		return bin, root, err
	}
	for _, bin := range []string{"/usr/sbin/slapd", "/usr/lib/openldap/slapd"} {
		if _, err = os.Stat(bin); err == nil {
			return bin, "/", nil
		}
	}
	return "", "", err
}

// shared is the server of all tests that leave it as it is.
var shared struct {
	once sync.Once
	s    *slapd
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.s != nil {
		shared.s.remove()
	}
	os.Exit(code)
}

func sharedSlapd(t *testing.T) *slapd {
	t.Helper()
	shared.once.Do(func() { shared.s, shared.err = launchSlapd() })
	needed(t, shared.err)
	return shared.s
}

// ownSlapd is a server that the test may stop.
func ownSlapd(t *testing.T) *slapd {
	t.Helper()
	s, err := launchSlapd()
	needed(t, err)
	t.Cleanup(s.remove)
	return s
}

// needed skips a test without slapd.
func needed(t *testing.T, err error) {
	t.Helper()
	switch {
	case os.IsNotExist(err) && os.Getenv("MAILSTEAD_PEERS") == "required":
		t.Fatal("slapd is not installed, and MAILSTEAD_PEERS=required")
	case os.IsNotExist(err):
		t.Skip("slapd is not installed")
	case err != nil:
		t.Fatal(err)
	}
}

func launchSlapd() (*slapd, error) {
	bin, root, err := findSlapd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "slapd")
	if err != nil {
		return nil, err
	}
	s := &slapd{bin: bin, root: root, dir: dir}
	for tries := 0; ; tries++ { // somebody may take a port meanwhile
		if err = s.create(); err == nil || tries == 3 {
			break
		}
	}
	if err != nil {
		s.remove()
		return nil, fmt.Errorf("slapd: %w", err)
	}
	return s, nil
}

const slapdConf = `
include $SCHEMA/core.schema
include $SCHEMA/cosine.schema
include $SCHEMA/inetorgperson.schema
include $DIR/ad.schema
pidfile $DIR/pid
argsfile $DIR/args
modulepath $MODULES
moduleload back_mdb
moduleload ppolicy
TLSCACertificateFile $DIR/cert.pem
TLSCertificateFile $DIR/cert.pem
TLSCertificateKeyFile $DIR/key.pem
# No password without TLS.
security simple_bind=128
localSSF 256
threads 4
authz-regexp gidNumber=[0-9]+.uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth cn=service,dc=example,dc=org

database mdb
suffix "dc=example,dc=org"
rootdn "cn=root,dc=example,dc=org"
directory $DIR/org
maxsize 33554432
index objectClass,uid,mail eq
overlay ppolicy
ppolicy_use_lockout
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=service,dc=example,dc=org" read by * none

database mdb
suffix "dc=corp,dc=example,dc=com"
rootdn "cn=root,dc=corp,dc=example,dc=com"
directory $DIR/corp
maxsize 33554432
index objectClass,mail eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=service,dc=example,dc=org" read by * none
`

// create makes configuration and data, and starts the server.
func (s *slapd) create() error {
	if err := s.certificate(); err != nil {
		return err
	}
	schema, err := os.ReadFile("testdata/ad.schema")
	if err != nil {
		return err
	}
	people, err := os.ReadFile("testdata/people.ldif")
	if err != nil {
		return err
	}
	conf := strings.NewReplacer("$SCHEMA", filepath.Join(s.root, "etc/ldap/schema"),
		"$MODULES", filepath.Join(s.root, "usr/lib/ldap"), "$DIR", s.dir).Replace(slapdConf)
	for name, b := range map[string][]byte{
		"ad.schema": schema, "slapd.conf": []byte(conf), "org.ldif": people, "corp.ldif": []byte(corpLDIF(time.Now())),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o600); err != nil {
			return err
		}
	}
	suffixes := map[string]string{"org": "dc=example,dc=org", "corp": "dc=corp,dc=example,dc=com"}
	for name := range suffixes {
		dir := filepath.Join(s.dir, name)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return err
		}
	}
	for name, suffix := range suffixes {
		add := s.command("-T", "add", "-q", "-f", s.dir+"/slapd.conf", "-b", suffix, "-l", s.dir+"/"+name+".ldif")
		if out, err := add.CombinedOutput(); err != nil {
			return fmt.Errorf("slapadd: %w\n%s", err, out)
		}
	}
	if s.ldap, err = freeAddr(); err != nil {
		return err
	}
	if s.ldaps, err = freeAddr(); err != nil {
		return err
	}
	return s.start()
}

// certificate makes a self-signed certificate for 127.0.0.1.
func (s *slapd) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "slapd of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(cert)
	if err := os.WriteFile(s.dir+"/cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(s.dir+"/key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600)
}

// freeAddr lies below the ports that the system gives to outgoing connections, so
// that none of them takes it before the server does.
func freeAddr() (string, error) {
	for {
		port := 10000 + mrand.IntN(22000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return l.Addr().String(), l.Close()
	}
}

// command runs slapd, or one of its tools, with the libraries of its root.
func (s *slapd) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin, args...)
	cmd.Dir = s.dir
	if s.root != "/" {
		libs, _ := filepath.Glob(filepath.Join(s.root, "usr/lib/*-linux-gnu*"))
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libs, ":"))
	}
	return cmd
}

func (s *slapd) socket() string { return "ldapi://" + url.PathEscape(s.dir+"/ldapi") }

// start starts the server and waits until it accepts connections. It ends with
// the test process, however that ends: the kernel watches the thread that
// started it, so that one is kept.
func (s *slapd) start() error {
	cmd := s.command("-d", "0", "-f", s.dir+"/slapd.conf", "-h", fmt.Sprintf("ldap://%s/ ldaps://%s/ %s", s.ldap, s.ldaps, s.socket()))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.process, s.ended = cmd.Process, ended
	for deadline := time.Now().Add(time.Minute); ; {
		for _, addr := range []string{s.ldap, s.ldaps} {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				break
			}
			c.Close()
			if addr == s.ldaps {
				return nil
			}
		}
		select {
		case <-ended:
			return fmt.Errorf("it has ended: %s", &out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.kill()
			return fmt.Errorf("it does not start: %s", &out)
		}
	}
}

func (s *slapd) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// stop stops all threads of the server.
func (s *slapd) stop(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	stopped := func() bool {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.process.Pid))
		for _, name := range stats {
			b, _ := os.ReadFile(name)
			if _, rest, _ := strings.Cut(string(b), ") "); !strings.HasPrefix(rest, "T") {
				return false
			}
		}
		return len(stats) > 0
	}
	for deadline := time.Now().Add(time.Minute); !stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("slapd does not stop")
		}
	}
}

func (s *slapd) kill() {
	if s.process != nil {
		_ = s.process.Kill()
		<-s.ended
		s.process = nil
	}
}

func (s *slapd) remove() {
	s.kill()
	os.RemoveAll(s.dir)
}

// config is a Config for the tree of people.
func (s *slapd) config() ldap.Config {
	c := ldap.OpenLDAP("dc=example,dc=org")
	s.fill(&c)
	c.Users.DisabledAttribute, c.Users.DisabledValues = "accountStatus", []string{"closed"}
	c.Users.SecretAttribute = "mailScram"
	c.Addresses.Domains = []string{"example.org"}
	return c
}

// corp is a Config for the tree with Active Directory's attributes.
func (s *slapd) corp() ldap.Config {
	c := ldap.ActiveDirectory("dc=corp,dc=example,dc=com")
	s.fill(&c)
	c.Addresses.Domains = []string{"example.com"}
	return c
}

func (s *slapd) fill(c *ldap.Config) {
	c.URLs = []string{"ldaps://" + s.ldaps}
	c.TLS = &tls.Config{RootCAs: s.roots}
	c.BindDN, c.Password = serviceDN, login.NewPassword(servicePW)
	c.Logger = logTo(io.Discard)
}

// corpLDIF is the tree with Active Directory's attributes.
func corpLDIF(now time.Time) string {
	ticks := func(d time.Duration) string {
		return fmt.Sprint((now.Add(d).Unix() + 11644473600) * 10_000_000)
	}
	var b strings.Builder
	b.WriteString("dn: dc=corp,dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: Corp\n\n")
	user := func(name string, lines ...string) {
		fmt.Fprintf(&b, "dn: cn=%[1]s,dc=corp,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: user\ncn: %[1]s\nsn: %[1]s\n"+
			"sAMAccountName: %[1]s\nuserPrincipalName: %[1]s@corp.example.com\nmail: %[1]s@example.com\nuserPassword: for %[1]s\n%[2]s\n\n",
			name, strings.Join(lines, "\n"))
	}
	user("normal", "userAccountControl: 512", "lockoutTime: 0", "accountExpires: 9223372036854775807", "pwdLastSet: "+ticks(-time.Hour),
		"proxyAddresses: SMTP:normal@example.com", "proxyAddresses: smtp:second@example.com", "proxyAddresses: x500:/o=x", "mDBOverHardQuotaLimit: 2048")
	user("disabled", "userAccountControl: 514")
	user("lockedout", "userAccountControl: 512", "lockoutTime: "+ticks(-time.Minute))
	user("wasout", "userAccountControl: 512", "lockoutTime: "+ticks(-time.Hour))
	user("computed", "userAccountControl: 512", "msDS-User-Account-Control-Computed: 16")
	user("stale", "userAccountControl: 512", "msDS-User-Account-Control-Computed: 8388608")
	user("expired", "userAccountControl: 512", "accountExpires: "+ticks(-time.Hour))
	user("leaving", "userAccountControl: 512", "accountExpires: "+ticks(time.Hour))
	user("mustchange", "userAccountControl: 512", "pwdLastSet: 0")
	user("never", "userAccountControl: 66048", "pwdLastSet: 0")
	b.WriteString("dn: cn=sales,dc=corp,dc=example,dc=com\nobjectClass: group\ncn: sales\nmail: sales@example.com\n" +
		"proxyAddresses: smtp:verkauf@example.com\nmember: cn=normal,dc=corp,dc=example,dc=com\nmember: cn=disabled,dc=corp,dc=example,dc=com\n\n")
	return b.String()
}

// certificates are those of a server, as PEM.
func certificates(t *testing.T, s *slapd) [][]byte {
	t.Helper()
	b, err := os.ReadFile(s.dir + "/cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{b}
}
