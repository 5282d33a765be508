package submission

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/smtp"
)

// eightBitReader notes whether there is an octet beyond ASCII, and refuses the
// message at its end where it is to.
type eightBitReader struct {
	src    io.Reader
	rec    *record
	refuse bool
}

func (r *eightBitReader) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	if !r.rec.eightBit {
		r.rec.eightBit = eightBit(p[:n])
	}
	if err == io.EOF && r.rec.eightBit && r.refuse {
		err = smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 1}, "8-bit text needs BODY=8BITMIME")
	}
	return n, err
}

// eightBit reports an octet beyond ASCII; it looks at eight at a time.
func eightBit(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b)&0x8080808080808080 != 0 {
			return true
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// Declare returns a step that declares 8-bit octets which a client did not
// (BODY=8BITMIME), as Fixes found them: so a next hop is not given what it cannot
// take. It stands in front of the steps that add jobs.
func Declare() intake.Step {
	return intake.StepFunc(func(ctx context.Context, m *intake.Message) error {
		if !recordOf(ctx).eightBit {
			return nil
		}
		for i := range m.Jobs {
			if p := &m.Jobs[i].Params; p.Body < smtp.Body8BitMIME {
				p.Body = smtp.Body8BitMIME
			}
		}
		return nil
	})
}
