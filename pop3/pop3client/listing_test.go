package pop3client_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/pop3/pop3client"
)

// maildropOf is what Maildrop makes of two listings.
func maildropOf(t *testing.T, list, uidl string) (*pop3client.Maildrop, error) {
	t.Helper()
	c := dialScript(t, "C: LIST\n"+list+"\nC: UIDL\n"+uidl)
	return c.Maildrop(t.Context())
}

func TestMaildrop(t *testing.T) {
	long := strings.Repeat("u", 71)
	for _, c := range []struct {
		name, list, uidl string
		want             string
		missing, skipped int
	}{
		{name: "empty"},
		{name: "plain", list: "1 10|2 20", uidl: "1 a|2 b", want: "1 10 a; 2 20 b"},
		{name: "more behind the size", list: "1 10 extra", uidl: "1 a", want: "1 10 a"},
		{name: "blanks", list: " 1  10", uidl: "1\ta ", want: "1 10 a"},
		{name: "gaps", list: "2 10|5 20", uidl: "2 a|5 b", want: "2 10 a; 5 20 b", missing: 3},
		{name: "out of order", list: "2 20|1 10", uidl: "1 a|2 b", want: "1 10 a; 2 20 b"},
		{name: "a number twice", list: "1 10|2 20|2 30", uidl: "1 a|2 b", want: "1 10 a; 2 20 b (repeated number)"},
		{name: "an id twice", list: "1 1|2 2|3 3", uidl: "1 a|2 b|3 a", want: "1 1 a (reused unique-id); 2 2 b; 3 3 a (reused unique-id)"},
		{name: "a number with two ids", list: "1 1", uidl: "1 a|1 b", want: "1 1 a (repeated number)"},
		{name: "no id", list: "1 1|2 2", uidl: "1|2 b", want: "1 1  (no unique-id); 2 2 b"},
		{name: "ids are missing", list: "1 1|2 2", uidl: "2 b", want: "1 1  (no unique-id); 2 2 b"},
		{name: "sizes are missing", list: "2 2", uidl: "1 a|2 b", want: "1 -1 a (no size); 2 2 b"},
		{name: "long id", list: "1 1", uidl: "1 " + long, want: "1 1 " + long + " (invalid unique-id)"},
		{name: "id with blanks", list: "1 1", uidl: "1 a b", want: "1 1 a b (invalid unique-id)"},
		{name: "id in 8bit", list: "1 1", uidl: "1 ü", want: "1 1 ü (invalid unique-id)"},
		{name: "garbage", list: "1 1|what|-2 3|0 1|99999999999 1|", uidl: "1 a|x y", want: "1 1 a", skipped: 6},
		{
			name: "sizes that are none", list: "1 -5|2 x|3|4 99999999999999999999|5 +1", uidl: "1 a|2 b|3 c|4 d|5 e",
			want: "1 -1 a (no size); 2 -1 b (no size); 3 -1 c (no size); 4 -1 d (no size); 5 -1 e (no size)",
		},
		{name: "stuffed", list: "1 1|..|...", uidl: "1 ..x", want: "1 1 ..x", skipped: 2},
	} {
		drop, err := maildropOf(t, lines(c.list), lines(c.uidl))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, m := range drop.Messages {
			s := fmt.Sprintf("%d %d %s", m.Number, m.Size, m.UniqueID)
			if m.Fault != 0 {
				s += " (" + m.Fault.String() + ")"
			}
			got = append(got, s)
		}
		if s := strings.Join(got, "; "); s != c.want || drop.Missing != c.missing || drop.Skipped != c.skipped || drop.NoUIDL {
			t.Errorf("%s: %s, %d missing, %d skipped\nwant %s, %d, %d", c.name, s, drop.Missing, drop.Skipped, c.want, c.missing, c.skipped)
		}
	}
}

// lines is a reply of several lines.
func lines(list string) string {
	if list == "" {
		return "S: +OK\nS: ."
	}
	return "S: +OK\nS: " + strings.ReplaceAll(list, "|", "\nS: ") + "\nS: ."
}

