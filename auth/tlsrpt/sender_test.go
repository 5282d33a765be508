package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// outbox is a Receiver that keeps what it gets, or fails.
type outbox struct {
	texts [][]byte
	to    []string
	err   error
}

func (o *outbox) receiver() smtp.Receiver {
	return smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil || o.err != nil {
			return errors.Join(err, o.err)
		}
		o.texts = append(o.texts, text)
		for _, r := range env.Recipients {
			o.to = append(o.to, r.ForwardPath.String())
		}
		if !env.Mail.ReversePath.IsNull() {
			return errors.New("bounces go somewhere")
		}
		return nil
	})
}

type fixedSigner struct{ err error }

func (s fixedSigner) Sign(r io.Reader) ([]byte, error) {
	_, err := io.Copy(io.Discard, r)
	return []byte("DKIM-Signature: x\r\n"), errors.Join(err, s.err)
}

// newSender reports on one session with example.org, to the addresses.
func newSender(o *outbox, rua string) *Sender {
	c := &Collector{Organization: "Company-X", Contact: "sts@company-x.example", Submitter: "mx.company-x.example"}
	c.Add(Session{Domain: "example.org", Time: noon})
	r := texts{list: []string{"v=TLSRPTv1; rua=" + rua}}
	if rua == "" {
		r = texts{err: dnsx.ErrNXDomain}
	}
	return &Sender{Collector: c, Resolver: r, Receiver: o.receiver(), Signer: fixedSigner{}, From: "tlsrpt@company-x.example"}
}

