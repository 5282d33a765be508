package foreign

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// TestPeerGetmailLines compares how files fall into sections, names and values
// with what getmail reads. Files that it cannot read are refused here too.
func TestPeerGetmailLines(t *testing.T) {
	g := getmailrcs{rand.New(rand.NewPCG(1, 2))}
	texts := append([]string(nil), getmailSeeds...)
	for range 1500 {
		texts = append(texts, g.lines())
	}
	read := 0
	for i, answer := range askGetmail(t, texts) {
		ini, err := parseINI(texts[i])
		var got map[string]map[string]string
		if err == nil {
			got = map[string]map[string]string{}
			for _, s := range ini.sections {
				got[s.name] = map[string]string{}
				for _, v := range s.values {
					got[s.name][v.name] = v.value
				}
			}
		}
		if answer.Sections != nil {
			read++
		}
		if !reflect.DeepEqual(got, answer.Sections) {
			t.Errorf("%q:\ngot     %q, error %v\ngetmail %q, %s", texts[i], got, err, answer.Sections, answer.Refused)
		}
	}
	if n := len(texts); read < n/4 || read > n*9/10 {
		t.Errorf("getmail reads %d of %d files", read, n)
	}
}

// TestPeerGetmail compares the settings that become of files with those of
// getmail. What getmail refuses is refused here too, or said to be left out.
func TestPeerGetmail(t *testing.T) {
	netrc, err := os.ReadFile("testdata/netrc")
	if err != nil {
		t.Fatal(err)
	}
	texts := append([]string(nil), getmailSeeds...)
	files, err := filepath.Glob("testdata/*.getmailrc")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	faults := make([]string, len(texts), 600)
	g := getmailrcs{rand.New(rand.NewPCG(3, 4))}
	for len(texts) < cap(faults) {
		text, fault := g.file()
		texts, faults = append(texts, text), append(faults, fault)
	}
	taken := 0
	for i, answer := range askGetmail(t, texts) {
		im := NewImporter(Options{Domain: "local.example", Netrc: ParseNetrc(string(netrc))})
		err := im.Getmail("rc", texts[i])
		if answer.Refused == "" {
			taken++
			compareGetmail(t, texts[i], answer, im, err)
			continue
		}
		if i >= len(files)+len(getmailSeeds) && faults[i] == "" {
			t.Errorf("%s\ngetmail refuses it: %s", texts[i], answer.Refused)
		}
		isSaid := func(n Notice) bool {
			return strings.Contains(n.Text, faults[i]) && strings.Contains(n.Text, "left out")
		}
		if err == nil && !slices.ContainsFunc(im.Result().Notices, isSaid) {
			t.Errorf("%s\n%s: getmail refuses it: %s\nnothing of it in %v", texts[i], faults[i], answer.Refused, im.Result().Notices)
		}
	}
	if n := len(texts); taken < n*3/4 || taken > n*19/20 {
		t.Errorf("getmail takes %d of %d files", taken, n)
	}
}

func compareGetmail(t *testing.T, text string, answer getmailAnswer, im *Importer, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s\ngetmail reads it; got %v", text, err)
		return
	}
	r := im.Result()
	got, want := importedAs(r), answer.meaning()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s\n%s is\n%s, in getmail\n%s\n%v", text, name, got[name], want[name], r.Notices)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d settings, %d in getmail", len(got), len(want))
	}
	left := 0
	for _, n := range r.Notices {
		if strings.HasPrefix(n.Text, "[filter") {
			left++
		}
	}
	if left != answer.Filters {
		t.Errorf("%s\n%d filters are left out, getmail has %d", text, left, answer.Filters)
	}
}

