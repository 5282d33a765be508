package imapsort

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
)

func parse(line string) (string, error) {
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{MaxLine: 64 << 10})
	if err := dec.Begin(); err != nil {
		return "", err
	}
	c, err := Parse(dec)
	if err == nil {
		err = dec.End()
	}
	out := fmt.Sprint(c.Keys)
	if c.Relevancy {
		out += fmt.Sprint(" relevancy ", c.WorstFirst)
	}
	return out, err
}

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"(ARRIVAL)":                                 "[{0 false}]",
		"(reverse date subject REVERSE SIZE)":       "[{2 true} {5 false} {4 true}]",
		"(CC FROM TO DISPLAYFROM DISPLAYTO)":        "[{1 false} {3 false} {6 false} {7 false} {8 false}]",
		"(RELEVANCY)":                               "[] relevancy false",
		"(REVERSE RELEVANCY DATE RELEVANCY)":        "[{2 false}] relevancy true",
		"(RELEVANCY REVERSE RELEVANCY)":             "[] relevancy false",
		"(DATE REVERSE DATE DATE)":                  "[{2 false}]",
		"(" + strings.Repeat("TO ", 5000) + "SIZE)": "[{6 false} {4 false}]",
	} {
		if got, err := parse(line); err != nil || got != want {
			t.Errorf("%.40s: %s, %v; want %s", line, got, err, want)
		}
	}
	for _, line := range []string{"", "()", "(", "(X)", "(REVERSE)", "(REVERSE REVERSE DATE)", "DATE", "(DATE) ", "(DATE", "(DATE,TO)", "(\"DATE\")"} {
		if got, err := parse(line); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%s: %s, %v", line, got, err)
		}
	}
}

func TestRelevancyBehind(t *testing.T) {
	if got, err := parse("(DATE RELEVANCY)"); !errors.Is(err, ErrRelevancy) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAppendSet(t *testing.T) {
	for want, numbers := range map[string][]uint32{
		"": nil, "7": {7}, "1:3": {1, 2, 3}, "3,2,1": {3, 2, 1}, "5,1:2,9,4294967295": {5, 1, 2, 9, 4294967295},
	} {
		if got := string(AppendSet(nil, numbers)); got != want {
			t.Errorf("%v: %s", numbers, got)
		}
	}
}

// FuzzAppendSet: a client that expands the set has the numbers in their order.
func FuzzAppendSet(f *testing.F) {
	f.Add([]byte{1, 2, 3, 9, 8, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		var numbers, got []uint32
		for _, c := range b {
			numbers = append(numbers, uint32(c)+1)
		}
		for part := range strings.SplitSeq(string(AppendSet(nil, numbers)), ",") {
			if part == "" {
				continue
			}
			from, to, _ := strings.Cut(part, ":")
			if to == "" {
				to = from
			}
			a, _ := strconv.Atoi(from)
			z, _ := strconv.Atoi(to)
			for ; a <= z; a++ {
				got = append(got, uint32(a))
			}
		}
		if !slices.Equal(got, numbers) {
			t.Fatalf("%v, want %v", got, numbers)
		}
	})
}