// The message is the one of RFC 8460 §5.3.
func TestSendMail(t *testing.T) {
	var o outbox
	s := newSender(&o, "mailto:a@example.org,mailto:b%2Bc@example.net")
	if n, err := s.SendDue(t.Context(), noon.Add(12*time.Hour)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := strings.Join(o.to, " "); got != "a@example.org b+c@example.net" || len(o.texts) != 1 {
		t.Fatal(got, len(o.texts))
	}
	if !bytes.HasPrefix(o.texts[0], []byte("DKIM-Signature: x\r\n")) {
		t.Errorf("%.100s", o.texts[0])
	}
	m, err := mail.ReadMessage(bytes.NewReader(o.texts[0]))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSuffix(strings.TrimPrefix(m.Header.Get("Message-Id"), "<"), ">")
	for name, want := range map[string]string{
		"From": "<tlsrpt@company-x.example>", "To": "<a@example.org>, <b+c@example.net>", "TLS-Report-Domain": "example.org", "TLS-Report-Submitter": "mx.company-x.example", "TLS-Required": "No",
		"Subject": "Report Domain: example.org Submitter: mx.company-x.example Report-ID: <" + id + ">",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	typ, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/report" || params["report-type"] != "tlsrpt" {
		t.Error(typ, params, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	if first, err := parts.NextPart(); err != nil || !strings.HasPrefix(first.Header.Get("Content-Type"), "text/plain") {
		t.Fatal(first, err)
	}
	second, err := parts.NextPart()
	if err != nil || !strings.HasPrefix(second.Header.Get("Content-Type"), MediaType+";") || second.Header.Get("Content-Transfer-Encoding") != "base64" {
		t.Fatal(second, err)
	}
	if want := "mx.company-x.example!example.org!1775001600!1775087999!" + strings.TrimSuffix(id, "@mx.company-x.example") + ".json.gz"; second.FileName() != want {
		t.Errorf("%s, want %s", second.FileName(), want)
	}
}

// taken is a server that takes reports, with a status.
type taken struct {
	status  int
	reports []reportJSON
	problem error
}

func (h *taken) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z, err := gzip.NewReader(r.Body)
	var rep reportJSON
	if err == nil {
		err = json.NewDecoder(z).Decode(&rep)
	}
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != MediaType {
		h.problem = fmt.Errorf("%s %s: %w", r.Method, r.Header.Get("Content-Type"), err)
	}
	h.reports = append(h.reports, rep)
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(h.status)
	_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
}

func TestPost(t *testing.T) {
	for status, ok := range map[int]bool{200: true, 201: true, 204: true, 307: false, 302: false, 400: false, 503: false} {
		h := &taken{status: status}
		server := httptest.NewTLSServer(h)
		s := newSender(&outbox{}, server.URL+"/v1/tlsrpt")
		s.Client = server.Client()
		n, err := s.SendDue(t.Context(), noon.Add(12*time.Hour))
		server.Close()
		if (n == 1) != ok || ok == errors.Is(err, ErrPost) || h.problem != nil || len(h.reports) != 1 || h.reports[0].Policies[0].Policy.Domain != "example.org" {
			t.Errorf("%d: %d sent, %v, %v, %+v", status, n, err, h.problem, h.reports)
		}
	}
}

// A server with a certificate that nobody vouches for gets nothing, and neither
// does one inside.
func TestPostRefused(t *testing.T) {
	h := &taken{status: 200}
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	s := newSender(&outbox{}, server.URL)
	if n, err := s.SendDue(t.Context(), noon.Add(12*time.Hour)); n != 0 || !errors.Is(err, ErrAddress) {
		t.Error(n, err)
	}
	s = newSender(&outbox{}, server.URL)
	s.Client = &http.Client{}
	s.Client.Transport = &http.Transport{}
	if n, err := s.SendDue(t.Context(), noon.Add(12*time.Hour)); n != 0 || !errors.Is(err, ErrPost) || len(h.reports) != 0 {
		t.Error(n, err, h.reports)
	}
}

// What nobody takes is tried for a day; one who takes it is enough.
func TestRetry(t *testing.T) {
	var o outbox
	s := newSender(&o, "mailto:a@example.org,https://127.0.0.1:1/")
	start := noon.Add(12 * time.Hour)
	if n, err := s.SendDue(t.Context(), start); n != 1 || err != nil || len(s.left) != 0 {
		t.Error("one of two took it:", n, err, len(s.left))
	}
	s = newSender(&o, "mailto:a@example.org")
	o.err = errors.New("full")
	for i := range 24 {
		if n, err := s.SendDue(t.Context(), start.Add(time.Duration(i)*time.Hour)); n != 0 || !errors.Is(err, o.err) || len(s.left) != 1 {
			t.Errorf("after %d hours: %d, %v, %d left", i, n, err, len(s.left))
		}
	}
	if n, err := s.SendDue(t.Context(), start.Add(24*time.Hour)); n != 0 || err != nil || len(s.left) != 0 {
		t.Error("given up:", n, err, len(s.left))
	}
	for name, change := range map[string]func(*Sender){
		"no signature": func(s *Sender) { s.Signer = fixedSigner{errors.New("no key")} },
		"DNS":          func(s *Sender) { s.Resolver = texts{err: dnsx.ErrTimeout} },
	} {
		o = outbox{}
		s = newSender(&o, "mailto:a@example.org")
		change(s)
		if n, err := s.SendDue(t.Context(), start); n != 0 || err == nil || len(s.left) != 1 || len(o.texts) != 0 {
			t.Error(name, n, err, len(s.left))
		}
		s.Signer, s.Resolver = nil, newSender(&o, "mailto:a@example.org").Resolver
		if n, err := s.SendDue(t.Context(), start.Add(time.Hour)); n != 1 || err != nil {
			t.Error(name, n, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s = newSender(&o, "mailto:a@example.org")
	if n, err := s.SendDue(ended, start.Add(48*time.Hour)); n != 0 || !errors.Is(err, context.Canceled) || len(s.left) != 1 {
		t.Error("ended:", n, err, len(s.left))
	}
}

func TestNobodyAsks(t *testing.T) {
	for _, rua := range []string{"", "gopher://x/", "x y"} {
		var o outbox
		s := newSender(&o, rua)
		if n, err := s.SendDue(t.Context(), noon.Add(12*time.Hour)); n != 0 || err != nil || len(s.left) != 0 || o.texts != nil {
			t.Error(rua, n, err, len(s.left))
		}
	}
	if _, err := (&Sender{Receiver: (&outbox{}).receiver()}).SendDue(t.Context(), noon); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Error(err)
	}
}

func TestSenderRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		s := newSender(&o, "mailto:a@example.org")
		s.Collector.Take(noon.Add(99 * day))
		s.Collector.Add(Session{Domain: "example.org"})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		time.Sleep(28 * time.Hour)
		synctest.Wait()
		if len(o.texts) != 1 {
			t.Errorf("%d messages", len(o.texts))
		}
		cancel()
		<-done
	})
}
