// Package smtpclient sends mail to an SMTP or LMTP server (RFC 5321 §2.1):
// it dials, negotiates TLS and AUTH, sends a message in as few round trips as
// the server allows, and reports one outcome for each recipient.
//
//	d := &smtpclient.Dialer{Hello: "mail.example.org"}
//	c, err := d.Dial(ctx, "tcp", "mx.example.net:25")
//	...
//	defer c.Close()
//	res, err := c.Send(ctx, env, body)
//	for i, r := range res.Recipients { ... }
//
// A [Pool] keeps connections between messages.
//
// # Outcomes
//
// Delivered, Deferred, Failed and Unknown. A connection that is lost after
// the end of the body, before the reply to it, leaves the message in doubt (RFC
// 1047); that is Unknown, and whether to risk a duplicate is the caller's
// decision. Everything else that is not a clear 2xx or 5xx is Deferred.
//
//	I1  A recipient is Delivered only by a 2xx reply to the end of the body.
//	I2  A recipient is Failed only by a 5xx reply, or because this side found
//	    that the server cannot take the message.
//	I3  What the server sends is bounded in lines, octets and time.
//	I4  Nothing that arrived in plain text behind the 220 to STARTTLS is used
//	    (RFC 3207 §6); it is an error.
//	I5  Replies are read while commands and bodies are written: neither side
//	    waits for the other, however small the buffers between them are.
//	I6  A reply that no command asked for ends the connection: a reply is never
//	    taken for the answer to another command.
//	I7  A body that breaks off never becomes a message of its own.
//
// # RFCs
//
//	RFC 1870  SIZE                      §5, §6
//	RFC 2033  LMTP                      §4
//	RFC 2034  ENHANCEDSTATUSCODES       §4
//	RFC 2852  DELIVERBY
//	RFC 2920  PIPELINING                §3.1
//	RFC 3030  CHUNKING, BINARYMIME      §2, §3
//	RFC 3207  STARTTLS                  §4
//	RFC 3461  DSN parameters            §4
//	RFC 4865  FUTURERELEASE
//	RFC 4954  AUTH                      §4
//	RFC 5321  client side               §3, §4.1, §4.5.2, §4.5.3.2
//	RFC 5890  domains in A-labels       §2.3.2.1
//	RFC 6152  8BITMIME                  §3
//	RFC 6531  SMTPUTF8                  §3.2, §3.4, §3.6
//	RFC 6710  MT-PRIORITY               §4.1
//	RFC 8689  REQUIRETLS                §2, §5; the certificate is the Dialer's
//	RFC 9422  LIMITS                    §4
//
// Without an RFC: PRDR (draft-hall-prdr-00), XCLIENT and XFORWARD (Postfix).
package smtpclient
