package pipe

import (
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

var ann = values{recipient: "ann+x y@a.example", mailbox: "ann+x y", user: "ann", extension: "x y", domain: "a.example", sender: "s@b.example", queueID: "id"}

func TestArgs(t *testing.T) {
	bob := values{recipient: "-bob@a.example", mailbox: "-bob", user: "-bob", domain: "a.example", sender: "s@b.example", queueID: "id"}
	rm := values{recipient: "$(rm)@a.example", mailbox: "$(rm)", user: "$(rm)", domain: "a.example"}
	for _, test := range []struct {
		command string
		of      []values
		want    string // "" = refused with 5.1.3
	}{
		{"/p", []values{ann}, "/p"},
		{"/p|$recipient", []values{ann}, "/p|ann+x y@a.example"},
		{"/p|-f|$sender|--|$user|$extension|$domain", []values{ann}, "/p|-f|s@b.example|--|ann|x y|a.example"},
		{"/p|-f${sender}x|$$user|${user}_$queue_id", []values{ann}, "/p|-fs@b.examplex|$user|ann_id"},
		{"/p|-a$user|$domain", []values{ann, rm}, "/p|-aann|-a$(rm)|a.example|a.example"},
		{"/p|$mailbox|$sender", []values{ann, ann}, "/p|ann+x y|ann+x y|s@b.example"},
		{"/p|$mailbox", []values{bob}, ""},
		{"/p|$mailbox|--", []values{bob}, ""},
		{"/p|--|$mailbox", []values{bob}, "/p|--|-bob"},
		{"/p|--$mailbox", []values{bob}, "/p|---bob"},
		{"/p|user=$mailbox|${extension}", []values{bob}, "/p|user=-bob|"},
		{"/p|$extension$user", []values{bob}, ""},
	} {
		elements := strings.Split(test.command, "|")
		c, err := parseCommand(elements)
		if err != nil {
			t.Errorf("%s: %v", test.command, err)
			continue
		}
		args, err := c.args(test.of)
		if got := strings.Join(args, "|"); got != test.want || (err != nil) != (test.want == "") || err != nil && smtp.ReplyOf(err).Enhanced.String() != "5.1.3" {
			t.Errorf("%s: %q, %v; want %q", test.command, got, err, test.want)
		}
	}
}

func TestBadCommands(t *testing.T) {
	for _, command := range []string{"", "p", "$recipient", "/p$user", "/p|$", "/p|$nothing", "/p|${user", "/p|${}", "/p|$User", "/p|a\x00", "/p|$users", "/p|" + strings.Repeat("x", 4097)} {
		if _, err := parseCommand(strings.Split(command, "|")); !errors.Is(err, ErrTemplate) {
			t.Errorf("%.30q: %v", command, err)
		}
	}
	c, _ := parseCommand([]string{"/p", "$user"})
	if _, err := c.args(make([]values, maxArgs)); !errors.Is(err, errArgs) {
		t.Errorf("too many arguments: %v", err)
	}
	if _, err := c.args(nil); err == nil {
		t.Error("nobody was taken")
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"$user", "${user}", "a$$b", "$", "${", "$$$user$", "${user}${domain}x", "-$mailbox"} {
		f.Add(s, "bob")
	}
	f.Fuzz(func(t *testing.T, s, user string) {
		program, _ := parseElement("/p")
		e, err := parseElement(s)
		if err != nil {
			return
		}
		args, err := command{program, e}.args([]values{{user: user, mailbox: user, recipient: user, domain: user, extension: user, sender: user, queueID: user}})
		if err == nil && len(args) != 2 {
			t.Errorf("%q of %q: %q", s, user, args)
		}
		if err == nil && strings.HasPrefix(args[1], "-") && !strings.HasPrefix(s, "-") {
			t.Errorf("%q of %q: an option %q", s, user, args[1])
		}
	})
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		status int
		output string
		want   string
	}{
		{0, "5.1.1 no", ""},
		{67, "", "554 5.1.1 User unknown"},
		{75, "disk full at /var/mail", "450 4.3.0 Temporary failure"},
		{73, "", "554 5.2.0 Cannot create the user's output file"},
		{71, "", "450 4.3.0 System resource problem"},
		{78, "", "554 5.3.5 Local configuration error"},
		{76, "", "554 5.5.0 Remote error in protocol"},
		{77, "", "554 5.7.0 Permission denied"},
		{1, "Traceback", "450 4.3.0 The delivery program failed"},
		{127, "", "450 4.3.0 The delivery program failed"},
		{79, "", "450 4.3.0 The delivery program failed"},
		{-1, "5.1.1 no", "450 4.3.0 The delivery program failed"},
		{1, "5.2.2 quota\nof ann", "554 5.2.2 quota"},
		{67, "4.2.2  full\r\n", "450 4.2.2 full"},
		{67, "4.2.2", "450 4.2.2 The delivery program refused the message"},
		{1, "5.1.1 \x1b[31mred\xff\t.", "554 5.1.1 ?[31mred? ."},
		{1, "2.0.0 fine", "450 4.3.0 The delivery program failed"},
		{1, "5.1 x", "450 4.3.0 The delivery program failed"},
		{1, "5.1.1 " + strings.Repeat("x", 500), "554 5.1.1 " + strings.Repeat("x", 194)},
	} {
		err := judge(test.status, []byte(test.output))
		got := ""
		if err != nil {
			reply := smtp.ReplyOf(err)
			got = reply.String()
		}
		if got != test.want || err != nil && !errors.Is(err, ErrProgram) {
			t.Errorf("%d %q: %v, want %s", test.status, test.output, err, test.want)
		}
	}
}

func TestCapture(t *testing.T) {
	c := &capture{limit: 5}
	for _, s := range []string{"abc", "def", "ghi"} {
		if n, err := c.Write([]byte(s)); n != 3 || err != nil {
			t.Fatal(n, err)
		}
	}
	if string(c.kept) != "abcde" {
		t.Errorf("kept %q", c.kept)
	}
}
