package quirk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/imap"
)

// facts has for each row a server of this kind.
var facts = map[string]Facts{
	"iCloud":                            {Host: "IMAP.mail.me.com"},
	"Amazon WorkMail":                   {Host: "imap.mail.us-east-1.awsapps.com"},
	"Gmail":                             {Capabilities: []imap.Capability{"IMAP4rev1", "x-gm-ext-1"}},
	"Microsoft Exchange, Microsoft 365": {Greeting: "The Microsoft Exchange IMAP4 service is ready. [RABC]"},
	"Yahoo, AOL":                        {Capabilities: []imap.Capability{"XYMHIGHESTMODSEQ"}},
	"Proton Mail Bridge":                {ID: map[string]string{"Vendor": "Proton AG"}},
	"NetEase (163, 126, yeah.net)":      {Host: "imap.163.com"},
	"Tencent Exmail":                    {Host: "imap.exmail.qq.com"},
	"Lark, Feishu":                      {Host: "imap.larksuite.com"},
	"Cyrus IMAP":                        {Greeting: "localhost Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u5 server ready"},
	"Yandex":                            {Host: "imap.yandex.ru."},
}

// TestTable: each row matches its server and no other one, has an effect, and
// says who saw it.
func TestTable(t *testing.T) {
	for _, q := range Table() {
		f, ok := facts[q.Name]
		if !ok {
			t.Errorf("%s: no server of this kind is known", q.Name)
		}
		if e, names := Of(f); !slices.Equal(names, []string{q.Name}) || e != q.Effects {
			t.Errorf("%s: got %v of %v", q.Name, e, names)
		}
		if q.Effects == (Effects{}) || q.Why == "" || len(q.Sources) == 0 {
			t.Errorf("%s: no effect, reason or source", q.Name)
		}
		for _, s := range q.Sources {
			if !strings.HasPrefix(s, "https://") {
				t.Errorf("%s: %s", q.Name, s)
			}
		}
	}
	for _, f := range []Facts{
		{},
		{Host: "mail.example.org", Greeting: "Dovecot ready.", ID: map[string]string{"name": "Dovecot"}},
		{Host: "notmail.me.com.example"},
		{Host: "x163.com"},
		{ID: map[string]string{"support-url": "https://proton.example"}},
	} {
		if e, names := Of(f); e != (Effects{}) || names != nil {
			t.Errorf("%v: %v %v", f, e, names)
		}
	}
}

func TestEffectsJoin(t *testing.T) {
	e, names := Of(Facts{Host: "imap.yandex.com", Capabilities: []imap.Capability{"X-GM-EXT-1"}})
	if want := (Effects{Labels: true, IdleMax: 5 * time.Minute}); e != want || len(names) != 2 {
		t.Errorf("%v %v, want %v", e, names, want)
	}
}
