package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/smtp"
)

// sealMessage writes the message with an ARC set in front of it. Standard output
// is the message, so the verdicts go to standard error. A chain that nothing may
// be added to (RFC 8617 §5.1) stays as it is, and so does the message.
func (o *options) sealMessage(ctx context.Context, s stdio) error {
	message, err := smtp.Spool(smtp.NewBody(s.in, -1), smtp.SpoolOptions{})
	if err != nil {
		return noMessage(err)
	}
	defer message.Close()
	r, err := o.judge(ctx, message.Body())
	if err != nil {
		return err
	}
	v := o.verdicts(ctx, r)
	set, err := o.seal.Seal(message.Body(), r.ARC, v.field)
	switch {
	case unsealable(err):
		fmt.Fprintln(s.err, "authcheck: not sealed:", err)
	case err != nil:
		return fault(err)
	}
	if err := v.print(s.err, o.json); err != nil {
		return fault(err)
	}
	return fault(writeSealed(s.out, set, message.Body()))
}

// unsealable reports that a message is to be passed on as it is.
func unsealable(err error) bool {
	for _, e := range [...]error{arc.ErrFailed, arc.ErrTemporary, arc.ErrFull, arc.ErrHeader} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// writeSealed writes the set with the line ends of the message.
func writeSealed(w io.Writer, set []byte, message io.Reader) error {
	r := bufio.NewReader(message)
	first, _ := r.Peek(1000)
	if i := bytes.IndexByte(first, '\n'); i == 0 || i > 0 && first[i-1] != '\r' {
		set = bytes.ReplaceAll(set, []byte("\r\n"), []byte("\n"))
	}
	if _, err := w.Write(set); err != nil {
		return err
	}
	_, err := io.Copy(w, r)
	return err
}
