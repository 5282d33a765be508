package dkim

import (
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/mailsig"
)

func FuzzSignature(f *testing.F) {
	f.Add("v=1; a=rsa-sha256; c=relaxed; d=a.example; s=b; i=c=40@a.example; l=3; t=1; x=2; h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=QUJD", "v=DKIM1; p=QUJD")
	f.Fuzz(func(t *testing.T, value, record string) {
		b := mailsig.Cut([]byte("DKIM-Signature:" + strings.ReplaceAll(value, "\n", "\n ") + "\r\nFrom: a@b.example\r\n"))
		var s signature
		if s.parse(&b, b.Fields[0], time.Unix(0, 0)) == "" {
			s.digest(mailsig.NewSink(), &b, mailsig.NewIndex(&b).Cursor())
			s.decide(&mailsig.Keys{List: []mailsig.PublicKey{mailsig.ParseKey([]byte(record))}}, make([]byte, 32))
		}
		s.result(mailsig.Mismatch)
	})
}
