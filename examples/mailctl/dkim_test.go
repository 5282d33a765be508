package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/mailstead/mailstead/auth/dkim"
)

// nameserver answers questions for TXT from records.
func nameserver(t *testing.T, records map[string][]string) (addr string) {
	c, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if out := answerTXT(b[:n], records); out != nil {
				_, _ = c.WriteTo(out, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

func answerTXT(in []byte, records map[string][]string) []byte {
	var m dnsmessage.Message
	if m.Unpack(in) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	q := m.Questions[0]
	texts, found := records[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	if !found {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range texts {
		var parts []string
		for ; len(text) > 255; text = text[255:] {
			parts = append(parts, text[:255])
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, Type: dnsmessage.TypeTXT, TTL: 60},
			Body:   &dnsmessage.TXTResource{TXT: append(parts, text)},
		})
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

// TestDKIM: keys are made once, for their owner alone, and their records can be
// put into a zone file and are found.
func TestDKIM(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"rsa", "ed25519"} {
		file := filepath.Join(dir, kind+".pem")
		args := []string{"dkim", "genkey", "bücher.example", "s1." + kind, "--key=" + file, "--type=" + kind}
		if dry := ok[dkimRecord](t, append([]string{"--dry-run"}, args...)...); !dry.DryRun || dry.Value != "" {
			t.Errorf("%+v", dry)
		}
		if _, err := os.Stat(file); err == nil {
			t.Fatal("the dry run made a key")
		}
		x := ok[dkimRecord](t, args...)
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		before, _ := os.ReadFile(file)
		if code, _, errs := ctl(t, "", args...); code != exitFault || !strings.Contains(errs, "no key is overwritten") {
			t.Errorf("again: exit %d, %s", code, errs)
		}
		if after, _ := os.ReadFile(file); string(after) != string(before) {
			t.Error("the key was overwritten")
		}
		if _, err := dkim.ParsePrivateKey(before); err != nil {
			t.Error(err)
		}
		if want := "s1." + kind + "._domainkey.xn--bcher-kva.example"; x.Name != want {
			t.Errorf("%s, want %s", x.Name, want)
		}
		if got := joinZone(t, x.Zone); got != x.Value {
			t.Errorf("the zone file says %q, want %q", got, x.Value)
		}
	}
}

// joinZone joins the strings of a record in a zone file.
func joinZone(t *testing.T, zone string) string {
	var b strings.Builder
	for i, s := range strings.Split(zone, `"`) {
		if i%2 == 0 {
			continue
		}
		if len(s) > 255 {
			t.Errorf("a string of %d octets", len(s))
		}
		b.WriteString(s)
	}
	return b.String()
}

// TestDKIMCheck tells what is wrong with a record.
func TestDKIMCheck(t *testing.T) {
	dir := t.TempDir()
	make := func(selector string) dkimRecord {
		return ok[dkimRecord](t, "dkim", "genkey", "example.org", selector, "--key="+filepath.Join(dir, selector), "--type=ed25519")
	}
	good, other := make("good"), make("other")
	for _, x := range []struct {
		name  string
		texts []string
		exit  int
		say   string
	}{
		{"there", []string{good.Value}, exitOK, "has the key"},
		{"folded", []string{strings.Replace(good.Value, "p=", "p = ", 1) + " ;"}, exitOK, "has the key"},
		{"testing", []string{good.Value + "; t=s:y"}, exitOK, "t=y"},
		{"missing", nil, exitFault, "has no record"},
		{"other", []string{other.Value}, exitFault, "another key"},
		{"revoked", []string{"v=DKIM1; p="}, exitFault, "revoked"},
		{"kind", []string{strings.Replace(good.Value, "k=ed25519", "k=rsa", 1)}, exitFault, "another kind"},
		{"two", []string{good.Value, other.Value}, exitFault, "2 records"},
	} {
		t.Run(x.name, func(t *testing.T) {
			records := map[string][]string{}
			if x.texts != nil {
				records[good.Name] = x.texts
			}
			addr := nameserver(t, records)
			code, out, errs := ctl(t, "", "dkim", "check", "example.org", "good", "--key="+good.Key, "--resolver="+addr)
			if code != x.exit || !strings.Contains(out, x.say) {
				t.Errorf("exit %d, %s%s", code, out, errs)
			}
		})
	}
}
