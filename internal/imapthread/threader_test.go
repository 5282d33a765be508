package imapthread

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// mailbox makes messages out of lines "id date subject references…", where ~ is
// none and a subject with "re:" in front is a reply.
func mailbox(lines ...string) (msgs []*message) {
	for i, l := range lines {
		f := strings.Fields(l)
		for j := range f {
			f[j] = strings.ReplaceAll(f[j], "~", "")
		}
		m := &message{refs: f[3:]}
		m.UID, m.ID = store.UID(i+1), []byte(f[0])
		var sec int64
		fmt.Sscan(f[1], &sec)
		m.Sent = time.Unix(sec, 0)
		base, reply := strings.CutPrefix(f[2], "re:")
		m.Subject, m.Reply = []byte(base), reply
		msgs = append(msgs, m)
	}
	return msgs
}

func TestThreads(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  [3]string // ORDEREDSUBJECT, REFERENCES, REFS
	}{
		{"nothing", nil, [3]string{}},
		{"one", []string{"a 1 x"}, [3]string{"(1)", "(1)", "(1)"}},
		{
			"a chain",
			[]string{"a 1 x", "b 2 re:x a", "c 3 re:x a b"},
			[3]string{"(1 (2)(3))", "(1 2 3)", "(1 2 3)"},
		},
		{
			"the child comes first",
			[]string{"c 3 re:x a b", "b 2 re:x a", "a 1 x"},
			[3]string{"(3 (2)(1))", "(3 2 1)", "(3 2 1)"},
		},
		{
			"siblings in the order of their dates",
			[]string{"a 1 x", "b 9 re:x a", "c 3 re:x a"},
			[3]string{"(1 (3)(2))", "(1 (3)(2))", "(1 (3)(2))"},
		},
		{
			"a parent that is not there",
			[]string{"b 2 re:x a", "c 3 re:x a"},
			[3]string{"(1 2)", "((1)(2))", "((1)(2))"},
		},
		{
			"an only child is no dummy's",
			[]string{"b 2 x a", "c 1 y"},
			[3]string{"(2)(1)", "(2)(1)", "(2)(1)"},
		},
		{
			"missing links between",
			[]string{"a 1 x", "d 2 re:x a b c"},
			[3]string{"(1 2)", "(1 2)", "(1 2)"},
		},
		{
			"duplicate ids",
			[]string{"a 1 x", "a 2 x", "b 3 re:x a"},
			[3]string{"(1 (2)(3))", "((1 3)(2))", "(2)(1 3)"},
		},
		{
			"a loop",
			[]string{"a 1 x b", "b 2 y a"},
			[3]string{"(1)(2)", "(2 1)", "(2 1)"},
		},
		{
			"its own parent",
			[]string{"a 1 x a"},
			[3]string{"(1)", "(1)", "(1)"},
		},
		{
			"the last references win",
			[]string{"a 1 x", "b 2 y", "c 3 z b", "d 4 w a c", "c 5 v"},
			[3]string{"(1)(2)(3)(4)(5)", "(1)(2 3 4)(5)", "(1)(2 3 4)(5)"},
		},
		{
			"a truncated header does not move a message",
			[]string{"a 1 x", "b 2 x a", "c 3 x b", "d 4 x a c"},
			[3]string{"(1 (2)(3)(4))", "(1 2 3 4)", "(1 2 3 4)"},
		},
		{
			"a message without references leaves the place it had",
			[]string{"a 1 x", "c 2 y a b", "b 3 z"},
			[3]string{"(1)(2)(3)", "(1)(3 2)", "(1)(3 2)"},
		},
		{
			"the same subject",
			[]string{"a 1 x", "b 2 re:x", "c 3 X"},
			[3]string{"(1 (2)(3))", "((1 2)(3))", "(1)(2)(3)"},
		},
		{
			"replies to what is not there",
			[]string{"a 1 re:x", "b 2 re:x"},
			[3]string{"(1 2)", "((1)(2))", "(1)(2)"},
		},
		{
			"no subject",
			[]string{"a 1 ~", "b 2 ~"},
			[3]string{"(1 2)", "(1)(2)", "(1)(2)"},
		},
		{
			"dummies with one subject",
			[]string{"a 1 x p", "b 2 x p", "c 3 x q", "d 4 x q", "e 5 re:x"},
			[3]string{"(1 (2)(3)(4)(5))", "((1)(2)(3)(4)(5))", "((1)(2))((3)(4))(5)"},
		},
		{
			"threads by their newest message",
			[]string{"a 1 x", "b 2 y", "c 3 re:x a"},
			[3]string{"(1 3)(2)", "(1 3)(2)", "(2)(1 3)"},
		},
	} {
		for a, want := range tt.want {
			if got, _ := run(mailbox(tt.lines...), Algorithm(a)); got != want {
				t.Errorf("%s, algorithm %d: %s, want %s", tt.name, a, got, want)
			}
		}
	}
}

// random is a mailbox of n messages that refer to each other in all ways.
func random(rnd *rand.Rand, n int) []*message {
	lines := make([]string, n)
	id := func() string { return string(rune('a' + rnd.IntN(n+2))) }
	for i := range lines {
		lines[i] = fmt.Sprintf("%s %d %s%s", id(), rnd.IntN(n), []string{"", "re:"}[rnd.IntN(2)], []string{"~", "x", "X", "y"}[rnd.IntN(4)])
		for range rnd.IntN(4) {
			lines[i] += " " + id()
		}
	}
	return mailbox(lines...)
}

