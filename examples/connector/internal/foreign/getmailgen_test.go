package foreign

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// getmailrcs makes up files for getmail.
type getmailrcs struct{ *rand.Rand }

func (g getmailrcs) one(choice ...string) string { return choice[g.IntN(len(choice))] }

// lines are a file that may be none: what counts is how it falls into sections,
// names and values.
func (g getmailrcs) lines() string {
	text := g.one("[s]\n", "[s]\n", "[s] ; x\n", "  [s]\n", "# c\n\n[s]\r\n", "\ufeff[s]\n", "")
	for i := range 2 + g.IntN(9) {
		line := g.one("", "", "", " ", "  ", "\t", "\u00a0", "\x1f", "\f")
		switch g.IntN(12) {
		case 0, 1:
			line += g.one("# c", ";c", "#", "; [x]")
		case 2:
			line += g.one("", " ", "\t", "\u2003")
		case 3:
			line += g.one(fmt.Sprintf("[s%d]", i), fmt.Sprintf("[s%d] # x", i), fmt.Sprintf("[s%d]]x]", i), "[S]", "[ s ]", "[DEFAULT]", "[s]", "[]", "[x", "[] = y")
		case 4:
			line += g.one("more", "more words", "(", "x]")
		default:
			line += g.one(fmt.Sprint("N", i), fmt.Sprint("n", i, " m"), fmt.Sprint("é", i), fmt.Sprint("[n", i), "n", "N", "") + g.one("=", ":", " = ", " : ", "\t=\t", "\u00a0=", "==", ":=") +
				g.one("v", "v w", "%s", "%(x)s", "a ; b", "a # b", "(", "[x]", "", "é", "v\u00a0", "a = b", "\x1cv")
		}
		text += line + g.one("\n", "\n", "\n", "\n", "\r\n", "\r", " \n")
	}
	return text
}

// file is a getmailrc that getmail takes unless fault, the name of an option, is
// not empty.
func (g getmailrcs) file() (text, fault string) {
	m := &made{getmailrcs: g, faulty: g.IntN(5) == 0}
	sections := []string{m.section("retriever", m.retriever()), m.section("destination", m.destination())}
	if g.IntN(4) > 0 {
		if options := m.options(); g.IntN(5) == 0 {
			half := g.IntN(len(options) + 1)
			sections = append(sections, m.section("DEFAULT", options[:half]), m.section("options", options[half:]))
		} else {
			sections = append(sections, m.section("options", options))
		}
	}
	sections = append(sections, m.more...)
	if g.IntN(8) == 0 {
		sections = append(sections, m.section("filter-1", []string{"type = Filter_external", "path = /bin/true"}))
	}
	if g.IntN(12) == 0 {
		sections = append(sections, m.section("Retriever", []string{"type = bogus", "port = x"}))
	}
	g.Shuffle(len(sections), func(i, j int) { sections[i], sections[j] = sections[j], sections[i] })
	return strings.Join(sections, g.one("", "\n", "# c\n", "\r\n")), m.fault
}

// made is a file that is being made.
type made struct {
	getmailrcs
	faulty bool // one is wanted
	fault  string
	more   []string // sections of destinations
}

// section writes values in any order.
func (m *made) section(name string, values []string) string {
	m.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	text := "[" + name + "]" + m.one("", "", " ; x", "  # x", "\t") + "\n"
	for _, v := range values {
		name, value, _ := strings.Cut(v, " = ")
		if m.IntN(6) == 0 {
			name = strings.ToUpper(name)
		}
		text += name + m.one(" = ", "=", ": ", " : ", "\t=") + value + m.one("\n", "\n", " \n", "\r\n", "\n\n", "\n# c\n", "\n  ; c\n")
	}
	return text
}

// maybe is a value that is there or not, faulty perhaps.
func (m *made) maybe(name string, good func() string, bad ...string) []string {
	if m.IntN(3) > 0 {
		return nil
	}
	if m.faulty && len(bad) > 0 && m.fault == "" {
		m.fault = name
		return []string{name + " = " + m.one(bad...)}
	}
	return []string{name + " = " + good()}
}

