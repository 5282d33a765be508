package smtptest

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

// testOctets: no receiver may mend line ends, cut at NUL or dot, or recode.
func (s *Suite) testOctets(t *testing.T) {
	r := s.New(t)
	var octets strings.Builder
	for c := range 256 {
		octets.WriteByte(byte(c))
	}
	odd := "Subject: odd\r\n\r\n" + octets.String() + "\r\r\n.\r\n\n.\n..\r\n\xc3\xa9 no line end"
	s.deliver(t, s.begin(t, r, s.Good...), odd, len(s.Good))
	s.contents(t, r, odd)
}

func (s *Suite) testEmpty(t *testing.T) {
	r := s.New(t)
	s.deliver(t, s.begin(t, r, s.Good...), "", len(s.Good))
	s.contents(t, r, "")
}

// testManyRecipients: Rcpt takes up to 100 recipients in one call, any number
// of times.
func (s *Suite) testManyRecipients(t *testing.T) {
	const calls, each = 3, 100
	var addrs []string
	for i := range each {
		addrs = append(addrs, s.Good[i%len(s.Good)])
	}
	r := s.New(t)
	tx := s.begin(t, r)
	for range calls {
		s.accept(t, tx, addrs...)
	}
	s.deliver(t, tx, text, calls*each)
}

// testMailUnchanged: the mail and the recipients are the caller's too.
func (s *Suite) testMailUnchanged(t *testing.T) {
	m, rs := s.mail(t), recipients(t, s.Good...)
	m.Params = smtp.MailParams{Body: smtp.Body8BitMIME, EnvelopeID: "id", Unknown: []smtp.Param{{Keyword: "X"}}}
	rs[0].Params = smtp.RcptParams{Notify: smtp.NotifyNever, Unknown: []smtp.Param{{Keyword: "Y"}}}
	mail, first := *m, *rs[0]
	mail.Params.Unknown = []smtp.Param{{Keyword: "X"}}
	first.Params.Unknown = []smtp.Param{{Keyword: "Y"}}
	tx, err := s.New(t).Begin(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if errs := tx.Rcpt(t.Context(), rs); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	s.deliver(t, tx, text, len(rs))
	if !reflect.DeepEqual(*m, mail) || !reflect.DeepEqual(*rs[0], first) {
		t.Errorf("%+v became %+v, %+v became %+v", mail, *m, first, *rs[0])
	}
}

// onceReader fails a test that reads on behind io.EOF.
type onceReader struct {
	t     *testing.T
	r     io.Reader
	ended bool
}

func (o *onceReader) Read(p []byte) (int, error) {
	if o.ended {
		o.t.Error("the source of the body was read behind its end")
	}
	n, err := o.r.Read(p)
	o.ended = err != nil
	return n, err
}

// testReadOnce: the octets come once, through the Body that Data was given.
func (s *Suite) testReadOnce(t *testing.T) {
	r := s.New(t)
	tx := s.begin(t, r, s.Good...)
	b := smtp.NewBody(&onceReader{t: t, r: strings.NewReader(text)}, int64(len(text)))
	if st, err := tx.Data(t.Context(), b); err != nil || len(st) != len(s.Good) {
		t.Fatalf("Data: %v, %v", st, err)
	}
	s.stored(t, r, 1)
}

// testInterleaved: two open transactions of one receiver have nothing in
// common, and one that is aborted takes nothing of the other with it.
func (s *Suite) testInterleaved(t *testing.T) {
	r := s.New(t)
	first := s.begin(t, r, s.Good[0])
	second := s.begin(t, r, s.Good...)
	third := s.begin(t, r, s.Good...)
	s.deliver(t, second, text, len(s.Good))
	third.Abort()
	s.deliver(t, first, text, 1)
	s.stored(t, r, 2)
}
