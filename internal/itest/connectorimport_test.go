package itest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// fetchmailrc has what is hard to read in a fetchmailrc.
const fetchmailrc = `# comment
set daemon 300
defaults proto imap ssl smtphost localhost
poll a.example with proto POP3 and port 1995:
  user 'joe smith' there with password "s3\x63r\101et" is joe here options keep fetchall
  user user, with pass password; is "user" here nokeep
  user ann here is remote there password 'a "quoted" \\ word'
poll b.example via real.example localdomains x.example y.example aka z.example envelope 1 "Delivered-To" qvirtual "isp-"
  username 12345 pass 67890 to one=two "three@x.example"=four five * here folder INBOX "Sent Items"
skip c.example proto apop auth password user is pass is#is is a ssl limit 1000 # is
server d.example
  user d pass "over \
two lines" is d here sslproto 'tls1.2+' mda "/usr/bin/procmail -d '%T'"
`

// TestConnectorReadsFetchmail compares servers, users and passwords of a
// fetchmailrc with what fetchmail itself makes of it.
func TestConnectorReadsFetchmail(t *testing.T) {
	fetchmail := peer(t, "fetchmail")
	rc := writeFile(t, "fetchmailrc", []byte(fetchmailrc))
	if err := os.Chmod(rc, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(fetchmail, "--configdump", "-f", rc)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	dump, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetchmail --configdump: %v\n%s", err, dump)
	}
	want := values(string(dump), `"(?:remote|password)":"((?:[^"\\]|\\.)*)"`, strings.NewReplacer(`\"`, `"`, `\\`, `\`))
	if len(want) != 12 {
		t.Fatalf("%d users and passwords in what fetchmail reads:\n%s", len(want), dump)
	}
	c := newConnector(t, "")
	got := values(c.run(0, "import-config", "fetchmailrc", rc, "--domain", "local.example"), `(?m)^(?:user|password) = ['"](.*)['"]$`, strings.NewReplacer())
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("users and passwords are\n%q\nfetchmail reads\n%q", got, want)
	}
}

func values(text, pattern string, unescape *strings.Replacer) (out []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, unescape.Replace(m[1]))
	}
	return out
}
