package dsn

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// Reporter writes DSNs for a queue.Runner. Hostname and Blobs are required;
// the fields are set before the first use. Any number of goroutines may use
// it.
type Reporter struct {
	// Hostname is the Reporting-MTA, and the domain of the From address.
	Hostname string

	// Blobs is where the bodies of the jobs lie.
	Blobs blob.Blobs

	// MaxReturn is the size in octets up to which RET=FULL returns the whole
	// message; a larger one returns its header. Zero = 1 MiB.
	MaxReturn int64

	// RetryUntil says when a delayed message is given up, for the reader of
	// a delay DSN; nil = not said.
	RetryUntil func(*queue.Job) time.Time

	// Signer signs the DSNs; a *dkim.Signer with a key of Hostname's domain, or
	// one above it. One that it cannot sign leaves without. nil = none is signed.
	Signer Signer

	// Forged reports that the reverse-path of a message is not that of who
	// sent it, so that a DSN would go to a stranger; nil =
	// FailedAuthentication. What was submitted with a password is not asked for.
	Forged func(*queue.Job) bool

	// PerHour is the number of DSNs that one address gets within an hour, where
	// nothing vouches for it: the message came from another host without a
	// password, and no SPF, DKIM or DMARC of its domain passed. A domain, and a network that
	// brings such messages (/24, /48), get ten times that; all together a hundred
	// times, and from there on each network its share of that, at least one. So a flood with
	// forged senders has its bound, and silences nobody else. Zero = 100, negative = no limit,
	// for hosts that take lists' mail from programs without a password. One
	// DSN is for all recipients of a job that have their result at once.
	PerHour int

	// Suppressed is told of a DSN that is not written, though somebody wanted
	// one: for logs and counters. nil = none. It must not block.
	Suppressed func(j *queue.Job, why Reason)

	// Now is the clock; nil = time.Now.
	Now func() time.Time

	sent budget
}

// Signer makes the DKIM-Signature fields of a message, which are put in front of
// it. *dkim.Signer is one.
type Signer interface {
	Sign(message io.Reader) ([]byte, error)
}

var _ queue.Reporter = (*Reporter)(nil)

// Report implements queue.Reporter: one DSN for all recipients of an attempt
// that call for one.
func (r *Reporter) Report(ctx context.Context, j *queue.Job, results []queue.Result) ([]queue.Report, error) {
	if j.ReversePath.IsNull() {
		return nil, nil // RFC 3461 §6.1, RFC 5321 §6.1
	}
	n := notice{r: r, job: j, now: time.Now()}
	if r.Now != nil {
		n.now = r.Now()
	}
	for i, res := range results {
		if a := action(j, j.Recipients[i].Params.Notify, res); a != "" {
			n.rcpts = append(n.rcpts, rcptStatus{rcpt: &j.Recipients[i], res: res, action: a})
		}
	}
	r.suppress(&n)
	if len(n.rcpts) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if err := n.write(ctx, &b); err != nil {
		return nil, err
	}
	return []queue.Report{{To: smtp.ForwardPath(j.ReversePath), Body: r.signed(&b), UTF8: n.utf8()}}, nil
}

// signed is a DSN with signatures in front, if there are any: who waits for it is
// better off with one that is not signed than with none.
func (r *Reporter) signed(b *bytes.Buffer) io.Reader {
	if r.Signer == nil {
		return b
	}
	fields, err := r.Signer.Sign(bytes.NewReader(b.Bytes()))
	if err != nil {
		return b
	}
	return io.MultiReader(bytes.NewReader(fields), b)
}

// action is the Action field (RFC 3464 §2.3.3) that a result calls for, ""
// where no DSN is due (RFC 3461 §4.1). Who asked to hear of success hears of it
// from where it ends: at a mailbox that sends nothing on, or at a next hop that does not report
// (RFC 3461 §5.2.2), or at an alias of several (§5.2.7.3); who asked for a
// trace, of a next hop without DELIVERBY (RFC 2852).
func action(j *queue.Job, n smtp.Notify, res queue.Result) string {
	switch {
	case n == smtp.NotifyNever:
		return ""
	case res.State == queue.Failed && n.OnFailure():
		return "failed"
	case res.Delay && (n == 0 || n&smtp.NotifyDelay != 0):
		return "delayed"
	case res.State != queue.Delivered, res.Expanded == 1:
	case res.Expanded > 1:
		if n&smtp.NotifySuccess != 0 {
			return "expanded"
		}
	case res.NextHop == "local" && res.Passed&smtp.WishDSN == 0:
		if n&smtp.NotifySuccess != 0 {
			return "delivered"
		}
	case n&smtp.NotifySuccess != 0 && res.Passed&smtp.WishDSN == 0,
		j.Params.DeliverBy.Trace && res.Passed&smtp.WishDeliverBy == 0:
		return "relayed"
	}
	return ""
}

type rcptStatus struct {
	rcpt   *queue.Recipient
	res    queue.Result
	action string
}

// status is the Status field (RFC 3464 §2.3.4): the reply's enhanced code
// where it fits the action, else that the time was over, or the class with
// nothing known.
func (s rcptStatus) status() string {
	class := map[string]uint16{"failed": 5, "delayed": 4, "delivered": 2, "relayed": 2, "expanded": 2}[s.action]
	c := s.res.Reply.Enhanced
	switch {
	case c.Class == class:
	case s.res.Expired:
		c = smtp.EnhancedCode{Class: class, Subject: 4, Detail: 7} // RFC 3463 §3.5: delivery time expired
	default:
		c = smtp.EnhancedCode{Class: class}
	}
	return c.String()
}

// diagnostic is the reply of the next hop, or "" where there is none to show.
func (s rcptStatus) diagnostic() string {
	if s.res.Reply.IsZero() || s.res.State == queue.Delivered {
		return ""
	}
	return oneLine(s.res.Reply.String(), 900)
}

// oneLine makes printable ASCII of a peer's text: controls and 8-bit become
// "?", and more than max octets are cut.
func oneLine(s string, max int) string {
	b := []byte(s[:min(len(s), max)])
	for i, c := range b {
		if c < ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}
