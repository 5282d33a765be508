// Package bounce reads what comes back: reports of failed, late and successful
// delivery by RFC 3464, those that programs write in forms of their own,
// feedback reports, and the answers of people's programs. It says for each
// recipient what became of a message, and whether its address is any good.
//
//	p := bounce.Parser{VERP: func(to smtp.Path) (smtp.Path, bool) {
//		a, err := scheme.Decode(to)
//		return a.Path, err == nil && a.Token == ""
//	}}
//	rep, err := p.Parse(body, body.Size(), bounce.Envelope{From: from, To: to})
//	for _, r := range rep.Recipients {
//		if r.Class == bounce.Hard {
//			… // do not write to r.Sent again
//		}
//	}
//
// A bounce is not signed by the host that it speaks for. What it says of an
// address is proven only by a reverse-path that nobody else can make
// (Recipient.Proven, see deliver/verp).
//
// # Invariants
//
//	B1  Any octets give a Report; the only errors are those of the reader.
//	B2  Hard needs a status or words that say it, and nothing that says otherwise.
//	    What is not understood is Unknown: nobody is taken off a list in doubt.
//	B3  Forms that stand in no RFC are read only in mail that comes from a
//	    program: one with the null sender, of a MAILER-DAEMON and the like.
//	    A person who quotes a bounce does not make one.
//	B4  Memory is bounded: MaxRecipients recipients, 64 KiB of the returned
//	    header and of a text. Time is linear in the message.
//
// # RFCs
//
//	RFC 3461 §6.3   the fields from ORCPT and ENVID
//	RFC 3463        status codes                       text not read whole
//	RFC 3464 §2     message/delivery-status            reading
//	RFC 3834        automatic responses, see deliver/autoreply
//	RFC 5965        feedback reports, see deliver/arf
//	RFC 6522        multipart/report                   its parts also where it is another multipart
//	RFC 6533 §3     message/global-delivery-status     reading
//	RFC 8098        dispositions are told apart, and not read
//
// The forms that stand in no RFC, and are known: qmail (QSBMF) and Yahoo, Exim,
// Postfix and sendmail before RFC 3464, Courier, Exchange and Outlook, IIS, Gmail,
// AOL, Domino, GroupWise, MDaemon, IMail, OpenSMTPD, and X-Failed-Recipients.
package bounce
