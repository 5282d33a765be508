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
	return parseAs(t, line, Dialect{})
}

func parseAs(t *testing.T, line string, d Dialect) (*Plan, error) {
	t.Helper()
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return nil, err
	}
	plan, err := Parse(dec, d)
	if err == nil {
		err = dec.End()
	}
	return plan, err
}

func TestParse(t *testing.T) {
	const fast = imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize
	for line, want := range map[string]Plan{
		"UID (PARTIAL -1:-3 CHANGEDSINCE 7)": {
			Items: imap.FetchUID | imap.FetchModSeq, Changed: true, Since: 7, Partial: imap.PartialRange{Start: -1, Stop: -3},
		},
		"PREVIEW":                     {Items: imap.FetchPreview},
		"PREVIEW (LAZY)":              {Items: imap.FetchPreview, Lazy: true},
		"(PREVIEW (LAZY) PREVIEW)":    {Items: imap.FetchPreview},
		"(PREVIEW PREVIEW (LAZY))":    {Items: imap.FetchPreview},
		"(EMAILID THREADID SAVEDATE)": {Items: imap.FetchEmailID | imap.FetchThreadID | imap.FetchSaveDate},
		"BINARY[1.2]<3.4>": {Seen: true, binary: 1, Sections: []imap.Section{
			{Form: imap.FormBinary, Part: []uint32{1, 2}, Partial: true, Offset: 3, Count: 4},
		}},
		"(BINARY.PEEK[] BINARY.SIZE[1])": {binary: 2, Sections: []imap.Section{
			{Form: imap.FormBinary, Peek: true}, {Form: imap.FormBinarySize, Part: []uint32{1}, Peek: true},
		}},
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
		"BINARY", "BINARY[TEXT]", "BINARY[1.]", "BINARY[1.MIME]", "BINARY.SIZE[1]<0.1>", "BINARY.PEEK", "PREVIEW ()", "PREVIEW (EAGER)", "(PREVIEW (LAZY EAGER))",
		"UID (PARTIAL 0:1)", "UID (PARTIAL 1:-1)", "UID (PARTIAL)", "BODY[]<0.4294967296>", "BODY[]<4294967296.1>",
		"X", "FLAGS UID", "(FLAGS", "BODY[TEXT.1]",
		"FLAGS ()x", "FLAGS (VANISHED)", "FLAGS (CHANGEDSINCE)", "FLAGS (CHANGEDSINCE 9223372036854775808)", "FLAGS (X 1)",
	} {
		if got, err := parse(t, line); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	wide, err := parseAs(t, "BODY[]<1.9223372036854775807>", Dialect{Rev2: true})
	if err != nil || wide.Sections[0].Count != 1<<63-1 {
		t.Errorf("63 bits: %+v, %v", wide, err)
	}
	if _, err := parseAs(t, "BODY[]<1.9223372036854775808>", Dialect{Rev2: true}); err == nil {
		t.Error("64 bits are accepted")
	}
	if _, err := parse(t, "("+strings.Repeat("BINARY[1] ", MaxBinary)+"BINARY[1])"); !errors.Is(err, ErrTooManySections) {
		t.Errorf("too many sections to decode: %v", err)
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
		"(BINARY[1.2]<1.2> BINARY.SIZE[])", "PREVIEW (LAZY)",
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
