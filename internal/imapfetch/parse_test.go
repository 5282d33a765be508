package imapfetch

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// parse reads one line.
func parse(t *testing.T, line string) (*Plan, error) {
	t.Helper()
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return nil, err
	}
	plan, err := Parse(dec)
	if err == nil {
		err = dec.End()
	}
	return plan, err
}

func TestParse(t *testing.T) {
	const fast = imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize
	for line, want := range map[string]Plan{
		"FAST":          {Items: fast},
		"all":           {Items: fast | imap.FetchEnvelope},
		"(UID BODY)":    {Items: imap.FetchUID | imap.FetchBody},
		"RFC822.HEADER": {Sections: []imap.Section{{Name: "RFC822.HEADER", Text: imap.TextHeader, Peek: true}}},
		"FLAGS (CHANGEDSINCE 7)": {
			Items: imap.FetchFlags | imap.FetchModSeq, Changed: true, Since: 7,
		},
		"(MODSEQ) (vanished changedsince 9223372036854775807)": {
			Items: imap.FetchModSeq, Changed: true, Vanished: true, Since: 1<<63 - 1,
		},
		"RFC822":              {Sections: []imap.Section{{Name: "RFC822"}}, Seen: true},
		"BODY.PEEK[1.2.MIME]": {Sections: []imap.Section{{Part: []uint32{1, 2}, Text: imap.TextMIME, Peek: true}}},
		"(FLAGS BODY[]<7.9>)": {
			Items: imap.FetchFlags, Seen: true,
			Sections: []imap.Section{{Partial: true, Offset: 7, Count: 9}},
		},
		"BODY[HEADER.FIELDS.NOT (a \"b\")]": {
			Seen: true, Sections: []imap.Section{{Text: imap.TextFieldsNot, Fields: []string{"a", "b"}}},
		},
	} {
		if got, err := parse(t, line); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v, want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{
		"", "()", "(FAST)", "BODY.PEEK", "BODY[MIME]", "BODY[0]", "BODY[1.]", "BODY[]<1>", "BODY[]<1.0>", "BODY[HEADER.FIELDS ()]",
		"X", "FLAGS UID", "(FLAGS", "BODY[TEXT.1]",
		"FLAGS ()x", "FLAGS (VANISHED)", "FLAGS (CHANGEDSINCE)", "FLAGS (CHANGEDSINCE 9223372036854775808)", "FLAGS (X 1)",
	} {
		if got, err := parse(t, line); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	many := "(" + strings.Repeat("BODY[] ", MaxSections)
	if _, err := parse(t, many+"UID)"); err != nil {
		t.Errorf("the greatest number of sections: %v", err)
	}
	if _, err := parse(t, many+"BODY[])"); !errors.Is(err, ErrTooManySections) {
		t.Errorf("too many sections: %v", err)
	}
}

// The name of an item in the response is what asks for it.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"FULL", "(UID FLAGS)", "BODY[1.2.HEADER.FIELDS (a {1+}\r\nb)]<1.2>", "BODY.PEEK[TEXT]", "RFC822.TEXT", "(BODY[3.MIME] BODY[])",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		plan, err := parse(t, line)
		if err != nil {
			return
		}
		if plan.Items == 0 && len(plan.Sections) == 0 {
			t.Fatal("nothing is asked for")
		}
		for _, sec := range plan.Sections {
			name := string(sec.AppendName(nil))
			if sec.Partial {
				name = strings.TrimSuffix(name, ">") + ".1>"
			}
			again, err := parse(t, name)
			if err != nil || len(again.Sections) != 1 {
				t.Fatalf("%q: %v", name, err)
			}
			if got := again.Sections[0].AppendName(nil); string(got) != string(sec.AppendName(nil)) {
				t.Fatalf("%q became %q", name, got)
			}
		}
	})
}
