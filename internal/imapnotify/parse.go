package imapnotify

import (
	"strings"

	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapscope"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// parser reads one request.
type parser struct {
	dec     *imapwire.Decoder
	dialect imapfetch.Dialect
	name    func() (string, error)
	r       Request
	names   int
	chosen  bool // a group for the open mailbox was read
	unknown bool // an event is not supported
}

// Parse takes what NOTIFY asks for, up to the end of the line:
//
//	"NONE" / "SET" [SP "STATUS"] SP event-group *(SP event-group)
//
// name takes one name, clean. Errors are *[imapwire.SyntaxError], [ErrEvent],
// [ErrMany], those of FETCH items, of name and of the Decoder. A request with an event that is not supported is read
// to its end first.
func Parse(dec *imapwire.Decoder, d imapfetch.Dialect, name func() (string, error)) (Request, error) {
	p := &parser{dec: dec, dialect: d, name: name}
	err := p.request()
	if err == nil && p.unknown {
		err = ErrEvent
	}
	return p.r, err
}

func (p *parser) request() error {
	word, err := p.dec.Word()
	switch {
	case err != nil:
		return err
	case word == "NONE":
		p.r.None = true
		return nil
	case word != "SET":
		return imapwire.Bad("SET or NONE expected")
	}
	if err := p.dec.SP(); err != nil {
		return err
	}
	if p.dec.Peek() != '(' {
		if word, err := p.dec.Word(); err != nil || word != "STATUS" {
			return imapwire.OrBad(err, "STATUS expected")
		}
		p.r.Status = true
		if err := p.dec.SP(); err != nil {
			return err
		}
	}
	for {
		if err := p.group(); err != nil {
			return err
		}
		if !p.dec.Accept(' ') {
			return nil
		}
	}
}

// group takes "(" filter-mailboxes SP events ")".
func (p *parser) group() error {
	if len(p.r.Groups) == MaxGroups {
		return ErrMany
	}
	if err := p.dec.Open(); err != nil {
		return err
	}
	scope, err := imapscope.Read(p.dec, p.mailbox)
	switch {
	case err != nil:
		return err
	case scope.Kind == imapscope.SubtreeOne: // of RFC 7377
		return imapwire.Bad("Unknown specifier of mailboxes")
	}
	if err := p.dec.SP(); err != nil {
		return err
	}
	g := Group{Scope: scope}
	if err := p.events(&g); err != nil {
		return err
	}
	if err := p.dec.Close(); err != nil {
		return err
	}
	return p.add(g)
}

// mailbox takes one name of a specifier.
func (p *parser) mailbox() (string, error) {
	if p.names++; p.names > MaxNames {
		return "", ErrMany
	}
	return p.name()
}

// events takes "(" event *(SP event) ")" / "NONE".
func (p *parser) events(g *Group) error {
	if p.dec.Peek() != '(' {
		if word, err := p.dec.Word(); err != nil || word != "NONE" {
			return imapwire.OrBad(err, "Events expected")
		}
		return nil
	}
	if err := p.dec.Open(); err != nil {
		return err
	}
	for {
		if err := p.event(g); err != nil {
			return err
		}
		if !p.dec.Accept(' ') {
			return p.dec.Close()
		}
	}
}

// event takes an event, and behind MessageNew the items that are told of each new
// message.
func (p *parser) event(g *Group) error {
	word, err := p.dec.Word()
	if err != nil {
		return err
	}
	known := false
	for _, e := range events {
		if strings.EqualFold(word, e.word) {
			g.Events |= e.event
			known = true
		}
	}
	p.unknown = p.unknown || !known
	if !strings.EqualFold(word, "MessageNew") {
		return nil
	}
	items, err := imapfetch.ParseNews(p.dec, p.dialect)
	switch {
	case err != nil || items == nil:
		return err
	case g.Scope.Kind > imapscope.SelectedDelayed:
		return imapwire.Bad("Items of messages in the open mailbox only")
	}
	p.r.New = items
	return nil
}

// add puts a group into the request, once its events fit together.
func (p *parser) add(g Group) error {
	e := g.Events
	switch {
	case p.unknown: // refused as a whole, behind the end
	case (e&MessageNew != 0) != (e&MessageExpunge != 0):
		return imapwire.Bad("MessageNew and MessageExpunge belong together")
	case e&FlagChange != 0 && e&MessageNew == 0:
		return imapwire.Bad("FlagChange needs MessageNew and MessageExpunge")
	}
	if g.Scope.Kind > imapscope.SelectedDelayed {
		g.set = imapscope.NewSet(g.Scope)
		p.r.Groups = append(p.r.Groups, g)
		return nil
	}
	switch {
	case p.chosen:
		return imapwire.Bad("One group for the open mailbox only")
	case e&^Messages != 0:
		return imapwire.Bad("Only events of messages for the open mailbox")
	}
	p.chosen, p.r.Selected, p.r.Delayed = true, e, g.Scope.Kind == imapscope.SelectedDelayed
	return nil
}
