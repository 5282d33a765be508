package imapsearch

import (
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapseq"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// request is what a line of SEARCH asks for.
type request struct {
	Options
	Program Program
}

// parse reads one line of a client that knows the messages 3, 5 and 8, and
// saved 5.
func parse(line string, maxNodes int) (r request, err error) {
	var told imapseq.Map
	told.Add(store.UIDs(3, 5, 8))
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return r, err
	}
	p := NewParser(dec, Config{MaxNodes: maxNodes, Fuzzy: true})
	if r.Options, err = p.Options(); err != nil {
		return r, err
	}
	if r.Program, err = p.Program(); err != nil {
		return r, err
	}
	r.Program = r.Program.Bind(&told, store.UIDs(5))
	return r, dec.End()
}

func TestParse(t *testing.T) {
	for line, want := range map[string]Node{
		"2":                                  {Op: OpUIDs, UIDs: store.UIDs(5)},
		"2:9":                                {Op: OpUIDs, UIDs: store.UIDs(5, 8)},
		"*":                                  {Op: OpUIDs, UIDs: store.UIDs(8)},
		"UID *":                              {Op: OpUIDSet},
		"$":                                  {Op: OpUIDs, UIDs: store.UIDs(5)},
		"UID $":                              {Op: OpUIDs, UIDs: store.UIDs(5)},
		"seen":                               {Op: OpFlag, Flag: store.Seen},
		"(FROM Ann)":                         {Op: OpEnvelope, Field: EnvFrom, Text: "ann"},
		"HEADER Message-ID <x>":              {Op: OpEnvelope, Field: EnvMessageID, Name: "message-id", Text: "<x>"},
		"HEADER X-A \"\"":                    {Op: OpHeader, Name: "x-a"},
		"TEXT \"\"":                          {Op: OpAll},
		"CHARSET iso-8859-1 TO {1+}\r\n\xd6": {Op: OpEnvelope, Field: EnvTo, Text: "ö"},
		"KEYWORD Work":                       {Op: OpKeyword, Text: "Work"},
		"LARGER 7":                           {Op: OpLarger, Num: 7},
		"SMALLER 9223372036854775807":        {Op: OpSmaller, Num: 1<<63 - 1},
		"OLDER 60":                           {Op: OpOlder, Num: 60},
		"younger 4294967295":                 {Op: OpYounger, Num: 1<<32 - 1},
		"SAVEDATESUPPORTED":                  {Op: OpHasSaveDate},
		"SAVEDON 1-Jan-2026":                 {Op: OpSavedOn, Num: 1767225600},
		"EMAILID M0102030405060708090a0b0c0d0e0f10":  {Op: OpEmailID, Text: "\x01\x02\x03\x04\x05\x06\x07\b\t\n\v\f\r\x0e\x0f\x10"},
		"EMAILID T0102030405060708090a0b0c0d0e0f10":  {Op: OpUIDs},
		"THREADID T0102030405060708090a0b0c0d0e0f10": {Op: OpThreadID, Text: "\x01\x02\x03\x04\x05\x06\x07\b\t\n\v\f\r\x0e\x0f\x10"},
		"THREADID T0102030405060708090A0B0C0D0E0F10": {Op: OpUIDs},
		"MODSEQ 5":                          {Op: OpModSeq, Num: 5},
		"MODSEQ \"/flags/\\\\draft\" all 5": {Op: OpModSeq, Num: 5},
		"FUZZY SUBJECT a":                   {Op: OpEnvelope, Field: EnvSubject, Text: "a"},
	} {
		r, err := parse(line, 10)
		if err != nil || len(r.Program) != 1 || r.Extended {
			t.Errorf("%s: %+v, %v", line, r, err)
			continue
		}
		got := r.Program[0]
		if got.UIDs.String() != want.UIDs.String() {
			t.Errorf("%s: UIDs %v, want %v", line, got.UIDs, want.UIDs)
		}
		if got.Op != want.Op || got.Flag != want.Flag || got.Field != want.Field || got.Name != want.Name || got.Text != want.Text || got.Num != want.Num {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
	for line, want := range map[string]imap.SearchReturn{
		"RETURN () ALL": imap.ReturnAll, "RETURN (min COUNT) ALL": imap.ReturnMin | imap.ReturnCount,
		"RETURN (SAVE) ALL": imap.ReturnSave, "RETURN (CONTEXT) ALL": imap.ReturnContext | imap.ReturnAll, "RETURN (UPDATE) ALL": imap.ReturnUpdate,
		"RETURN (PARTIAL -1:-5 SAVE) ALL": imap.ReturnPartial | imap.ReturnSave,
	} {
		if r, err := parse(line, 10); err != nil || !r.Extended || r.Return != want {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		"", "NONSENSE", "NOT", "OR SEEN", "(SEEN", "RETURN (X) ALL", "ON yesterday", "TEXT {1+}\r\n\xff", "SEEN ", "UID 0", "UID", "$,1", "1,$", "OLDER 0", "OLDER 4294967296",
		"MODSEQ", "MODSEQ x", "MODSEQ \"a\" all 1", "MODSEQ \"/flags/a\" some 1", "FUZZY", "FUZZY FUZZY", "OR (SEEN", "(SEEN))", "SEEN)", "NOT ()", "()",
		"RETURN (ALL PARTIAL 1:2) ALL", "RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL", "RETURN (PARTIAL) ALL", "RETURN (PARTIAL 1) ALL",
		"RETURN (PARTIAL 0:2) ALL", "RETURN (PARTIAL 1:-2) ALL", "RETURN (PARTIAL -1:2) ALL", "RETURN (PARTIAL 1:*) ALL", "RETURN (MIN) ", "RETURN MIN ALL",
	} {
		if r, err := parse(line, 10); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	if _, err := parse("CHARSET x-none ALL", 10); !errors.Is(err, ErrCharset) {
		t.Errorf("unknown charset: %v", err)
	}
	for _, line := range []string{strings.Repeat("NOT ", 10) + "SEEN", strings.Repeat("OR ", 1000), "1 2 3 4 5 6"} {
		if _, err := parse(line, 10); !errors.Is(err, ErrComplex) {
			t.Errorf("%.20s: %v", line, err)
		}
	}
	if _, err := parse(strings.Repeat("NOT ", 9)+"SEEN", 10); err != nil {
		t.Errorf("as many nodes as allowed: %v", err)
	}
}

// TestFuzzy: FUZZY makes words of a text, and Exact is what was written.
func TestFuzzy(t *testing.T) {
	for line, want := range map[string][2]string{
		`FUZZY TEXT "a b c"`:                  {"text a, text b, and, text c, and", "text a, text b, and, text c, text a b c"},
		`FUZZY TEXT a`:                        {"text a", ""},
		`TEXT "a b"`:                          {"text a b", ""},
		`FUZZY (TEXT "a b") TEXT "a b"`:       {"text a, text b, and, text a b, and", "text a, text b, text a b, text a b, and"},
		`NOT FUZZY NOT TEXT "a b" TEXT "c d"`: {"text a, text b, and, not, not, text c d, and", "text a, text b, text a b, not, not, text c d, and"},
	} {
		dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
		if err := dec.Begin(); err != nil {
			t.Fatal(err)
		}
		p := NewParser(dec, Config{MaxNodes: 20, Fuzzy: true})
		program, err := p.Program()
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range []Program{program, p.Exact()} {
			var names []string
			for _, n := range got {
				names = append(names, strings.TrimSpace(map[Op]string{OpText: "text ", OpAnd: "and", OpNot: "not"}[n.Op]+n.Text))
			}
			if got := strings.Join(names, ", "); got != want[i] {
				t.Errorf("%s: %s, want %s", line, got, want[i])
			}
		}
		if p.Fuzzy() != strings.Contains(line, "FUZZY") {
			t.Errorf("%s: Fuzzy is %v", line, p.Fuzzy())
		}
	}
}

// FuzzParse: a program that was taken keeps I1 and the limit, so that it can be
// evaluated.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"ALL", "OR NOT (TEXT abc SEEN) HEADER a \"b\" SENTON 1-Jan-2020", "RETURN (MIN) CHARSET utf-8 1:*", "UNKEYWORD x NEW", "UID 1,3:* BODY {1+}\r\na",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parse(line, 20)
		if err != nil {
			return
		}
		if n := len(r.Program); n == 0 || n > 20 {
			t.Fatalf("%d nodes", n)
		}
		for i := range r.Program {
			if n := &r.Program[i]; n.Op == OpNot || n.Op == OpAnd || n.Op == OpOr {
				if int(n.Left) >= i || int(n.Right) >= i || n.Left < 0 || n.Right < 0 {
					t.Fatalf("node %d: %+v", i, n)
				}
			}
		}
		values := make([]truth, len(r.Program))
		if r.Program.eval(values, func(int) truth { return refuted }) == unknown {
			t.Fatal("undecided though all is known")
		}
	})
}