// importedAs are the settings that were read, by name.
func importedAs(r *Result) map[string]string {
	s := r.Settings.Sources[0]
	password := ""
	if s.Password != "" {
		password, _ = s.Password.Reveal("", os.Getenv)
	}
	folders := s.Folders
	if len(folders) == 0 && strings.HasPrefix(s.Protocol, "imap") {
		folders = []string{"INBOX"}
	}
	out := map[string]string{
		"protocol": s.Protocol, "tls": s.TLS, "host": s.Host, "user": s.User, "password": password,
		"port":   fmt.Sprint(cmp.Or(s.Port, map[string]int{"pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993}[s.Protocol])),
		"no ids": fmt.Sprint(s.NoIDs), "apop": fmt.Sprint(s.APOP), "ca": s.TLSCA, "cert": s.TLSCert, "key": s.TLSKey, "tls name": s.TLSName,
		"fingerprints": fmt.Sprintf("%q", s.TLSFingerprint), "folders": fmt.Sprintf("%q", folders), "move": s.MoveTo,
		"leave": s.Leave, "above": s.DeleteAbove, "largest": s.MaxMessageSize, "messages": fmt.Sprint(s.MaxMessages),
		"target": "", "recipient": s.Recipient, "field": "", "rules": "", "default": "[]",
	}
	if t := r.Settings.Targets[s.Target]; t != nil {
		out["target"] = fmt.Sprintf("%s %q %q %q", t.Type, t.Address, t.Path, t.Command)
	}
	if a := s.CatchAll; a != nil {
		out["field"], out["default"] = strings.ToLower(a.Field), fmt.Sprint(a.Default)
		for _, rule := range a.Rules {
			out["rules"] += fmt.Sprintf("%s: %s to %s\n", strings.ToLower(rule.Field), rule.Regexp, rule.To)
		}
	}
	return out
}

// meaning are the settings that getmail has, in the words of the importer.
func (a getmailAnswer) meaning() map[string]string {
	conf, options := a.Retriever.Conf, a.Options
	protocol := map[string]string{"POP3": "pop3", "POP3-SSL": "pop3s", "IMAP4": "imap", "IMAP4-SSL": "imaps", "SDPS": "pop3"}[a.Retriever.With]
	folders := texts(conf["mailboxes"])
	if len(folders) == 1 && folders[0] == "ALL" {
		folders = []string{"*"}
	}
	out := map[string]string{
		"protocol": protocol, "tls": "none", "host": text(conf["server"]), "port": text(conf["port"]), "user": text(conf["username"]),
		"password": text(conf["password"]), "no ids": fmt.Sprint(strings.HasPrefix(a.Retriever.Type, "BrokenUIDL")), "apop": fmt.Sprint(conf["use_apop"] == true),
		"ca": text(conf["ca_certs"]), "cert": text(conf["certfile"]), "key": text(conf["keyfile"]), "tls name": text(conf["ssl_cert_hostname"]),
		"fingerprints": fmt.Sprintf("%q", texts(conf["ssl_fingerprints"])), "folders": fmt.Sprintf("%q", folders),
		"move": text(conf["move_on_delete"]), "leave": "", "above": "", "largest": positive(options["max_message_size"]),
		"messages": text(options["max_messages_per_session"]), "recipient": "", "field": "", "rules": "", "default": "[]",
	}
	if strings.HasSuffix(protocol, "s") {
		out["tls"] = ""
	}
	if options["delete"] == false {
		out["leave"], out["above"] = "always", positive(options["delete_bigger_than"])
		if days := positive(options["delete_after"]); len(days) > 0 && len(days) < 6 {
			out["leave"] = days + "d"
		}
	}
	if a.Retriever.Field != "" {
		out["field"] = fmt.Sprintf("%s:%d", a.Retriever.Field, a.Retriever.Index)
	}
	a.delivery(out)
	return out
}

// delivery adds where mail goes.
func (a getmailAnswer) delivery(out map[string]string) {
	d := a.Destination
	first := d
	if d.All != nil {
		first = d.All[0]
	}
	if d.Default != nil {
		first = *d.Default
	}
	out["target"] = first.target()
	multidrop := strings.HasPrefix(a.Retriever.Type, "Multidrop")
	if d.Default == nil {
		if !multidrop {
			out["recipient"] = whole(cmp.Or(first.owner(), text(a.Retriever.Conf["username"])))
		}
		return
	}
	if first.owner() != "" {
		out["default"] = fmt.Sprint([]string{whole(first.owner())})
	}
	fields := []string{"to", "cc"}
	if multidrop && a.Retriever.Field != "" {
		fields = []string{a.Retriever.Field}
	}
	for _, target := range d.Targets {
		for _, f := range fields {
			if owner := target.To.owner(); owner != "" {
				out["rules"] += fmt.Sprintf("%s: (?i)%s to [%s]\n", f, target.Pattern, whole(owner))
			}
		}
	}
}

// owner is whose destination it is; "" = it does not say.
func (d getmailDestination) owner() string {
	if d.Type == "MDA_qmaillocal" {
		return ""
	}
	return cmp.Or(text(d.Conf["override"]), text(d.Conf["user"]))
}

func (d getmailDestination) target() string {
	var t settings.Target
	switch d.Type {
	case "Maildir":
		t.Type, t.Path = "maildir", path.Clean(text(d.Conf["path"]))+"/"
	case "Mboxrd":
		t.Type, t.Path = "mbox", path.Clean(text(d.Conf["path"]))
	case "MDA_lmtp":
		t.Type, t.Address = "lmtp", text(d.Conf["host"])
		if !strings.HasPrefix(t.Address, "/") {
			t.Address = net.JoinHostPort(t.Address, text(d.Conf["port"]))
		}
	case "MDA_external":
		t.Type, t.Command = "program", []string{text(d.Conf["path"])}
		for _, arg := range texts(d.Conf["arguments"]) {
			t.Command = append(t.Command, strings.NewReplacer("$", "$$", "%(sender)", "${sender}").Replace(arg))
		}
	default:
		return ""
	}
	return fmt.Sprintf("%s %q %q %q", t.Type, t.Address, t.Path, t.Command)
}

// whole is an address.
func whole(name string) string {
	if strings.Contains(name, "@") {
		return name
	}
	return name + "@local.example"
}

// text is a value that getmail has; "" = none.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprint(value)
}

// positive is a number that getmail has; "" = zero.
func positive(value any) string { return strings.TrimPrefix(text(value), "0") }

func texts(value any) (out []string) {
	items, _ := value.([]any)
	for _, item := range items {
		out = append(out, text(item))
	}
	return out
}
