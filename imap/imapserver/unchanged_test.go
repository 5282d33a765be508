package imapserver

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

var (
	conditional  = regexp.MustCompile(`^UID STORE 1:\* \(UNCHANGEDSINCE (\d+)\) (.?)FLAGS(?:\.SILENT)? \((.*)\)$`)
	modifiedCode = regexp.MustCompile(`\[MODIFIED ([^\]]*)\]`)
)

// runConditional runs UID STORE 1:* with UNCHANGEDSINCE while nobody else does
// anything: a message that changed since is named by MODIFIED and left as it was,
// any other that the client knows gets what was asked for (RFC 7162 §3.1.3).
func runConditional(t *testing.T, c *modelClient, st store.Store, command string) (answer string) {
	t.Helper()
	m := conditional.FindStringSubmatch(command)
	since, _ := strconv.ParseUint(m[1], 10, 64)
	known := slices.Clone(c.known)
	seqs, before := inboxModSeqs(t, st), inbox(t, st)
	answer = c.run(command)
	if strings.HasPrefix(answer, "BAD") {
		return answer
	}
	after := inbox(t, st)
	var modified store.UIDSet
	if code := modifiedCode.FindStringSubmatch(answer); code != nil {
		set, _, err := imapwire.ConsumeSeqSet([]byte(code[1] + " "))
		if err != nil {
			t.Fatalf("%s: %s", command, answer)
		}
		for _, r := range set {
			modified.AddRange(store.UID(r.Start), store.UID(r.Stop))
		}
	}
	for uid, modSeq := range seqs {
		n, _ := strconv.ParseUint(uid, 10, 32)
		named := modified.Contains(store.UID(n))
		told := slices.ContainsFunc(known, func(k modelMessage) bool { return k.uid == uid })
		lost := uint64(modSeq) > since
		switch {
		case named && !lost, told && lost && !named:
			t.Errorf("%s: %s: UID %s stands at %d", command, answer, uid, modSeq)
		case lost && after[uid] != before[uid]:
			t.Errorf("%s: UID %s, at %d, had %q and has %q", command, uid, modSeq, before[uid], after[uid])
		case told && !lost && !stored(after[uid], m[2], m[3]):
			t.Errorf("%s: UID %s, at %d, has %q", command, uid, modSeq, after[uid])
		}
	}
	return answer
}

// stored reports whether flags can be what STORE of one flag left.
func stored(flags, mode, flag string) bool {
	has := slices.Contains(strings.Fields(flags), flag)
	switch mode {
	case "+":
		return has
	case "-":
		return !has
	}
	return flags == flag
}

// inboxModSeqs are the mod-sequences of what the store holds.
func inboxModSeqs(t *testing.T, st store.Store) map[string]store.ModSeq {
	t.Helper()
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]store.ModSeq)
	for m, err := range a.Messages(t.Context(), box.ID, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all[strconv.Itoa(int(m.UID))] = m.ModSeq
	}
	return all
}
