package pipe

import (
	"bytes"
	"io"
	"time"

	"github.com/mailstead/mailstead/internal/lineends"
	"github.com/mailstead/mailstead/internal/rebody"
	"github.com/mailstead/mailstead/smtp"
)

// input is the message as a program reads it.
func (x *transaction) input(rcpts []*smtp.Recipient, src *rebody.Source) io.Reader {
	var head []byte
	f := x.t.Fields
	if f&FromLine != 0 {
		head = append(append(head, "From "...), lineends.FromSender(x.mail.ReversePath.String())...)
		at := x.mail.Received
		if at.IsZero() {
			at = time.Now()
		}
		head = append(at.UTC().AppendFormat(append(head, ' '), time.ANSIC), "\r\n"...)
	}
	if f&ReturnPath != 0 {
		head = append(append(append(head, "Return-Path: <"...), x.mail.ReversePath.String()...), ">\r\n"...)
	}
	if f&DeliveredTo != 0 {
		head = append(append(append(head, "Delivered-To: "...), rcpts[0].ForwardPath.String()...), "\r\n"...)
	}
	var message io.Reader = io.MultiReader(bytes.NewReader(src.Trace()), src.Body())
	if f&QuoteFrom != 0 {
		message = lineends.QuoteFrom(message)
	}
	message = io.MultiReader(bytes.NewReader(head), message)
	if !x.t.CRLF {
		message = lineends.LF(message)
	}
	return message
}
