package dnsx

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// reply is a message that answers a question: with records, or with the verdict
// that there are none.
type reply struct {
	nxdomain bool
	secure   bool
	negative time.Duration // of the SOA record (RFC 2308 §5); 0 = there is none
	records  []record
}

// record is one record of the answer section.
type record struct {
	name   string // in lower case, without the dot at the end
	t      Type
	ttl    time.Duration
	target string // of CNAME, in lower case
	put    func(*Answer)
}

// maxTTL is the longest time that anything is kept: a day.
const maxTTL = 24 * time.Hour

// errNotOurs: the message answers something else.
var errNotOurs = errors.New("dnsx: not an answer to the question")

// parse reads an answer to q. The error is errNotOurs, errCase, errOversize,
// errEDNS, ErrBogus, or another failure of the server.
func (q *question) parse(msg []byte) (*reply, error) {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.ID != q.id || !h.Response {
		return nil, errNotOurs
	}
	questions, err := p.AllQuestions()
	if err == nil && len(questions) == 0 && h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError {
		return nil, q.failure(h.RCode, nil) // some servers do not repeat it then
	}
	if err != nil || len(questions) != 1 || questions[0].Type != dnsmessage.Type(q.t) || questions[0].Class != dnsmessage.ClassINET {
		return nil, errNotOurs
	}
	if got := questions[0].Name.String(); got != q.sent.String() {
		if !strings.EqualFold(got, q.sent.String()) {
			return nil, errNotOurs
		}
		if !q.stream {
			return nil, errCase
		}
	}
	if h.Truncated {
		return nil, errOversize
	}
	r := &reply{nxdomain: h.RCode == dnsmessage.RCodeNameError, secure: q.trust && h.AuthenticData}
	if !r.nxdomain && h.RCode != dnsmessage.RCodeSuccess {
		return nil, q.failure(h.RCode, &p)
	}
	if err := r.readAnswers(&p); err != nil {
		return nil, errors.Join(errFormat, err)
	}
	if err := r.readAuthorities(&p); err != nil {
		return nil, errors.Join(errFormat, err)
	}
	return r, nil
}

// failure is what a failing server means; p stands behind the questions.
func (q *question) failure(code dnsmessage.RCode, p *dnsmessage.Parser) error {
	switch {
	case q.edns && (code == dnsmessage.RCodeFormatError || code == dnsmessage.RCodeNotImplemented):
		return errEDNS
	case p != nil && p.SkipAllAnswers() == nil && p.SkipAllAuthorities() == nil && bogus(p):
		return ErrBogus
	}
	return errors.New("dnsx: " + strings.TrimPrefix(code.String(), "RCode"))
}

// bogus looks for an extended error that says that validation failed (RFC 8914
// §4.7 to §4.13).
func bogus(p *dnsmessage.Parser) bool {
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return false
		}
		if h.Type != dnsmessage.TypeOPT {
			if p.SkipAdditional() != nil {
				return false
			}
			continue
		}
		opt, err := p.OPTResource()
		if err != nil {
			return false
		}
		for _, o := range opt.Options {
			if o.Code == 15 && len(o.Data) >= 2 {
				if code := binary.BigEndian.Uint16(o.Data); code >= 6 && code <= 12 {
					return true
				}
			}
		}
	}
}

func ttlOf(seconds uint32) time.Duration {
	if seconds > 1<<31-1 { // RFC 2181 §8
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxTTL)
}

func lower(n dnsmessage.Name) string { return strings.ToLower(strings.TrimSuffix(n.String(), ".")) }

// readAnswers reads the answer section.
func (r *reply) readAnswers(p *dnsmessage.Parser) error {
	for {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		rec := record{name: lower(h.Name), t: Type(h.Type), ttl: ttlOf(h.TTL)}
		if h.Class != dnsmessage.ClassINET {
			rec.t = 0
		}
		if err := rec.read(p); err != nil {
			return err
		}
		if rec.put != nil || rec.target != "" {
			r.records = append(r.records, rec)
		}
	}
}

// read reads the body of a record.
func (rec *record) read(p *dnsmessage.Parser) error {
	switch rec.t {
	case A:
		b, err := p.AResource()
		rec.put = func(a *Answer) { a.Addrs = append(a.Addrs, netip.AddrFrom4(b.A)) }
		return err
	case AAAA:
		b, err := p.AAAAResource()
		rec.put = func(a *Answer) { a.Addrs = append(a.Addrs, netip.AddrFrom16(b.AAAA)) }
		return err
	case TXT:
		b, err := p.TXTResource()
		rec.put = func(a *Answer) { a.Texts = append(a.Texts, strings.Join(b.TXT, "")) }
		return err
	case MX:
		b, err := p.MXResource()
		rec.put = func(a *Answer) {
			a.MX = append(a.MX, Exchange{Preference: b.Pref, Host: strings.TrimSuffix(b.MX.String(), ".")})
		}
		return err
	case PTR:
		b, err := p.PTRResource()
		rec.put = func(a *Answer) { a.Names = append(a.Names, strings.TrimSuffix(b.PTR.String(), ".")) }
		return err
	case CNAME:
		b, err := p.CNAMEResource()
		rec.target = lower(b.CNAME)
		rec.put = func(a *Answer) { a.Names = append(a.Names, rec.target) }
		return err
	case TLSA:
		b, err := p.UnknownResource()
		if len(b.Data) < 3 {
			b.Data = []byte{255, 255, 255} // there is one, even if nobody can use it
		}
		rec.put = func(a *Answer) {
			a.TLSA = append(a.TLSA, Association{Usage: b.Data[0], Selector: b.Data[1], Matching: b.Data[2], Data: b.Data[3:]})
		}
		return err
	}
	return p.SkipAnswer()
}

// readAuthorities reads how long it may be remembered that there is nothing.
func (r *reply) readAuthorities(p *dnsmessage.Parser) error {
	for {
		h, err := p.AuthorityHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Type != dnsmessage.TypeSOA {
			if err := p.SkipAuthority(); err != nil {
				return err
			}
			continue
		}
		soa, err := p.SOAResource()
		if err != nil {
			return err
		}
		r.negative = min(ttlOf(h.TTL), ttlOf(soa.MinTTL))
	}
}

// collect follows the CNAMEs from name on, at most limit, and puts the records
// at their end into a. It returns the end and the number of links.
func (r *reply) collect(a *Answer, name string, t Type, limit int) (end string, links int, err error) {
	end = strings.ToLower(name)
	for {
		next := ""
		for i := range r.records {
			switch rec := &r.records[i]; {
			case rec.name != end:
			case rec.t == t && rec.put != nil:
				rec.put(a)
				a.TTL = min(a.TTL, rec.ttl)
			case rec.target != "" && next == "":
				next = rec.target
				a.TTL = min(a.TTL, rec.ttl)
			}
		}
		if !a.empty() || next == "" {
			return end, links, nil
		}
		if links++; links > limit {
			return end, links, errChain
		}
		end = next
	}
}
