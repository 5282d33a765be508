package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/store/control"
)

// maxSendTo bounds the recipients of one request.
const maxSendTo = 10_000

var messageID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// sendMessage queues a message of the operator, which is signed and journaled like
// any other of this host.
func (c *controls) sendMessage(r *http.Request) (any, error) {
	var in answer.SendRequest
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	m, rcpt, err := letterOf(&in)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(in.File)
	if err != nil {
		return nil, control.BadRequest("file: %v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxMessage {
		return nil, control.BadRequest("file: not a file of at most %d octets", maxMessage)
	}
	if err := c.s.admit(r.Context(), info.Size()); err != nil {
		return nil, &control.Error{Status: http.StatusServiceUnavailable, Code: "temporary", Message: err.Error()}
	}
	tx, err := c.s.operatorReceiver(in.AsIs).Begin(r.Context(), m)
	if err != nil {
		return nil, err
	}
	defer tx.Abort()
	b := smtp.NewBody(io.NewSectionReader(f, 0, info.Size()), info.Size())
	a, err := give(r, tx, rcpt, b)
	if err == nil {
		c.s.log.Info("control", "request", r.URL.Path, "message", m.ID, "recipients", len(rcpt))
	}
	return a, err
}

// operatorReceiver is what takes a message of the operator, who may send as
// anybody.
func (s *server) operatorReceiver(asIs bool) smtp.Receiver {
	list := []smtp.Middleware{
		deliver.Gate(s.known, func(*smtp.Mail) bool { return true }),
		smtppolicy.EditHeader(smtppolicy.Limits{}, smtppolicy.LoopLimit(0)),
	}
	if !asIs {
		list = append(list, (&submission.Fixes{Hostname: s.o.hostname}).Middleware())
	}
	return smtp.Chain(s.intake, append(list, s.sign())...)
}

// letterOf reads the envelope.
func letterOf(in *answer.SendRequest) (m *smtp.Mail, rcpt []*smtp.Recipient, err error) {
	if !filepath.IsAbs(in.File) {
		return nil, nil, control.BadRequest("file is an absolute path")
	}
	if !messageID.MatchString(in.ID) {
		return nil, nil, control.BadRequest("id is 1 to 64 letters, digits and \"-\"")
	}
	if len(in.To) == 0 || len(in.To) > maxSendTo {
		return nil, nil, control.BadRequest("to has 1 to %d addresses", maxSendTo)
	}
	m = &smtp.Mail{ID: in.ID, Once: "operator/" + in.ID, PerRecipient: true}
	m.Params.UTF8 = in.UTF8
	if in.From != "" {
		p, err := smtp.ParseMailbox(in.From, true)
		if err != nil {
			return nil, nil, control.BadRequest("from is an address, or empty for the null sender")
		}
		m.ReversePath = smtp.ReversePath{Path: p}
	}
	for _, text := range in.To {
		p, err := smtp.ParseMailbox(text, true)
		if err != nil {
			return nil, nil, control.BadRequest("to: %q is no address", text)
		}
		rcpt = append(rcpt, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: p}})
	}
	return m, rcpt, nil
}

// give hands the message over, and says what became of each recipient.
func give(r *http.Request, tx smtp.Transaction, rcpt []*smtp.Recipient, b *smtp.Body) (any, error) {
	a := answer.Queued{Recipients: make([]answer.QueuedRecipient, len(rcpt))}
	refuse := func(i int, err error) {
		reply := smtp.ReplyOf(err)
		a.Recipients[i].Refused, a.Recipients[i].Permanent = reply.String(), reply.Permanent()
	}
	var taken []int
	for i := 0; i < len(rcpt); i += 100 {
		group := rcpt[i:min(i+100, len(rcpt))]
		for n, err := range tx.Rcpt(r.Context(), group) {
			a.Recipients[i+n].Address = group[n].ForwardPath.String()
			if err != nil {
				refuse(i+n, err)
			} else {
				taken = append(taken, i+n)
			}
		}
	}
	if len(taken) == 0 {
		return a, nil
	}
	statuses, err := tx.Data(r.Context(), b)
	if err != nil && !smtp.IsPermanent(err) {
		return nil, err
	}
	for n, i := range taken {
		switch {
		case err != nil:
			refuse(i, err)
		case statuses[n].Err != nil:
			refuse(i, statuses[n].Err)
		}
	}
	return a, nil
}
