package foreign

import "fmt"

// rcOption is an option as it stands in the file.
type rcOption struct {
	name string
	no   bool
	args []string
	line int
}

// rcName is a local name, or the name at the server and the local one.
type rcName struct{ remote, local string }

// rcUser is what stands behind "user".
type rcUser struct {
	line    int
	remote  string
	locals  []rcName
	rest    bool // "*": other names are passed through
	unnamed bool // its options stand without user in front
	options []rcOption
}

// rcServer is what stands behind "poll", "skip" or "defaults".
type rcServer struct {
	line    int
	name    string // "" for defaults
	skip    bool
	options []rcOption
	users   []rcUser
}

// rcFile is a whole fetchmailrc.
type rcFile struct {
	globals  []rcOption
	defaults *rcServer
	servers  []rcServer
}

// rcParser reads the tokens with one in hand.
type rcParser struct {
	lex lexer
	tok token
}

// parseFetchmail reads a fetchmailrc. The error is a *syntaxError.
func parseFetchmail(text string) (*rcFile, error) {
	p := &rcParser{lex: lexer{text: text, line: 1}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	f := &rcFile{}
	for p.tok.kind != tokenEnd {
		if err := p.statement(f); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// advance goes on to the next token that says something.
func (p *rcParser) advance() error {
	for {
		t, err := p.lex.next()
		if err != nil {
			return err
		}
		p.tok = t
		if t.kind != tokenKeyword || keywords[t.text].args != argNoise {
			return nil
		}
	}
}

func (p *rcParser) fault(format string, args ...any) error {
	return &syntaxError{p.tok.line, fmt.Sprintf(format, args...)}
}

// here describes the token for a person. It is never the argument of an
// option, which may be a password.
func (p *rcParser) here() string {
	switch p.tok.kind {
	case tokenEnd:
		return "the end of the file"
	case tokenKeyword:
		return fmt.Sprintf("%q", p.tok.text)
	case tokenNumber:
		return "a number"
	}
	return "a name"
}

func (p *rcParser) is(keyword string) bool {
	return p.tok.kind == tokenKeyword && p.tok.text == keyword
}

// statement reads "set …", or an entry.
func (p *rcParser) statement(f *rcFile) error {
	line := p.tok.line
	switch {
	case p.is("set"):
		return p.global(f)
	case p.is("defaults"):
		if f.defaults != nil {
			return p.fault("a second entry defaults")
		}
		if err := p.advance(); err != nil {
			return err
		}
		f.defaults = &rcServer{line: line}
		return p.server(f.defaults)
	case p.is("poll"), p.is("skip"):
		s := rcServer{line: line, skip: p.is("skip")}
		if err := p.advance(); err != nil {
			return err
		}
		if p.tok.kind != tokenString {
			return p.fault("want the name of a server, not %s", p.here())
		}
		s.name = p.tok.text
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.server(&s); err != nil {
			return err
		}
		f.servers = append(f.servers, s)
		return nil
	}
	return p.fault("want set, defaults, poll or skip, not %s", p.here())
}

// global reads "set …".
func (p *rcParser) global(f *rcFile) error {
	if err := p.advance(); err != nil {
		return err
	}
	o, ok, err := p.option()
	if err != nil {
		return err
	}
	if !ok {
		return p.fault("%s cannot be set", p.here())
	}
	f.globals = append(f.globals, o)
	return nil
}

// server reads the options and users of an entry.
func (p *rcParser) server(s *rcServer) error {
	for {
		switch {
		case p.tok.kind == tokenEnd, p.is("poll"), p.is("skip"), p.is("defaults"), p.is("set"):
			return nil
		case p.is("user"):
			if s.name != "" && len(s.users) == 1 && s.users[0].unnamed {
				return p.fault("options of a user stand in front of user")
			}
			s.users = append(s.users, rcUser{line: p.tok.line})
			if err := p.user(&s.users[len(s.users)-1]); err != nil {
				return err
			}
			continue
		case p.is("is"), p.is("to"):
			if err := p.names(lastUser(s, p.tok.line)); err != nil {
				return err
			}
			continue
		}
		o, ok, err := p.option()
		if err != nil {
			return err
		}
		if !ok {
			return p.fault("want an option, not %s", p.here())
		}
		if keywords[o.name].scope == ofUser {
			u := lastUser(s, o.line)
			u.options = append(u.options, o)
			continue
		}
		s.options = append(s.options, o)
	}
}

// lastUser is the user that an option belongs to; one without a name where none
// was named yet.
func lastUser(s *rcServer, line int) *rcUser {
	if len(s.users) == 0 {
		s.users = append(s.users, rcUser{line: line, unnamed: true})
	}
	return &s.users[len(s.users)-1]
}

// user reads "user NAME [there]" or "user NAMES here".
func (p *rcParser) user(u *rcUser) error {
	if err := p.advance(); err != nil {
		return err
	}
	names, rest, err := p.mappings()
	if err != nil {
		return err
	}
	switch {
	case p.is("here"):
		u.locals, u.rest = append(u.locals, names...), rest
		return p.advance()
	case len(names) != 1 || rest || names[0].remote != names[0].local:
		return p.fault("want one name behind user, or here behind several")
	}
	u.remote = names[0].local
	if p.is("there") {
		return p.advance()
	}
	return nil
}

// names reads "is NAMES [here]" or "is NAME there".
func (p *rcParser) names(u *rcUser) error {
	if err := p.advance(); err != nil {
		return err
	}
	names, rest, err := p.mappings()
	if err != nil {
		return err
	}
	if p.is("there") {
		if len(names) != 1 || rest {
			return p.fault("want one name in front of there")
		}
		u.remote = names[0].local
		return p.advance()
	}
	u.locals, u.rest = append(u.locals, names...), u.rest || rest
	if p.is("here") {
		return p.advance()
	}
	return nil
}

// mappings reads names and pairs of names, and the "*" behind them.
func (p *rcParser) mappings() (names []rcName, rest bool, err error) {
	for p.tok.kind == tokenString || p.tok.kind == tokenNumber {
		n := rcName{p.tok.text, p.tok.text}
		if err = p.advance(); err != nil {
			return nil, false, err
		}
		if p.tok.kind == tokenMap {
			if err = p.advance(); err != nil {
				return nil, false, err
			}
			if p.tok.kind != tokenString {
				return nil, false, p.fault("want a local name behind =, not %s", p.here())
			}
			n.local = p.tok.text
			if err = p.advance(); err != nil {
				return nil, false, err
			}
		}
		names = append(names, n)
	}
	if p.tok.kind == tokenStar {
		return names, true, p.advance()
	}
	if len(names) == 0 {
		return nil, false, p.fault("want a name, not %s", p.here())
	}
	return names, false, nil
}

// option reads an option with its arguments; false: there is none.
func (p *rcParser) option() (rcOption, bool, error) {
	o := rcOption{line: p.tok.line}
	if p.is("no") {
		o.no = true
		if err := p.advance(); err != nil {
			return o, false, err
		}
	}
	k := keywords[p.tok.text]
	if p.tok.kind != tokenKeyword || k.scope == 0 {
		return o, false, nil
	}
	o.name = p.tok.text
	if err := p.advance(); err != nil {
		return o, false, err
	}
	if o.no {
		if !k.negatable() {
			return o, false, p.fault("no does not go with %s", o.name)
		}
		return o, true, nil
	}
	return o, true, p.arguments(&o, k.args)
}

func (p *rcParser) arguments(o *rcOption, kind argKind) error {
	if kind == argFlag {
		return nil
	}
	if p.tok.kind == tokenMap { // set logfile = FILE
		if err := p.advance(); err != nil {
			return err
		}
	}
	limit := 1
	switch {
	case kind == argList:
		limit = len(p.lex.text)
	case kind == argEnvelope && p.tok.kind == tokenNumber:
		limit = 2
	}
	for len(o.args) < limit && (p.tok.kind == tokenString || p.tok.kind == tokenNumber) {
		o.args = append(o.args, p.tok.text)
		if err := p.advance(); err != nil {
			return err
		}
	}
	if len(o.args) == 0 || kind == argEnvelope && len(o.args) != limit {
		return p.fault("want a value behind %s, not %s", o.name, p.here())
	}
	return nil
}
