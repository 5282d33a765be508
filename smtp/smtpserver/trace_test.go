package smtpserver

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

// Neither the trace nor the log shows a secret, and no reply shows what the
// log has.
func TestSecrets(t *testing.T) {
	var trace, log bytes.Buffer
	cfg := scriptConfig("auth plaintext", nil)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Trace = func(_ *smtp.Peer, client bool, text []byte) {
		if client {
			trace.WriteString("C: ")
		}
		trace.Write(text)
		trace.WriteString("\n")
	}
	in := "auth plain AGEAeA==\r\nAUTH PLAIN\r\nAGEAcw==\r\nMAIL FROM:<internal@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<b@b>\r\nQUIT\r\n"
	f := &flights{hello: "EHLO c\r\n", in: []string{in}, rounds: 1, keep: true}
	New(cfg).ServeConn(t.Context(), f)
	for _, secret := range []string{"AGEAeA", "AGEAcw"} {
		if strings.Contains(trace.String(), secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%s is shown:\n%s\n%s", secret, trace.String(), log.String())
		}
	}
	for _, line := range []string{"C: AUTH plain ***", "C: AUTH PLAIN", "C: RCPT TO:<b@b>", "235 2.7.0"} {
		if !strings.Contains(trace.String(), line) {
			t.Errorf("the trace lacks %q:\n%s", line, trace.String())
		}
	}
	if strings.Contains(f.out.String(), "database") || !strings.Contains(log.String(), "database") {
		t.Errorf("reply %q\nlog %q", f.out.String(), log.String())
	}
	_, id, _ := strings.Cut(f.out.String(), "processing (")
	if id, _, _ = strings.Cut(id, ")"); len(id) != 26 || !strings.Contains(log.String(), id) {
		t.Errorf("log id %q is not in the log", id)
	}
}

func TestErrorReplies(t *testing.T) {
	s := &session{conn: &conn{cfg: &Config{Logger: slog.New(slog.DiscardHandler)}, peer: &smtp.Peer{}}}
	s.ctx = t.Context()
	for _, err := range []error{errors.New("x"), smtp.Errorf(250, smtp.EnhancedCode{}, "x"), smtp.Errorf(354, smtp.EnhancedCode{}, "x"), &smtp.Error{Err: errors.New("x")}} {
		if r := s.answer(err, localError()); r.Code != 451 || len(r.Lines) != 1 || strings.HasSuffix(r.Lines[0], "x") {
			t.Errorf("%v became %v", err, r)
		}
	}
}
