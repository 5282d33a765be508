package migrate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mailstead/mailstead/store"
)

// Name is the levels of a mailbox's name joined by "/", for people.
func (m *Mailbox) Name() string { return strings.Join(m.Path, "/") }

// key is what the mailbox is filed under.
func (m *Mailbox) key() string {
	if m.Key != "" {
		return m.Key
	}
	return m.Name()
}

// selected reports whether the options want a mailbox.
func (o *Options) selected(m *Mailbox) bool {
	match := func(pattern string) bool { return matchName(strings.ToLower(pattern), strings.ToLower(m.Name())) }
	if len(o.Include) > 0 && !slices.ContainsFunc(o.Include, match) {
		return false
	}
	return !slices.ContainsFunc(o.Exclude, match)
}

// matchName matches as LIST does: "*" is anything, "%" anything without "/". It
// takes time in the product of the lengths at most.
func matchName(pattern, name string) bool {
	states := make([]bool, len(name)+1) // states[i]: the pattern so far matches name[:i]
	states[0] = true
	for _, c := range []byte(pattern) {
		switch c {
		case '*', '%':
			on := false
			for i := range states {
				if on && c == '%' && name[i-1] == '/' {
					on = false
				}
				on = on || states[i]
				states[i] = on
			}
		default:
			for i := len(name); i > 0; i-- {
				states[i] = states[i-1] && name[i-1] == c
			}
			states[0] = false
		}
	}
	return states[len(name)]
}

// A placer gives each mailbox of the source a path in the target.
type placer struct {
	rules Rules
	taken map[string]string // canonical name in the target → key in the source
}

func newPlacer(r Rules) *placer { return &placer{rules: r, taken: make(map[string]string)} }

// canonical is the form in which names are compared.
func (p *placer) canonical(path []string) string {
	name := strings.Join(path, "\x00")
	if p.rules.FoldCase {
		return strings.ToLower(name)
	}
	return name
}

// claim takes a path for a mailbox; false: another one has it.
func (p *placer) claim(path []string, key string) bool {
	name := p.canonical(path)
	if owner, ok := p.taken[name]; ok && owner != key {
		return false
	}
	p.taken[name] = key
	return true
}

// place cleans a path and makes it unique. What cannot stand in a name becomes "_",
// so that no name leads anywhere else; nothing is left out for its name.
func (p *placer) place(path []string, key string) []string {
	clean := p.clean(path)
	if p.claim(clean, key) {
		return clean
	}
	for n := 2; ; n++ {
		try := slices.Clone(clean)
		last := len(try) - 1
		try[last] = p.shorten(try[last], p.room(try), "-"+strconv.Itoa(n))
		if p.claim(try, key) {
			return try
		}
	}
}

// plainer gives a mailbox whose name the target has refused, without saying which
// characters it takes, a name of letters and digits and what every server takes;
// false: it has that already.
func (b *box) plainer() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	plain := make([]string, len(b.path))
	for i, level := range b.path {
		plain[i] = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune(" -_.", r) {
				return r
			}
			return '_'
		}, level)
	}
	if slices.Equal(plain, b.path) {
		return false
	}
	b.path = b.names.place(plain, b.from.key())
	b.report.Target = strings.Join(b.path, "/")
	return true
}

func (p *placer) clean(path []string) []string {
	var out []string
	for _, level := range path {
		if level = p.level(level); level != "" {
			out = append(out, level)
		}
	}
	if len(out) == 0 {
		out = []string{"_"}
	}
	if len(out[0]) == len(store.Inbox) && strings.EqualFold(out[0], store.Inbox) {
		out[0] = store.Inbox
	}
	if d := p.rules.MaxDepth; d > 0 && len(out) > d {
		out = append(out[:d-1:d-1], strings.Join(out[d-1:], "_"))
	}
	for i, level := range out {
		out[i] = p.shorten(level, p.rules.MaxLevel, "")
	}
	return p.fit(out)
}

// level cleans one level; "" = it has no characters.
func (p *placer) level(s string) string {
	s = norm.NFC.String(strings.ToValidUTF8(s, "_"))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d':
			return '_'
		case strings.ContainsRune(p.rules.Forbidden, r):
			return '_'
		}
		return r
	}, s)
	s = strings.Trim(s, " ")
	if s == "." || s == ".." {
		return strings.Repeat("_", len(s))
	}
	if p.rules.NoDot && strings.HasPrefix(s, ".") {
		s = "_" + s[1:]
	}
	if p.rules.Reserved != "" && strings.EqualFold(s, p.rules.Reserved) {
		s += "_"
	}
	return s
}

func (p *placer) length(s string) int {
	if p.rules.Length != nil {
		return p.rules.Length(s)
	}
	return len(s)
}

// total is the length of a whole name.
func (p *placer) total(path []string) int {
	n := len(path) - 1
	for _, level := range path {
		n += p.length(level)
	}
	return n
}

// room is how long the last level may be.
func (p *placer) room(path []string) int {
	room := p.rules.MaxLevel
	if p.rules.MaxName > 0 {
		left := max(1, p.rules.MaxName-p.total(path)+p.length(path[len(path)-1]))
		if room == 0 || left < room {
			room = left
		}
	}
	return room
}

// shorten cuts a level to at most room octets with suffix behind it. Where it has
// to cut and no suffix was given, it ends in a hash of what it was, so that two
// long names stay two.
func (p *placer) shorten(level string, room int, suffix string) string {
	if room <= 0 || p.length(level+suffix) <= room {
		return level + suffix
	}
	suffix = "-" + hexHash(level)[:8] + suffix
	cut := level
	for cut != "" && p.length(cut+suffix) > room {
		_, size := utf8.DecodeLastRuneInString(cut)
		cut = cut[:len(cut)-size]
	}
	if cut == "" {
		suffix = strings.TrimPrefix(suffix, "-")
		suffix = suffix[:min(len(suffix), max(1, room))]
	}
	return cut + suffix
}

// fit brings a whole name below MaxName: levels lose from the longest on, and when
// that is not enough the deepest become one.
func (p *placer) fit(path []string) []string {
	limit := p.rules.MaxName
	if limit <= 0 {
		return path
	}
	for len(path) > 1 && limit/len(path) < 12 {
		n := len(path) - 2
		path = append(path[:n:n], p.shorten(path[n]+"_"+path[n+1], p.rules.MaxLevel, ""))
	}
	for p.total(path) > limit {
		longest := 0
		for i := range path {
			if p.length(path[i]) > p.length(path[longest]) {
				longest = i
			}
		}
		over := p.total(path) - limit
		room := max(10, p.length(path[longest])-over)
		short := p.shorten(path[longest], max(room, limit/len(path)-1), "")
		if short == path[longest] {
			return path
		}
		path[longest] = short
	}
	return path
}

// orderMailboxes puts INBOX first, levels above before those below, and views last.
func orderMailboxes(list []Mailbox, views bool) {
	rank := func(m *Mailbox) int {
		switch {
		case !views && isView(m.Role):
			return 2
		case len(m.Path) == 1 && strings.EqualFold(m.Path[0], store.Inbox):
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b Mailbox) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), slices.Compare(a.Path, b.Path), cmp.Compare(a.key(), b.key()))
	})
}
