package imapsearch

import (
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Config is what a Parser allows.
type Config struct {
	MaxNodes int  // keys and operators of a program; negative = no bound
	Fuzzy    bool // SEARCH=FUZZY is offered (RFC 6203)
	UTF8     bool // UTF8=ACCEPT is enabled: there is no other charset (RFC 9755 §3)

	// Update takes what follows UPDATE (RFC 5465 §7); nil = nothing does.
	Update func() error
}

var (
	// ErrComplex refuses a search of more nodes than allowed: NO with LIMIT.
	ErrComplex = errors.New("imapsearch: too complex")

	// ErrCharset refuses an unknown charset: NO with BADCHARSET (RFC 3501
	// §6.4.4).
	ErrCharset = errors.New("imapsearch: unknown charset")
)

// Parser reads the arguments of SEARCH, and the ones that other commands have in
// common with it. Errors are *[imapwire.SyntaxError], [ErrComplex],
// [ErrCharset] and those of the Decoder.
type Parser struct {
	cfg     Config
	dec     *imapwire.Decoder
	decode  func(string) (string, error)
	nodes   Program
	stack   []frame
	open    int // operators in the stack
	fuzzy   int // FUZZY keys in the stack
	loosed  []loosened
	isLoose bool // a key FUZZY was read
}

// NewParser returns a Parser on the command that dec reads.
func NewParser(dec *imapwire.Decoder, cfg Config) *Parser {
	return &Parser{cfg: cfg, dec: dec, decode: decodeUTF8}
}

// Options are what RETURN asks for.
type Options struct {
	Extended bool // RETURN was given: the answer is ESEARCH (RFC 4731 §3.1)
	Return   imap.SearchReturn
	Partial  imap.PartialRange // with imap.ReturnPartial
}

// Options takes ["RETURN" SP "(" [option *(SP option)] ")" SP] (RFC 4731 §3.1,
// RFC 5182 §2.1, RFC 5267 §4, RFC 9394 §3.1, RFC 6203 §4). What asks for no
// result at all, nor saves one, gets ALL.
func (p *Parser) Options() (o Options, err error) {
	if !p.NextWordIs("RETURN") {
		return o, nil
	}
	o.Extended = true
	if err = p.dec.SP(); err != nil {
		return o, err
	}
	if err = p.dec.List(func() error { return p.option(&o) }); err != nil {
		return o, err
	}
	const silent = imap.ReturnContext | imap.ReturnUpdate | imap.ReturnRelevancy
	if o.Return&^silent == 0 && o.Return&imap.ReturnUpdate == 0 {
		o.Return |= imap.ReturnAll
	}
	if o.Return&imap.ReturnAll != 0 && o.Return&imap.ReturnPartial != 0 {
		return o, imapwire.Bad("ALL and PARTIAL exclude each other")
	}
	return o, p.dec.SP()
}

var resultOptions = map[string]imap.SearchReturn{
	"MIN": imap.ReturnMin, "MAX": imap.ReturnMax, "ALL": imap.ReturnAll, "COUNT": imap.ReturnCount,
	"SAVE": imap.ReturnSave, "PARTIAL": imap.ReturnPartial, "CONTEXT": imap.ReturnContext,
	"UPDATE": imap.ReturnUpdate, "RELEVANCY": imap.ReturnRelevancy,
}

// option takes one result option.
func (p *Parser) option(o *Options) error {
	word, err := p.dec.Word()
	if err != nil {
		return err
	}
	r := resultOptions[word]
	switch {
	case r == 0, r == imap.ReturnRelevancy && !p.cfg.Fuzzy:
		return imapwire.Bad("Unknown result option")
	case r == imap.ReturnUpdate && p.cfg.Update != nil:
		if o.Return&r != 0 {
			return imapwire.Bad("UPDATE twice")
		}
		if err := p.cfg.Update(); err != nil {
			return err
		}
	case r != imap.ReturnPartial:
	case o.Return&r != 0:
		return imapwire.Bad("PARTIAL twice")
	default:
		if err := p.dec.SP(); err != nil {
			return err
		}
		if o.Partial, err = imapwire.Take(p.dec, ConsumePartial); err != nil {
			return err
		}
	}
	o.Return |= r
	return nil
}

// ConsumePartial takes
//
//	partial-range       = partial-range-first / partial-range-last
//	partial-range-first = nz-number ":" nz-number
//	partial-range-last  = "-" nz-number ":" "-" nz-number
//
// (RFC 9394 §4).
func ConsumePartial(b []byte) (r imap.PartialRange, n int, err error) {
	negative := len(b) > 0 && b[0] == '-'
	bound := func(dst *int64) {
		if err != nil {
			return
		}
		if negative {
			if n == len(b) {
				err = io.ErrUnexpectedEOF
				return
			}
			if b[n] != '-' {
				err = &imapwire.SyntaxError{Pos: int64(n), Reason: "- expected"}
				return
			}
			n++
		}
		v, m, cerr := imapwire.ConsumeNZNumber(b[n:])
		n, err = n+m, cerr
		if *dst = int64(v); negative {
			*dst = -*dst
		}
	}
	bound(&r.Start)
	if err == nil && b[n] != ':' { // a number leaves one octet at least
		err = &imapwire.SyntaxError{Pos: int64(n), Reason: ": expected"}
	}
	n++
	bound(&r.Stop)
	if err != nil {
		return imap.PartialRange{}, 0, err
	}
	return r, n, nil
}

// Program takes ["CHARSET" SP charset SP] search-key *(SP search-key): what
// SEARCH looks for (RFC 3501 §6.4.4).
func (p *Parser) Program() (Program, error) {
	if p.NextWordIs("CHARSET") {
		if p.cfg.UTF8 {
			return nil, imapwire.Bad("CHARSET where UTF8=ACCEPT is enabled")
		}
		if err := p.dec.SP(); err != nil {
			return nil, err
		}
		return p.ProgramIn()
	}
	return p.keys()
}

// ProgramIn takes charset SP search-key *(SP search-key): what SORT and THREAD
// look for (RFC 5256 §5).
func (p *Parser) ProgramIn() (Program, error) {
	name, err := p.dec.AString()
	if err != nil {
		return nil, err
	}
	if p.cfg.UTF8 && !strings.EqualFold(name, "UTF-8") {
		return nil, imapwire.Bad("UTF8=ACCEPT is enabled: the charset is UTF-8")
	}
	if err := p.charset(name); err != nil {
		return nil, err
	}
	if err := p.dec.SP(); err != nil {
		return nil, err
	}
	return p.keys()
}

// loosened is a text that FUZZY looks for word by word: the node that stands for
// it, and the one that would look for it as it is.
type loosened struct {
	at    int32
	exact Node
}

// Fuzzy reports whether a key FUZZY was read (RFC 6203 §3).
func (p *Parser) Fuzzy() bool { return p.isLoose }

// Exact is the program read with its texts as they were written: what matches it
// too matches best. nil where that is the program itself.
func (p *Parser) Exact() Program {
	if len(p.loosed) == 0 {
		return nil
	}
	exact := slices.Clone(p.nodes)
	for _, l := range p.loosed {
		exact[l.at] = l.exact
	}
	return exact
}

// NextWordIs takes a word, in any case, if it is next.
func (p *Parser) NextWordIs(word string) bool {
	_, err := imapwire.Take(p.dec, func(b []byte) (struct{}, int, error) {
		name, n, err := imapwire.ConsumeItemName(b)
		if err == nil && !strings.EqualFold(string(name), word) {
			err = errOther
		}
		return struct{}{}, n, err
	})
	return err == nil
}

// errOther leaves the next word where it is.
var errOther = errors.New("imapsearch: another word")

// charset prepares the decoding of the strings.
func (p *Parser) charset(name string) error {
	switch strings.ToUpper(name) {
	case "US-ASCII", "ASCII", "UTF-8", "UTF8":
		return nil
	}
	if _, err := charset.Reader(name, strings.NewReader("")); err != nil {
		return ErrCharset
	}
	p.decode = func(text string) (string, error) {
		r, err := charset.Reader(name, strings.NewReader(text))
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(r)
		return string(b), err
	}
	return nil
}

func decodeUTF8(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", imapwire.Bad("Text is not in the charset")
	}
	return text, nil
}
