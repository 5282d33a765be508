package imapurl

import (
	"strconv"
	"strings"
	"time"
)

// Parse reads a URL:
//
//	imapurl   = "imap://" [iuserinfo "@"] host [":" port] ["/" [icommand]]
//	icommand  = enc-mailbox [";UIDVALIDITY=" n] ["?" search]
//	          / enc-mailbox [";UIDVALIDITY=" n] "/;UID=" n ["/;SECTION=" s] ["/;PARTIAL=" range] [iurlauth]
//	iurlauth  = [";EXPIRE=" date-time] ";URLAUTH=" access [":" mechanism ":" token]
//
// and the relative forms. The only error is [ErrSyntax].
func Parse(text string) (URL, error) {
	p := parser{text: text, rest: text}
	if len(text) > MaxLength || !p.url() {
		return URL{}, ErrSyntax
	}
	return p.u, nil
}

// parser takes components off the front of rest.
type parser struct {
	text, rest string
	u          URL
}

func (p *parser) url() bool {
	switch {
	case p.accept("imap://"):
		server, path, _ := cut(p.rest, "/")
		if p.rest = path; !p.server(server) {
			return false
		}
		if path == "" || path == "/" {
			p.rest = ""
			return true
		}
		p.rest = path[1:]
	case p.follows(";UID=") || p.follows("/;UID="):
		p.u.Form = Relative
	case p.follows("//"): // a server without a scheme: nobody sends it
		return false
	case p.accept("/"):
		p.u.Form = Path
	default:
		return false
	}
	return p.command() && p.rest == ""
}

// cut splits s in front of the first octet of any of stops.
func cut(s, stops string) (before, after string, found bool) {
	if i := strings.IndexAny(s, stops); i >= 0 {
		return s[:i], s[i:], true
	}
	return s, "", false
}

// follows reports whether the rest starts with a word, in any case.
func (p *parser) follows(word string) bool {
	return len(p.rest) >= len(word) && strings.EqualFold(p.rest[:len(word)], word)
}

func (p *parser) accept(word string) bool {
	if !p.follows(word) {
		return false
	}
	p.rest = p.rest[len(word):]
	return true
}

// server takes [[user] [";AUTH=" type] "@"] host [":" port].
func (p *parser) server(s string) bool {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		user, auth, has := cut(s[:i], ";")
		s = s[i+1:]
		if has {
			const word = ";AUTH="
			if len(auth) <= len(word) || !strings.EqualFold(auth[:len(word)], word) {
				return false
			}
			auth = auth[len(word):]
		}
		var ok, ok2 bool
		p.u.User, ok = decode(user, userChar)
		p.u.Auth, ok2 = decode(auth, userChar)
		if !ok || !ok2 || user == "" && !has {
			return false
		}
	}
	p.u.Host = s
	return isHost(s)
}

// command takes what stands behind the server.
func (p *parser) command() bool {
	if p.u.Form != Relative {
		name, rest, _ := cut(p.rest, ";?")
		p.rest = rest
		if p.follows(";UID=") {
			if !strings.HasSuffix(name, "/") {
				return false
			}
			name = name[:len(name)-1]
			p.rest = "/" + p.rest
		}
		var ok bool
		if p.u.Mailbox, ok = decode(name, pathChar); !ok || name == "" {
			return false
		}
		if p.accept(";UIDVALIDITY=") && !p.number32(&p.u.UIDValidity) {
			return false
		}
		if p.accept("?") {
			p.u.Search, ok = decode(p.rest, pathChar)
			p.rest = ""
			return ok
		}
		if p.rest == "" {
			return true
		}
	}
	return p.message()
}

// message takes "/;UID=" and what follows it.
func (p *parser) message() bool {
	if p.u.Form == Relative && p.follows(";UID=") {
		p.rest = "/" + p.rest
	}
	if !p.accept("/;UID=") || !p.number32(&p.u.UID) {
		return false
	}
	if p.accept("/;SECTION=") {
		section, rest, _ := cut(p.rest, ";")
		if strings.HasSuffix(section, "/") && rest != "" {
			section, rest = section[:len(section)-1], "/"+rest
		}
		p.rest = rest
		var ok bool
		if p.u.Section, ok = decode(section, pathChar); !ok || section == "" {
			return false
		}
	}
	if p.accept("/;PARTIAL=") && !p.partial() {
		return false
	}
	return p.auth()
}

// partial takes number ["." nz-number].
func (p *parser) partial() bool {
	p.u.Partial = true
	if !p.number(&p.u.Offset, 0) {
		return false
	}
	return !p.accept(".") || p.number(&p.u.Count, 1)
}

// auth takes iurlauth, or its rump.
func (p *parser) auth() bool {
	if p.accept(";EXPIRE=") {
		text, rest, ok := cut(p.rest, ";")
		t, err := time.Parse(time.RFC3339, text)
		if p.rest = rest; !ok || err != nil || t.IsZero() {
			return false
		}
		p.u.Expire = t
	} else if p.rest == "" {
		return true
	}
	if !p.accept(";URLAUTH=") {
		return false
	}
	access, rest, verified := cut(p.rest, ":")
	p.rest = ""
	if !p.access(access) {
		return false
	}
	p.u.Rump = p.text[:len(p.text)-len(rest)]
	if !verified {
		return true
	}
	mechanism, token, ok := strings.Cut(rest[1:], ":")
	p.u.Mechanism, p.u.Token = strings.ToUpper(mechanism), strings.ToLower(token)
	return ok && isMechanism(mechanism) && isToken(token)
}

func (p *parser) access(s string) (ok bool) {
	kind, user, has := strings.Cut(s, "+")
	switch strings.ToLower(kind) {
	case "submit":
		p.u.Access.Kind = Submit
	case "user":
		p.u.Access.Kind = User
	case "authuser":
		p.u.Access.Kind = AuthUser
		return !has
	case "anonymous":
		p.u.Access.Kind = Anonymous
		return !has
	default:
		return false
	}
	p.u.Access.User, ok = decode(user, userChar)
	return ok && user != ""
}

// number32 takes nz-number.
func (p *parser) number32(v *uint32) bool {
	var n int64
	ok := p.number(&n, 1) && n < 1<<32
	*v = uint32(n)
	return ok
}

// number takes 1*DIGIT of at most 63 bits.
func (p *parser) number(v *int64, least int64) bool {
	i := 0
	for i < len(p.rest) && '0' <= p.rest[i] && p.rest[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(p.rest[:i], 10, 64)
	p.rest = p.rest[i:]
	*v = n
	return err == nil && n >= least
}

func isMechanism(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlnum(c) && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}

// isToken reports whether s is enc-urlauth: 32 hexadecimal digits or more.
func isToken(s string) bool {
	for i := range len(s) {
		if unhex(s[i]) < 0 {
			return false
		}
	}
	return len(s) >= 32
}