func (m *made) truth() string {
	return m.one("true", "True", "FALSE", "yes", "No", "on", "oFF", "0", "1")
}

// number is one of an option, integer is one elsewhere.
func (m *made) number() string { return m.one("0", "1", "7", "0014", "+30", "1_000", "20000000") }

func (m *made) integer() string {
	return m.one("1995", "24", "0x3e3", "0o1747", "0b1111", "1_995", `"995"`, "'0993'", "(995)", "995 # c", "+110", "\n  2110")
}

// quoted is a string of Python in one of many forms.
func (m *made) quoted(s string) string {
	if m.IntN(4) == 0 && len(s) > 2 {
		return m.quoted(s[:2]) + m.one("", " ", "\t") + m.quoted(s[2:])
	}
	quote := m.one(`"`, "'", `"""`, "'''")
	form := m.IntN(5)
	if strings.HasSuffix(s, "\\") {
		form = 2
	}
	switch form {
	case 0:
		return m.one("r", "R") + quote + s + quote
	case 1:
		return quote + fmt.Sprintf(m.one(`\x%02x`, `\%03o`, `\u%04x`, `\U%08x`), s[0]) + s[1:] + quote
	}
	return m.one("", "", "u", "U") + quote + strings.ReplaceAll(s, "\\", m.one(`\\`, `\x5c`)) + quote
}

// list is a tuple, perhaps over several lines.
func (m *made) list(items ...string) string {
	between := m.one(", ", ",", ",\n  ", ",\n\n\t", ", # c\n  ", ",\n# c\n  # c\n  ")
	text := strings.Join(items, between)
	if len(items) == 1 || len(items) > 0 && m.IntN(3) == 0 {
		text += m.one(",", " ,", ", ")
	}
	if m.IntN(4) == 0 && !strings.Contains(between, "\n") && len(items) > 0 {
		return text
	}
	return m.one("(", "(\n  ", "( ") + text + m.one(")", " )", "\n )", ") # c")
}

var notLists = []string{`("a")`, `"a"`, `["a"]`, "a", `("a",`, `("a" "b")`, `("a", b)`, "(\"a\n  b\",)", `("\x4",)`, "\"a\",\n  \"b\"", "1"}

func (m *made) retriever() []string {
	tls := m.one("", "SSL")
	kind := m.one("SimplePOP3", "BrokenUIDLPOP3", "MultidropPOP3", "SimpleIMAP", "SimpleIMAP", "MultidropIMAP", "MultidropSDPS")
	if kind == "MultidropSDPS" {
		tls = ""
	}
	imap := strings.HasSuffix(kind, "IMAP")
	values := []string{"type = " + kind + tls + "Retriever", "server = " + m.one("a.example", "four.example", "192.0.2.1"), "username = " + m.one("joe", "joe@b.example", "%joe")}
	if m.IntN(8) > 0 {
		values = append(values, "password = "+m.one("secret", "a ; b # c", "@x", "%s%(y)s", `"quoted"`, "é", "two\n  lines", "\n  below"))
	}
	values = append(values, m.maybe("port", m.integer, "x", "010", "", "()", `"a"`)...)
	if kind == "MultidropPOP3" || kind == "MultidropIMAP" {
		values = append(values, "envelope_recipient = "+m.one("delivered-to:1", "Delivered-To", "x-to: 2", "x-to:+3", "X-Envelope-To:1_0"))
	} else {
		values = append(values, m.maybe("envelope_recipient", func() string { return "to:x" })...)
	}
	bad := func(known bool, bad ...string) []string {
		if known {
			return bad
		}
		return nil
	}
	truths := []string{"maybe", "", "t", "2"}
	file := func() string { return m.one("/etc/ca.pem", "/a b/%c") }
	for _, v := range [][]string{
		m.maybe("use_apop", m.truth, bad(!imap, truths...)...), m.maybe("use_peek", m.truth, bad(imap, truths...)...),
		m.maybe("mailboxes", m.folders, bad(imap, notLists...)...), m.maybe("move_on_delete", func() string { return m.one("Old", "Old mail") }),
		m.maybe("ca_certs", file), m.maybe("certfile", file), m.maybe("keyfile", file), m.maybe("ssl_cert_hostname", func() string { return "c.example" }),
		m.maybe("ssl_fingerprints", func() string { return m.list(m.quoted("AA:BB"), m.quoted("cc:dd")) }, bad(tls != "", notLists...)...),
		m.maybe("imap_search", func() string { return "UNSEEN" }), m.maybe("unknown", m.truth),
	} {
		values = append(values, v...)
	}
	return values
}

