package imapserver

import (
	"github.com/mailstead/mailstead/store"
)

// annotationPoint is up to where a client that enabled METADATA was told which
// annotations of the user's account changed (RFC 5464 §4.4.2).
type annotationPoint struct {
	at  store.ModSeq   // 0 = nothing yet: it begins where the account is
	own []store.ModSeq // of the session's own changes since
}

// made notes a change of the session itself.
func (p *annotationPoint) made(at store.ModSeq) {
	if len(p.own) == maxOwn {
		p.own = p.own[maxOwn/2:]
	}
	p.own = append(p.own, at)
}

// pollAnnotations tells which annotations others changed, where the client
// enabled that. With NOTIFY it is told as that says.
func (s *session) pollAnnotations(cmd *command) {
	if !s.has(metadata) || s.notifier != nil {
		return
	}
	if err := s.tellAnnotationsSince(cmd); err != nil {
		s.report(cmd, err) // the command has its own outcome
	}
}

func (s *session) tellAnnotationsSince(cmd *command) error {
	p := &s.noted
	st := s.account.State()
	if p.at == 0 || cmd.sync == syncRefresh {
		var err error
		if st, err = s.account.Refresh(s.ctx); err != nil {
			return err
		}
	}
	if p.at == 0 {
		p.at = st.ModSeq
	}
	if st.ModSeq <= p.at {
		return nil
	}
	changed, err := s.changedAnnotations(s.account, p.at, p.own)
	if err != nil {
		return err
	}
	p.at, p.own = st.ModSeq, nil
	s.tellAnnotations("", changed[store.MailboxID{}])
	for _, m := range st.Mailboxes {
		s.tellAnnotations(m.Name, changed[m.ID])
	}
	return nil
}
