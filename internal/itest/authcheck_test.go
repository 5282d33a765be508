package itest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// authcheck is examples/authcheck, built.
func authcheck(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "authcheck")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./authcheck")
	cmd.Dir = filepath.Join("..", "..", "examples")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// unbound starts Debian's unbound, installed or unpacked, as a server of these
// records ("NAME TYPE VALUE" each) below example, and returns where it listens.
func unbound(t *testing.T, records [][3]string) string {
	t.Helper()
	addr := freeAddrs(t, []string{"dns"})["dns"]
	dir := t.TempDir()
	var conf strings.Builder
	fmt.Fprintf(&conf, "server:\n directory: %q\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n num-threads: 1\n", dir)
	fmt.Fprintf(&conf, " interface: %s\n module-config: \"iterator\"\n local-zone: \"example.\" static\n local-zone: \"broken.example.\" always_refuse\n", strings.Replace(addr, ":", "@", 1))
	for _, r := range records {
		value := r[2]
		if r[1] == "TXT" {
			value = ""
			for text := r[2]; text != ""; {
				n := min(len(text), 255)
				value += ` "` + text[:n] + `"`
				text = text[n:]
			}
		}
		fmt.Fprintf(&conf, " local-data: '%s. 60 IN %s %s'\n", r[0], r[1], value)
	}
	runUnbound(t, addr, conf.String())
	return addr
}

// runUnbound starts Debian's unbound, installed or unpacked, and returns when it
// answers at addr.
func runUnbound(t *testing.T, addr, conf string) {
	t.Helper()
	file := writeFile(t, "unbound.conf", []byte(conf+"remote-control:\n control-enable: no\n"))
	var cmd *exec.Cmd
	if path, err := exec.LookPath("unbound"); err == nil {
		cmd = exec.CommandContext(t.Context(), path, "-d", "-c", file)
	} else {
		cmd = fromRoot(t.Context(), t, unpacked(t, "MAILSTEAD_UNBOUND", "the unpacked package unbound"), "usr/sbin/unbound", "-d", "-c", file)
	}
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the context of the test has ended by then
	client := &dnsx.Client{Servers: []netip.AddrPort{netip.MustParseAddrPort(addr)}, Timeout: 100 * time.Millisecond, Rounds: 1}
	defer func() {
		if t.Failed() {
			t.Log(log.tail())
		}
	}()
	eventually(t, 10*time.Second, "unbound does not answer", func() bool {
		_, err := client.Lookup(t.Context(), "example", dnsx.TXT)
		if err != nil && !dnsx.NotFound(err) && cmd.ProcessState != nil {
			t.Fatalf("unbound ended: %s", log.tail())
		}
		return dnsx.NotFound(err)
	})
}

// TestAuthcheckUnbound: authcheck over a real recursive server, with answers over
// UDP and, where they are large, over TCP.
func TestAuthcheckUnbound(t *testing.T) {
	needServer(t)
	key, err := dkim.GenerateRSA(4096)
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	many := "v=spf1" + strings.Repeat(" ip4:198.51.100.0/24", 150) + " ip4:192.0.2.1 -all"
	addr := unbound(t, [][3]string{
		{"org.example", "TXT", "v=spf1 mx include:big.example exp=why.example -all"},
		{"org.example", "MX", "10 mx.org.example."},
		{"mx.org.example", "AAAA", "2001:db8::1"},
		{"big.example", "TXT", many}, // three kilobytes
		{"why.example", "TXT", "%{i} may not"},
		{"_dmarc.org.example", "TXT", "v=DMARC1; p=reject; sp=quarantine; np=none"},
		{"sub.org.example", "A", "192.0.2.1"},
		{"s._domainkey.org.example", "TXT", record},
		{"alias.example", "CNAME", "org.example."},
	})
	message := "From: joe@org.example\r\nSubject: x\r\n\r\ntext\r\n"
	fields, err := (&dkim.Signer{Keys: []dkim.Key{{Domain: "org.example", Selector: "s", Signer: key}}}).Sign(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	program := authcheck(t)
	const treewalk = " org=org.example record=org.example policy="
	for _, test := range []struct {
		name, ip, from, message string
		want                    []string
	}{
		{"mx over IPv6", "2001:db8::1", "joe@org.example", message, []string{
			"spf=pass identity=mailfrom domain=org.example", "dkim=none", "dmarc=pass from=org.example" + treewalk + "reject disposition=none discovery=treewalk",
		}},
		{"include over TCP", "192.0.2.1", "joe@org.example", message, []string{"spf=pass identity=mailfrom domain=org.example"}},
		{"explained", "203.0.113.9", "joe@org.example", message, []string{
			`spf=fail identity=mailfrom domain=org.example exp="203.0.113.9 may not"`, "dmarc=fail from=org.example" + treewalk + "reject disposition=reject discovery=treewalk",
		}},
		{"CNAME", "192.0.2.1", "joe@alias.example", message, []string{"spf=pass identity=mailfrom domain=alias.example"}},
		{"4096 bits", "203.0.113.9", "joe@none.example", string(fields) + message, []string{
			"spf=none identity=mailfrom domain=none.example", "dkim=pass d=org.example s=s a=rsa-sha256", "dmarc=pass from=org.example" + treewalk + "reject disposition=none discovery=treewalk",
		}},
		{"below", "203.0.113.9", "joe@none.example", strings.Replace(message, "@org", "@sub.org", 1), []string{
			"dmarc=fail from=sub.org.example" + treewalk + "quarantine disposition=quarantine discovery=treewalk",
		}},
		{"does not exist", "203.0.113.9", "joe@none.example", strings.Replace(message, "@org", "@no.org", 1), []string{
			"dmarc=fail from=no.org.example" + treewalk + "none disposition=none discovery=treewalk",
		}},
		{"refused", "203.0.113.9", "joe@broken.example", strings.Replace(message, "@org", "@broken", 1), []string{
			"spf=temperror identity=mailfrom domain=broken.example", "dmarc=temperror from=broken.example discovery=treewalk",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, code := authcheckRun(t, program, test.message, "-resolver", addr, "-ip", test.ip, "-helo", "mx.org.example", "-from", test.from, "-authserv-id", "here.example")
			if code != 0 {
				t.Errorf("exit %d", code)
			}
			for _, line := range test.want {
				if !strings.Contains("\n"+out, "\n"+line+"\n") {
					t.Errorf("no line %q in\n%s", line, out)
				}
			}
		})
	}
}

// authcheckRun runs the built program.
func authcheckRun(t *testing.T, program, stdin string, args ...string) (stdout string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, os.Stderr, os.Environ()
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), 0
}
