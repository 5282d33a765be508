package imapfetch

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// modifiers takes [SP "(" fetch-modifier *(SP fetch-modifier) ")"] (RFC 4466
// §2.4).
func (p *parser) modifiers() error {
	if !p.dec.Accept(' ') {
		return nil
	}
	err := p.dec.List(func() error {
		name, err := p.dec.Word()
		if err != nil {
			return err
		}
		return p.modifier(name)
	})
	if err == nil && p.plan.Vanished && !p.plan.Changed {
		return imapwire.Bad("VANISHED without CHANGEDSINCE")
	}
	return err
}

// modifier takes what follows the name of a modifier.
func (p *parser) modifier(name string) error {
	switch name {
	case "CHANGEDSINCE": // RFC 7162 §3.1.4.1
		if err := p.dec.SP(); err != nil {
			return err
		}
		v, err := imapwire.Take(p.dec, imapwire.ConsumeNumber64)
		p.plan.Changed, p.plan.Since = true, store.ModSeq(v)
		p.plan.Items |= imap.FetchModSeq
		return err
	case "PARTIAL": // RFC 9394 §3.3
		if err := p.dec.SP(); err != nil {
			return err
		}
		v, err := imapwire.Take(p.dec, imapsearch.ConsumePartial)
		p.plan.Partial = v
		return err
	case "VANISHED": // RFC 7162 §3.2.6
		p.plan.Vanished = true
		return nil
	}
	return imapwire.Bad("Unknown modifier of FETCH")
}
