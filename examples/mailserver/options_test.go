package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dkim"
)

func parse(t *testing.T, env map[string]string, args ...string) (*options, error) {
	t.Helper()
	return parseOptions(args, func(k string) string { return env[k] }, io.Discard)
}

func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOptionsSources(t *testing.T) {
	config := write(t, "hostname = 'toml.example'\nimap = 'off'\nmax-connections = 7\nuser = ['a@b.c:1', 'd@e.f:2']\nplaintext-auth = true\n")
	secret := write(t, "alice@example.org:p@ss:word\n")
	key := write(t, keyFile(t))
	tests := []struct {
		name string
		env  map[string]string
		args []string
		got  func(*options) any
		want any
	}{
		{"default", nil, nil, func(o *options) any { return *o.listen["smtp"] + " " + o.hostname + " " + o.data }, "127.0.0.1:2525 mail.example.org ./mail-data"},
		{"one dash or two", nil, []string{"--hostname", "x", "-domain=y"}, func(o *options) any { return o.hostname + " " + o.domains[0] }, "x y"},
		{"repeated", nil, []string{"-domain", "a", "-domain", "b"}, func(o *options) any { return o.domains.String() }, "a b"},
		{
			"environment",
			map[string]string{"MAILSTEAD_HOSTNAME": "env", "MAILSTEAD_PLAINTEXT_AUTH": "true"},
			nil,
			func(o *options) any { return []any{o.hostname, o.plaintextAuth} },
			[]any{"env", true},
		},
		{"environment list", map[string]string{"MAILSTEAD_USER": "a@b.c:1\nd@e.f:2"}, nil, func(o *options) any { return len(o.users) }, 2},
		{"flag wins over environment", map[string]string{"MAILSTEAD_HOSTNAME": "env"}, []string{"-hostname", "flag"}, func(o *options) any { return o.hostname }, "flag"},
		{"file value", nil, []string{"-user", "@" + secret}, func(o *options) any { return o.users.String() }, "alice@example.org:p@ss:word"},
		{"number from a file", nil, []string{"-max-connections", "@" + write(t, "12\n")}, func(o *options) any { return o.maxConnections }, 12},
		{"config", nil, []string{"-config", config}, func(o *options) any {
			return []any{o.hostname, *o.listen["imap"], o.maxConnections, len(o.users), o.plaintextAuth}
		}, []any{"toml.example", "off", 7, 2, true}},
		{
			"config loses",
			map[string]string{"MAILSTEAD_CONFIG": config, "MAILSTEAD_HOSTNAME": "env"},
			[]string{"-user", "x@y.z:3"},
			func(o *options) any { return []any{o.hostname, o.users.String()} },
			[]any{"env", "x@y.z:3"},
		},
		{"off for what is not built", nil, []string{"-journal", "off", "-dkim", "off"}, func(o *options) any { return o.journal }, "off"},
		{"senders", nil, []string{"-config", write(t, "auth = 'off'\ndmarc-reject = 'quarantine'\ndmarc-temperror = 'accept'\ndkim = ['example.org:a:"+key+"', 'off']\n"), "-dmarc-reject", "accept"}, func(o *options) any {
			return []any{o.auth, o.policy.OnReject, o.policy.OnQuarantine, o.policy.OnTempError, len(o.keys), o.keys[0].Domain + " " + o.keys[0].Selector}
		}, []any{"off", auth.Accept, auth.Quarantine, auth.Accept, 1, "example.org a"}},
		{"senders by default", nil, nil, func(o *options) any { return []any{o.auth, o.policy.OnReject, o.policy.OnTempError, len(o.keys)} }, []any{"on", auth.Reject, auth.Default, 0}},
		{"default engine", nil, []string{"-store", "off", "-blobs", "off"}, func(o *options) any { return o.store + " " + o.blobs }, "sqlite: segments:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, err := parse(t, test.env, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := test.got(o); !equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// keyFile is a private key in PEM.
func keyFile(t *testing.T) string {
	t.Helper()
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	text, err := dkim.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func equal(a, b any) bool {
	x, ok := a.([]any)
	if !ok {
		return a == b
	}
	y := b.([]any)
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return len(x) == len(y)
}

func TestOptionsRefused(t *testing.T) {
	tests := [][]string{
		{"-nonsense"},
		{"argument"},
		{"-smtp", "127.0.0.1"},
		{"-smtp", "127.0.0.1:99999"},
		{"-max-connections", "many"},
		{"-user", "alice:hunter2"},
		{"-user", "alice@example.org"},
		{"-user", "alice@example.org:"},
		{"-user", "@/does/not/exist"},
		{"-tls-cert", "x"},
		{"-relay", "host"},
		{"-relay-user", "a:b"},
		{"-resolver", "9.9.9.9"},
		{"-store", "nonsense://u:hunter2@x"},
		{"-store", "hunter2"},
		{"-store", "sqlite:hunter2"},
		{"-blobs", "nonsense://u:hunter2@x"},
		{"-blobs", "hunter2"},
		{"-store", "postgres:hunter2"},
		{"-store", "postgres://u:hunter2%zz@host/db"},
		{"-store", "postgres://u:hunter2@host:x/db"},
		{"-store", "postgres://host/db", "-blobs", "segments:"},
		{"-store", "postgres://host/db", "-blobs", "nonsense:hunter2"},
		{"-store", "postgres://host/db", "-blobs", "s3://key:hunter2@host"},
		{"-store", "postgres://host/db", "-blobs", "s3://key:hunter2/hunter2@host/bucket"},
		{"-blobs", "s3://key:hunter2@host/bucket"},
		{"-store", "maildir:", "-blobs", "s3://hunter2"},
		{"-journal", "a@b@c"},
		{"-sent", "perhaps"},
		{"-dkim", "a:b:c"},
		{"-dkim", "example.org:s"},
		{"-dkim", "example.org:s:" + write(t, "hunter2")},
		{"-dkim", "example.org:no selector:" + write(t, keyFile(t))},
		{"-dkim", "no domain:s:" + write(t, keyFile(t))},
		{"-auth", "perhaps"},
		{"-dnsbl", "no domain"},
		{"-dnsbl", "list.example", "-auth", "off"},
		{"-trusted-sealer", "no domain"},
		{"-dmarc-reject", "refuse"},
		{"-dmarc-quarantine", "junk"},
		{"-dmarc-temperror", "never"},
		{"-config", write(t, "nonsense = 1")},
		{"-config", write(t, "hostname = {}")},
		{"-config", write(t, "not toml")},
	}
	for _, args := range tests {
		if _, err := parse(t, nil, args...); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v, want an error", args, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error shows the password: %v", args, err)
		}
	}
	if _, err := parse(t, nil, "-h"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, ":1": false, "0.0.0.0:1": false, "192.0.2.1:1": false} {
		o, err := parse(t, nil, "-pop3", addr)
		if err != nil || o.loopback() != want {
			t.Errorf("%s: %v, %v; want %v", addr, o.loopback(), err, want)
		}
	}
}
