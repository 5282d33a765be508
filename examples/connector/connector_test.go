package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/smtp"
)

// runProgram runs the program in this process.
func runProgram(t *testing.T, stdin string, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(stdin), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const personal = "hostname = \"h.example\"\n[[source]]\nname = \"a\"\nprotocol = \"imaps\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"u\"\nrecipient = \"a@example.org\"\n"

func TestExitCodes(t *testing.T) {
	good := write(t, "good.toml", personal+"password = \"hunter2\"\n")
	faulty := write(t, "faulty.toml", personal+"passwrod = \"hunter2\"\n")
	env := write(t, "env.toml", personal+"password-env = \"CONNECTOR_TEST_NONE\"\n")
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"help", []string{"-h"}, exitOK, ""},
		{"nothing", nil, exitUse, "expected one of"},
		{"unknown command", []string{"bogus"}, exitUse, "unexpected argument bogus"},
		{"unknown flag", []string{"run", "--bogus"}, exitUse, "unknown flag --bogus"},
		{"no configuration", []string{"-c", "/nonexistent", "run"}, exitUse, "--config: stat /nonexistent"},
		{"faulty", []string{"-c", faulty, "run"}, exitUse, "faulty.toml:9: source.passwrod: unknown name"},
		{"no environment", []string{"-c", env, "--data", t.TempDir(), "once"}, exitUse, "env.toml:2: source[0]: password: the environment variable CONNECTOR_TEST_NONE is empty"},
		{"no environment, checked", []string{"-c", env, "check"}, exitUse, "env.toml:2: source[0].password: the environment variable"},
		{"offline", []string{"-c", good, "check", "--offline"}, exitOK, "1 sources, 1 targets"},
		{"nobody listens", []string{"-c", good, "check"}, exitFault, ""},
		{"once, nobody listens", []string{"-c", good, "--data", filepath.Join(t.TempDir(), "d"), "once"}, exitFault, "a: "},
		{"no such source", []string{"-c", good, "--data", t.TempDir(), "once", "b"}, exitUse, "there is no source b"},
		{"bad http", []string{"-c", good, "--data", t.TempDir(), "run", "--http", "127.0.0.1:99999"}, exitUse, "http: "},
		{"data is a file", []string{"-c", good, "--data", good, "run"}, exitUse, "data: "},
		{"import of nothing", []string{"import-config", "fetchmailrc", "/nonexistent"}, exitUse, "open /nonexistent"},
		{"import of what it is not", []string{"import-config", "fetchmailrc", good}, exitUse, "good.toml:1: want set, defaults, poll or skip"},
		{"import from what is not known", []string{"import-config", "outlook", good}, exitUse, "must be one of"},
		{"status", []string{"-c", good, "--data", t.TempDir(), "status"}, exitOK, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, err := runProgram(t, "", tt.args...)
			if code != tt.code || !strings.Contains(err, tt.want) {
				t.Errorf("exit code %d, want %d; want %q in\n%s%s", code, tt.code, tt.want, out, err)
			}
			if strings.Contains(out+err, "hunter2") {
				t.Errorf("a password is shown:\n%s%s", out, err)
			}
		})
	}
}

func TestImportConfig(t *testing.T) {
	dir := t.TempDir()
	output, secrets := filepath.Join(dir, "connector.toml"), filepath.Join(dir, "secrets")
	args := []string{"import-config", "fetchmailrc", "-", "-o", output, "--secrets", secrets, "--domain", "example.org"}
	const rc = "poll h.example proto pop3 user ann pass \"hunter 2\" is ann here ssl preconnect \"x\"\npoll i.example proto imap user bob is bob here ssl\n"
	code, out, err := runProgram(t, rc, args...)
	if code != exitOK || out != "" {
		t.Fatalf("exit code %d: %s%s", code, out, err)
	}
	for _, want := range []string{"-:1: preconnect is left out", "-:2: there is no password for bob", "to be completed: " + output + ":", "2 sources, 2 warnings"} {
		if !strings.Contains(err, want) {
			t.Errorf("%q is not in\n%s", want, err)
		}
	}
	if strings.Contains(err, "hunter") {
		t.Errorf("a password is shown:\n%s", err)
	}
	doc, readErr := os.ReadFile(output)
	if readErr != nil || strings.Contains(string(doc), "hunter") || !strings.Contains(string(doc), "#   -:1: preconnect is left out") {
		t.Errorf("%v\n%s", readErr, doc)
	}
	secret := filepath.Join(secrets, "ann@h.example.password")
	if text, err := os.ReadFile(secret); err != nil || string(text) != "hunter 2\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, file := range []string{output, secret} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if code, _, err := runProgram(t, rc, args...); code != exitUse || !strings.Contains(err, "--force writes over it") {
		t.Errorf("written over: %d %s", code, err)
	}
}

// selfSigned is a certificate and its PEM file.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	cert, key := filepath.Join(t.TempDir(), "c.pem"), filepath.Join(t.TempDir(), "k.pem")
	if err := program.SelfSign(cert, key, "mail.example"); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair, cert
}

func TestFingerprint(t *testing.T) {
	pair, file := selfSigned(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	sum := sha256.Sum256(block.Bytes)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	for _, tt := range []struct {
		fingerprint string
		want        error
	}{{hex.EncodeToString(sum[:]), nil}, {strings.Repeat("00", 32), errFingerprint}} {
		c, err := tlsConfig(tlsNeeds{host: "other.example", fingerprints: []string{tt.fingerprint}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.VerifyConnection(state); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.fingerprint, err)
		}
	}
	if _, err := tlsConfig(tlsNeeds{ca: write(t, "ca.pem", "no certificate")}); err == nil {
		t.Error("a file without a certificate is a CA")
	}
}

func TestTokenFile(t *testing.T) {
	file := write(t, "token", "abc\n")
	source, err := tokenSource(settings.OAuth{Provider: "token", TokenFile: file}, "u")
	if err != nil {
		t.Fatal(err)
	}
	if token, err := source.Token(t.Context(), ""); err != nil || token != "abc" {
		t.Errorf("%q, %v", token, err)
	}
	if token, err := source.Token(t.Context(), "abc"); !errors.Is(err, login.ErrTemporary) {
		t.Errorf("a refused token: %q, %v", token, err)
	}
}

func TestReversePath(t *testing.T) {
	var got []string
	for _, text := range []string{"<>", "bounces@example.org"} {
		r, err := withReversePath(recorder{&got}, text)
		if err != nil {
			t.Fatal(err)
		}
		m := &smtp.Mail{}
		if _, err := r.Begin(t.Context(), m); !errors.Is(err, errRecorded) {
			t.Fatal(err)
		}
		if !m.ReversePath.IsNull() {
			t.Error("the mail of the caller was changed")
		}
	}
	if want := "<> <bounces@example.org>"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

var errRecorded = errors.New("recorded")

// recorder keeps reverse-paths.
type recorder struct{ got *[]string }

func (r recorder) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	*r.got = append(*r.got, "<"+strings.Trim(m.ReversePath.String(), "<>")+">")
	return nil, errRecorded
}