// TestNaive holds the threads against those that the RFC's words make.
func TestNaive(t *testing.T) {
	seeds := uint64(20_000)
	if testing.Short() {
		seeds = 2_000
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 1))
		msgs := random(rnd, 1+rnd.IntN(12))
		for _, a := range []Algorithm{References, Refs} {
			got, _ := run(msgs, a)
			if want := naiveThreads(msgs, a); got != want {
				for _, m := range msgs {
					t.Logf("%d: %s at %d, %q reply %v, %q", m.UID, m.ID, m.Sent.Unix(), m.Subject, m.Reply, m.refs)
				}
				t.Fatalf("seed %d, algorithm %d: %s, want %s", seed, a, got, want)
			}
		}
	}
}

// FuzzThreads: I1 and I2, whatever refers to what.
func FuzzThreads(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, a uint8) {
		var msgs []*message
		for part := range slices.Chunk(b, 6) {
			m := &message{}
			m.UID, m.ID = store.UID(len(msgs)+1), part[:1]
			for i, c := range part {
				switch i {
				case 1:
					m.Sent = time.Unix(int64(c), 0)
				case 2:
					m.Subject, m.Reply = []byte{'a' + c%4}, c&16 != 0
				default:
					m.refs = append(m.refs, string(rune(c)))
				}
			}
			msgs = append(msgs, m)
		}
		out, _ := run(msgs, Algorithm(a%3))
		numbers := strings.FieldsFunc(out, func(r rune) bool { return r < '0' || r > '9' })
		slices.Sort(numbers)
		if len(slices.Compact(numbers)) != len(msgs) {
			t.Fatalf("%d of %d messages: %s", len(numbers), len(msgs), out)
		}
		if strings.Count(out, "(") != strings.Count(out, ")") {
			t.Fatal(out)
		}
	})
}

// TestHostile: mailboxes made to be slow cost no more than a factor on others.
// Counted are steps in the forest, and octets.
func TestHostile(t *testing.T) {
	const n = 10_000
	numbered := func(i int) string { return fmt.Sprint("<", i, ">") }
	for _, tt := range []struct {
		name string
		make func(i int) (id string, refs []string)
	}{
		{"a chain", func(i int) (string, []string) { return numbered(i), []string{numbered(i - 1)} }},
		{"a chain from its end", func(i int) (string, []string) { return numbered(n - i), []string{numbered(n - i - 1)} }},
		{"a ring", func(i int) (string, []string) { return numbered(i), []string{numbered((i + 1) % n)} }},
		{"links refused at the bottom of a chain", func(i int) (string, []string) {
			if i < n/2 {
				return numbered(i), []string{numbered(i - 1)}
			}
			return numbered(i), []string{numbered(n/2 - 1), numbered(0)}
		}},
		{"all have one id", func(int) (string, []string) { return "x", []string{"x", "y", "x"} }},
		{"ids that nobody has", func(i int) (string, []string) {
			refs := make([]string, 100)
			for j := range refs {
				refs[j] = numbered(1_000_000 + 100*i + j)
			}
			return numbered(i), refs
		}},
		{"moved up and down a chain", func(i int) (string, []string) {
			return numbered(i), []string{numbered(i * 7919 % n), numbered(i * 104729 % n), numbered((i + 1) % n)}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs := make([]*message, n)
			links := 0
			for i := range msgs {
				id, refs := tt.make(i)
				msgs[i] = &message{refs: refs}
				msgs[i].UID, msgs[i].ID, msgs[i].Subject = store.UID(i+1), []byte(id), []byte("x")
				links += len(refs) + 1
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out, th := run(msgs, References)
			runtime.ReadMemStats(&after)
			if got := strings.Count(out, "("); got != strings.Count(out, ")") {
				t.Error("unbalanced")
			}
			if limit := 20 * links; th.trees.steps > limit {
				t.Errorf("%d steps for %d links", th.trees.steps, links)
			}
			if got := len(th.uids); got > 10*n+2000 {
				t.Errorf("%d nodes", got)
			}
			if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 60<<20 {
				t.Errorf("%d octets allocated", bytes)
			}
			t.Logf("%d steps for %d links, %d nodes, %d octets", th.trees.steps, links, len(th.uids), after.TotalAlloc-before.TotalAlloc)
		})
	}
}

// BenchmarkThreads threads 100,000 messages in conversations of ten.
func BenchmarkThreads(b *testing.B) {
	msgs := make([]*message, 100_000)
	for i := range msgs {
		m := &message{}
		m.UID, m.ID, m.Sent = store.UID(i+1), fmt.Append(nil, i, "@example.org"), time.Unix(int64(i), 0)
		m.Subject = fmt.Append(nil, "subject ", i/10)
		for j := i / 10 * 10; j < i; j++ {
			m.refs = append(m.refs, fmt.Sprint(j, "@example.org"))
		}
		msgs[i] = m
	}
	for b.Loop() {
		run(msgs, References)
	}
}