func (m *made) folders() string {
	return m.one("ALL", `"ALL"`, "('ALL')", "ALL,", `("ALL",)`, m.list(m.quoted("INBOX")),
		m.list(m.quoted("INBOX"), m.quoted("Sent Items"), m.quoted("a\\b")), m.list(m.quoted("ALL"), m.quoted("x/y")), `("Entwürfe",)`)
}

func (m *made) options() []string {
	var values []string
	for _, name := range truthOptions {
		if name != "skip_imap_fetch_size" {
			values = append(values, m.maybe(name, m.truth, "maybe", "", "t", "2")...)
		}
	}
	for _, name := range numberOptions {
		values = append(values, m.maybe(name, m.number, "x", "", "0x10", "1.5", "1__0", "_1", "- 1")...)
	}
	return append(values, m.maybe("unknown", m.number)...)
}

func (m *made) destination() []string {
	switch m.IntN(4) {
	case 0:
		return []string{"type = MultiDestination", "destinations = " + m.list(m.quoted(m.named()), m.quoted(m.named()))}
	case 1:
		values := []string{"type = " + m.one("MultiSorter", "MultiGuesser"), "default = " + m.named()}
		return append(values, m.maybe("locals", func() string {
			var pairs []string
			for range m.IntN(4) {
				pairs = append(pairs, "("+m.quoted(m.one(`joe@a\.example`, "^ann", `sam\D*@`))+m.one(",", ", ", ",\n ")+m.quoted(m.named())+m.one(")", ",)"))
			}
			return m.list(pairs...)
		}, `("a",)`, `("a", "/b")`, `(("a", 1),)`, `(("a",),)`, "x")...)
	}
	return m.single()
}

// named is a destination of a list: a path, or a section that is made too.
func (m *made) named() string {
	if m.IntN(3) == 0 {
		return m.one("/m/joe/", "/m/ann", "/m//x/../y/")
	}
	faulty := m.faulty
	m.faulty = false // not all of them are looked at
	defer func() { m.faulty = faulty }()
	name := fmt.Sprint("to", len(m.more))
	m.more = append(m.more, "") // it counts while others are made
	m.more[len(m.more)-1] = m.section(name, m.single())
	return "[" + name + "]"
}

func (m *made) single() []string {
	user := func() string { return m.one("joe", "ann@c.example") }
	var values []string
	switch m.IntN(5) {
	case 0:
		values = []string{"type = Maildir", "path = " + m.one("/m/joe/", "/m//x/", "/m/a b/")}
		values = append(values, m.maybe("user", user)...)
		return append(values, m.maybe("filemode", func() string { return "0640" })...)
	case 1:
		values = []string{"type = Mboxrd", "path = " + m.one("/m/joe", "/m/../x")}
		return append(values, m.maybe("user", user)...)
	case 2:
		values = []string{"type = MDA_lmtp", "host = " + m.one("d.example", "/run/lmtp", "::1")}
		values = append(values, m.maybe("port", m.integer, "x", "", "010")...)
		values = append(values, m.maybe("override", user)...)
		return append(values, m.maybe("user", user)...)
	case 3:
		return []string{"type = MDA_qmaillocal"}
	}
	values = []string{"type = MDA_external", "path = /usr/bin/procmail"}
	values = append(values, m.maybe("arguments", func() string {
		return m.list(m.quoted("-a"), m.quoted("x y"), m.one("7", "0x10", "-1", `""`, "'it''s'"))
	}, notLists...)...)
	values = append(values, m.maybe("unixfrom", m.truth, "maybe", "2")...)
	return append(values, m.maybe("user", user)...)
}
