package settings

import (
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/recipient"
)

// Config is what a recipient.Resolver is made of; Map and Directory are left.
func (s *Settings) Config(a *CatchAll) recipient.Config {
	c := recipient.Config{
		Accept: a.Accept, Own: a.Own, Strip: a.Strip, Address: a.Address, Default: a.Default, Separator: s.Separator,
		Trust: recipient.Trust{Received: a.TrustReceived, Hosts: a.TrustHosts},
	}
	for _, step := range a.Steps {
		c.Steps = append(c.Steps, recipient.Step(step))
	}
	if a.Field != "" {
		c.Field, _ = parseHeader(a.Field)
		c.Field.All, c.Field.Anywhere = a.FieldAll, a.FieldAnywhere
	}
	for _, name := range a.Envelope {
		c.Envelope = append(c.Envelope, recipient.Field{Name: name})
	}
	for i := range a.Rules {
		r := &a.Rules[i]
		c.Rules = append(c.Rules, recipient.Rule{
			Name: r.Name, Field: r.Field, Match: r.Match, Regexp: r.Regexp, To: r.To,
			All: r.All, Continue: r.Continue, Trusted: r.Trusted,
		})
	}
	return c
}

// Table is the map of addresses; without rows nil.
func (s *Settings) Table() (*recipient.Table, error) {
	if len(s.Map) == 0 {
		return nil, nil
	}
	rows := make([]recipient.Row, len(s.Map))
	for i, r := range s.Map {
		rows[i] = recipient.Row{From: r.From, To: r.To}
	}
	return recipient.NewTable(rows, s.Separator)
}

// Stages are those of the switch-over, which there is.
func (s *Settings) Stages() (*recipient.Stages, error) {
	o := s.SwitchOver
	rows := make([]recipient.Stage, len(o.Stages))
	for i, r := range o.Stages {
		rows[i] = recipient.Stage{User: r.User, Place: recipient.Place(r.Place)}
	}
	stages := &recipient.Stages{Separator: s.Separator}
	return stages, stages.Set(rows)
}

// Keep is what stays on the server.
func (src *Source) Keep() fetch.Keep {
	k, _ := parseLeave(src.Leave)
	k.MaxSize, _ = optionalSize(src.DeleteAbove)
	k.MaxBytes, _ = optionalSize(src.DeleteTotal)
	k.MaxPercent = src.DeleteQuota
	k.Elsewhere = src.LeaveSeen != nil && !*src.LeaveSeen
	return k
}

// MaxSize is that of fetch.Source.
func (src *Source) MaxSize() int64 {
	n, _ := optionalSize(src.MaxMessageSize)
	return n
}

func optionalSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	return ParseSize(text)
}
