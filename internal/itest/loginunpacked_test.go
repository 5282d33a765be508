package itest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unpacked is a directory with packages that are not installed, named by an
// environment variable; .ci/interop makes them.
func unpacked(t *testing.T, variable, what string) string {
	t.Helper()
	dir := os.Getenv(variable)
	switch {
	case dir != "":
	case os.Getenv("MAILSTEAD_PEERS") == "required":
		t.Fatalf("%s is not set, and MAILSTEAD_PEERS=required: it names %s", variable, what)
	default:
		t.Skipf("%s is not set: it names %s", variable, what)
	}
	return dir
}

// fromRoot is a command of an unpacked tree, with the libraries that lie there.
func fromRoot(ctx context.Context, t *testing.T, root, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(root, name), args...)
	libs, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "lib/*-linux-gnu"))
	if err != nil {
		t.Fatal(err)
	}
	libs = append(append(libs, more...), filepath.Join(root, "usr/lib/dovecot"), filepath.Join(root, "usr/lib/postfix"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libs, ":"), "HOME="+t.TempDir())
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// TestLoginNode lets imapflow and nodemailer log in. They come from npm.
func TestLoginNode(t *testing.T) {
	needServer(t)
	node := peer(t, "node")
	modules := filepath.Join(unpacked(t, "MAILSTEAD_SMTP_PEERS", "a directory with node_modules of imapflow and nodemailer"), "node_modules")
	both, office := newDoors(t), newDoors(t, "OAUTHBEARER")
	all := visits("imapflow", "imap", "PLAIN LOGIN OAUTHBEARER XOAUTH2")
	all = append(all, visits("nodemailer", "smtp", "PLAIN LOGIN CRAM-MD5 XOAUTH2")...)
	for _, v := range all {
		t.Run(v.program+" "+v.mechanism, func(t *testing.T) {
			d := *both
			if v.mechanism == "XOAUTH2" {
				d = *office
			}
			d.t = t
			d.log.seen()
			port, _ := strconv.Atoi(d.ports[v.protocol])
			o := map[string]any{"protocol": v.protocol, "port": port, "ca": d.ca.path("ca.pem"), "user": alice, "mechanism": v.mechanism}
			switch {
			case bearer(v.mechanism):
				o["token"] = token
			default:
				o["password"] = password
			}
			if v.program == "imapflow" {
				o["mechanism"] = "AUTH=" + v.mechanism
			}
			arg, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, script(t, "login.cjs"), string(arg))
			cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, tail(out))
			}
			d.knows(v.protocol, v.mechanism)
		})
	}
}
