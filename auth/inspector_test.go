package auth

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// sink keeps what it accepts.
type sink struct {
	writer bool // the body is asked to write itself
	mu     sync.Mutex
	bodies []string
	traces []string
}

func (k *sink) receiver() smtp.Receiver {
	return smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		var buf bytes.Buffer
		var err error
		if k.writer {
			_, err = io.Copy(&buf, b)
		} else {
			_, err = buf.ReadFrom(iotest.OneByteReader(b))
		}
		if err != nil {
			return nil, err
		}
		k.bodies, k.traces = append(k.bodies, buf.String()), append(k.traces, string(b.Trace()))
		return smtp.Accepted(len(env.Recipients)), nil
	})
}

func mailFrom(ip netip.Addr, sender string) *smtp.Mail {
	m := &smtp.Mail{ID: "id1", Peer: &smtp.Peer{Addr: netip.AddrPortFrom(ip, 25), Hello: "mx.example.org"}}
	if local, domain, ok := strings.Cut(sender, "@"); ok {
		m.ReversePath = smtp.ReversePath{Path: smtp.Path{Local: local, Domain: domain}}
	}
	return m
}

// transfer sends a message through an Inspector in every way, and returns what
// the receiver has.
func transfer(t testing.TB, in *Inspector, m *smtp.Mail, message string) (body, trace string, err error) {
	t.Helper()
	for i, src := range []io.Reader{strings.NewReader(message), iotest.OneByteReader(strings.NewReader(message)), iotest.DataErrReader(strings.NewReader(message))} {
		for _, writer := range []bool{false, true} {
			k := &sink{writer: writer}
			if writer && i > 0 {
				src = strings.NewReader(message)
			}
			tx, beginErr := smtp.Chain(k.receiver(), in.Middleware()).Begin(t.Context(), m)
			if beginErr != nil {
				t.Fatal(beginErr)
			}
			tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
			var gotBody, gotTrace string
			_, gotErr := tx.Data(t.Context(), smtp.NewBody(src, int64(len(message))))
			if gotErr == nil {
				gotBody, gotTrace = k.bodies[0], k.traces[0]
			} else if len(k.bodies) > 0 {
				t.Fatal("accepted what is refused")
			}
			if first := i == 0 && !writer; first {
				body, trace, err = gotBody, gotTrace, gotErr
			} else if body != gotBody || trace != gotTrace || smtp.ReplyOf(err).String() != smtp.ReplyOf(gotErr).String() {
				t.Fatalf("way %d, %v:\n%q\n%q\n%v\nwas\n%q\n%q\n%v", i, writer, gotBody, gotTrace, gotErr, body, trace, err)
			}
			src = strings.NewReader(message)
		}
	}
	return body, trace, err
}

func TestInspector(t *testing.T) {
	w := newWorld(t)
	in := &Inspector{Logger: slog.New(slog.DiscardHandler), Verifier: &Verifier{Resolver: w}, ID: "mx.example.net", ReceivedSPF: true}
	signed := sign(t, "Authentication-Results: mx.example.net; dmarc=pass\r\n"+plain, w.keys[0])

	body, trace, err := transfer(t, in, mailFrom(client, "joe@example.org"), signed)
	want := strings.Replace(signed, "Authentication-Results: mx.example.net; dmarc=pass\r\n", "", 1)
	if err != nil || body != want {
		t.Errorf("%v\n%q", err, body)
	}
	if !strings.HasPrefix(trace, "Authentication-Results: mx.example.net;\r\n\tspf=pass smtp.mailfrom=example.org;\r\n\tspf=pass smtp.helo=mx.example.org;\r\n\tiprev=pass policy.iprev=192.0.2.1;\r\n\tdkim=pass ") ||
		!strings.Contains(trace, "dmarc=pass header.from=example.org policy.dmarc=none\r\nReceived-SPF: pass") {
		t.Errorf("trace\n%s", trace)
	}

	_, _, err = transfer(t, in, mailFrom(stranger, "joe@example.org"), plain)
	if got := smtp.ReplyOf(err).String(); got != "550 5.7.26 Message refused by the DMARC policy of example.org" {
		t.Error(got)
	}

	w.records["_dmarc.example.org TXT"] = []string{"v=DMARC1; p=quarantine"}
	body, trace, err = transfer(t, in, mailFrom(stranger, "joe@example.org"), plain)
	reason, ok := Quarantined([]byte(trace))
	if err != nil || body != plain || !ok || reason != "DMARC policy of example.org" {
		t.Errorf("%v %q %v %q", err, body, ok, reason)
	}

	own := mailFrom(netip.MustParseAddr("127.0.0.1"), "joe@example.org")
	body, trace, err = transfer(t, in, own, signed)
	if err != nil || body != want || trace != "" {
		t.Errorf("not judged: %v %q %q", err, body, trace)
	}
	folded := " folded\r\n" + plain // nothing stands in front that it could go on with
	if body, _, err = transfer(t, in, own, folded); err != nil || body != folded {
		t.Errorf("not judged: %v %q", err, body)
	}
	if body, _, err = transfer(t, in, mailFrom(stranger, "joe@example.org"), folded); err != nil || body != plain {
		t.Errorf("judged: %v %q", err, body)
	}
}

func TestReceiverSuite(t *testing.T) {
	w := newWorld(t)
	sinks := map[smtp.Receiver]*sink{}
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(*testing.T) smtp.Receiver {
			in := &Inspector{Logger: slog.New(slog.DiscardHandler), Verifier: &Verifier{Resolver: w}, ID: "mx.example.net", Skip: func(*smtp.Mail) bool { return false }}
			k := &sink{}
			r := smtp.Chain(smtp.ReceiveFunc(func(ctx context.Context, env *smtp.Envelope, r io.Reader) error {
				data, err := io.ReadAll(r)
				if err == nil {
					k.mu.Lock()
					defer k.mu.Unlock()
					k.bodies = append(k.bodies, string(data))
				}
				return err
			}), in.Middleware())
			sinks[r] = k
			return r
		},
		Stored: func(_ *testing.T, r smtp.Receiver) []string {
			k := sinks[r]
			k.mu.Lock()
			defer k.mu.Unlock()
			return slices.Clone(k.bodies)
		},
	})
}
