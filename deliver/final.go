package deliver

import (
	"github.com/mailstead/mailstead/internal/mailloop"
	"github.com/mailstead/mailstead/smtp"
)

// AppendFinal appends the fields that final delivery to p puts in front of a
// message, above its trace fields: Return-Path (RFC 5321 §4.4), and Delivered-To,
// by which CheckLoop knows the message again.
//
//	Return-Path: <sender@example.net>
//	Delivered-To: user@example.org
func AppendFinal(dst []byte, m *smtp.Mail, p smtp.ForwardPath) []byte {
	return appendDeliveredTo(appendReturnPath(dst, m.ReversePath), p)
}

func appendReturnPath(dst []byte, p smtp.ReversePath) []byte {
	dst = append(append(dst, "Return-Path: <"...), p.String()...)
	return append(dst, ">\r\n"...)
}

func appendDeliveredTo(dst []byte, p smtp.ForwardPath) []byte {
	dst = append(append(dst, "Delivered-To: "...), p.String()...)
	return append(dst, '\r', '\n')
}

// LoopHead is how much of a message CheckLoop wants to see, in octets, trace
// fields included, where there is as much.
const LoopHead = mailloop.HeadBytes

// CheckLoop refuses with 5.4.6 a message that host has delivered to p before: a
// Delivered-To field of p stands above a Received field of host. host is the name
// in the Received fields of this host; "" = nothing is a loop. The Delivered-To of
// another host is none: mail that is forwarded or fetched from it has it.
func CheckLoop(head []byte, host string, p smtp.ForwardPath) error {
	address := ""
	same := func(a string) bool {
		if address == "" {
			address = CanonicalAddress(p.Path)
		}
		q, err := smtp.ParseMailbox(a, true)
		return err == nil && CanonicalAddress(q) == address
	}
	if !mailloop.Returned(head, host, same) {
		return nil
	}
	return smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 6}, "This message was delivered here before: mail is looping")
}