func TestMaildropWithoutUIDL(t *testing.T) {
	drop, err := maildropOf(t, lines("1 10|2 20"), "S: -ERR unknown command")
	if err != nil || !drop.NoUIDL || len(drop.Messages) != 2 || drop.Messages[1].Fault != pop3client.FaultNoID {
		t.Errorf("%+v, %v", drop, err)
	}
	drop, err = maildropOf(t, "S: -ERR [SYS/TEMP] no", lines("1 a"))
	if _, ok := errors.AsType[*pop3client.Error](err); !ok || drop != nil {
		t.Errorf("%+v, %v", drop, err)
	}
}

// TestMaildropRefusedInPipeline: both replies are taken, whatever they say.
func TestMaildropRefusedInPipeline(t *testing.T) {
	for replies, ok := range map[string]bool{
		"S: -ERR\nS: -ERR":              false,
		"S: -ERR\n" + lines("1 a"):      false,
		lines("1 1") + "\nS: -ERR":      true,
		lines("1 1") + "\n" + lines(""): true,
	} {
		c := dialScriptWith(t, &pop3client.Dialer{}, pipelines+"C: LIST\nC: UIDL\n"+replies+"\nC: NOOP\nS: +OK")
		if _, err := c.Maildrop(t.Context()); ok != (err == nil) {
			t.Errorf("%s: %v", replies, err)
		}
		if err := c.Noop(t.Context()); err != nil {
			t.Errorf("%s: %v", replies, err)
		}
	}
}

// TestListings: the iterators show what the server says as it says it.
func TestListings(t *testing.T) {
	c := dialScript(t, "C: LIST\n"+lines("2 20|1 10|1 11|x|0 5")+"\nC: UIDL\n"+lines("1 a|2 a")+"\nC: LIST 3\nS: +OK 3 30\nC: UIDL 3\nS: +OK 3 c\nC: UIDL 4\nS: -ERR")
	var got []string
	for m, err := range c.List(t.Context()) {
		got = append(got, fmt.Sprint(m.Number, m.Size, m.Fault, err))
	}
	for m, err := range c.UIDL(t.Context()) {
		got = append(got, fmt.Sprint(m.Number, m.UniqueID, m.Fault, err))
	}
	want := "[2 20 <nil>|1 10 out of order <nil>|1 11 out of order <nil>|0 -1 no line of a listing <nil>|0 -1 no line of a listing <nil>|1a <nil>|2a <nil>]"
	if s := strings.ReplaceAll(fmt.Sprint(got), "> ", ">|"); strings.ReplaceAll(s, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("%s\nwant %s", s, want)
	}
	if m, err := c.ListOne(t.Context(), 3); m.Size != 30 || err != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := c.UIDLOne(t.Context(), 3); m.UniqueID != "c" || err != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := c.UIDLOne(t.Context(), 4); err == nil {
		t.Error("no refusal")
	}
}

// TestLargeMaildrop: 100,000 messages, and their bound.
func TestLargeMaildrop(t *testing.T) {
	var sizes, ids strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&sizes, "%d 1\r\n", i+1)
		fmt.Fprintf(&ids, "%d id%d\r\n", i+1, i)
	}
	text := fmt.Sprintf("C: LIST\nC: UIDL\nS: +OK\nR: %q\nS: .\nS: +OK\nR: %q\nS: .", sizes.String(), ids.String())
	c := dialScriptWith(t, &pop3client.Dialer{}, pipelines+text)
	if drop, err := c.Maildrop(t.Context()); err != nil || len(drop.Messages) != 100_000 || drop.Messages[99_999].UniqueID != "id99999" {
		t.Error(err)
	}
	c = dialScriptWith(t, &pop3client.Dialer{MaxMessages: 99_999}, pipelines+"C: LIST\nC: UIDL\nS: +OK\nR: "+fmt.Sprintf("%q", sizes.String())+"\nHANG")
	if _, err := c.Maildrop(t.Context()); !errors.Is(err, pop3client.ErrListing) {
		t.Error(err)
	}
}
