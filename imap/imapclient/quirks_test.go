package imapclient_test

import (
	"net"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
)

// Cyrus is never asked for MAILBOXID and something else at once: what it sends then
// is memory that is freed, with line ends in it at times.
func TestCyrusMailboxID(t *testing.T) {
	const greeting = "* PREAUTH [CAPABILITY IMAP4rev1 LIST-EXTENDED LIST-STATUS LIST-MYRIGHTS OBJECTID] mail Cyrus IMAP 3.6.1 server ready"
	ask := []imap.StatusItem{imap.StatusMailboxID, imap.StatusMessages}
	piped(t, imapclient.Dialer{}, greeting, func(conn net.Conn) {
		gets(t, conn, `a1 LIST "" "*" RETURN (MYRIGHTS STATUS (MESSAGES))`)
		says(conn, `* LIST () "/" a`, `* MYRIGHTS a lrs`, `* STATUS a (MESSAGES 3)`, `* LIST () "/" gone`, `* STATUS gone (MESSAGES 1)`,
			`* LIST (\NoSelect) "/" b`, `a1 OK done`)
		gets(t, conn, `a2 LIST "" "*" RETURN (STATUS (MAILBOXID))`)
		says(conn, `* LIST () "/" a`, `* STATUS a (MAILBOXID (x1))`, `* LIST () "/" new`, `* STATUS new (MAILBOXID (x2))`,
			`* LIST (\NoSelect) "/" b`, `a2 OK done`)
		gets(t, conn, `a3 STATUS "a" (MESSAGES)`)
		says(conn, `* STATUS a (MESSAGES 4)`, `a3 OK done`)
		gets(t, conn, `a4 STATUS "a" (MAILBOXID)`)
		says(conn, `* STATUS a (MAILBOXID (x1))`, `a4 OK done`)
		gets(t, conn, `a5 STATUS "a" (MAILBOXID)`)
		says(conn, `* STATUS a (MAILBOXID (x1))`, `a5 OK done`)
	}, func(t *testing.T, c *imapclient.Client) {
		list := must(c.List(t.Context(), imap.ListOptions{MyRights: true, Status: ask}))(t)
		if len(list) != 3 || list[0].Rights != "lrs" || list[2].Status != nil {
			t.Fatalf("%+v", list)
		}
		if s := list[0].Status; s.Messages != 3 || s.MailboxID != "x1" || !s.Has(imap.StatusMailboxID) {
			t.Errorf("%+v", s)
		}
		if s := list[1].Status; s.Messages != 1 || s.Has(imap.StatusMailboxID) {
			t.Errorf("%+v", s)
		}
		if s := must(c.Status(t.Context(), "a", ask...))(t); s.Messages != 4 || s.MailboxID != "x1" || !s.Has(imap.StatusMailboxID) {
			t.Errorf("%+v", s)
		}
		if s := must(c.Status(t.Context(), "a", imap.StatusMailboxID))(t); s.MailboxID != "x1" {
			t.Errorf("%+v", s)
		}
	})
}

// An item that does not exist is left out.
func TestUnknownStatusItem(t *testing.T) {
	piped(t, imapclient.Dialer{}, preauth, func(conn net.Conn) {
		gets(t, conn, `a1 STATUS "a" (MESSAGES)`)
		says(conn, `* STATUS a (MESSAGES 4)`, `a1 OK done`)
	}, func(t *testing.T, c *imapclient.Client) {
		if s := must(c.Status(t.Context(), "a", imap.StatusItem(200), imap.StatusMessages))(t); s.Messages != 4 {
			t.Errorf("%+v", s)
		}
	})
}

// Commands that have no method go through Do, lists of mailboxes within (RFC 7377),
// and contexts are ended (RFC 5267 §4.3.5).
func TestDoes(t *testing.T) {
	ctx := t.Context()
	addr, _ := serveAll(t, nil)
	var news []imap.SearchUpdate
	c := dial(t, addr, imapclient.Dialer{Handler: imapclient.Handler{Search: func(u *imap.SearchUpdate) { news = append(news, *u) }}})
	must(c.Create(ctx, "Büro (1)"))(t)
	fill(t, c, "Büro (1)", 2)
	fill(t, c, "INBOX", 3)
	var found []string
	search := imapclient.NewCommand("ESEARCH").Raw("IN (mailboxes").Mailbox("INBOX").Raw("mailboxes").Mailbox("Büro (1)").Raw(") RETURN (COUNT) ALL")
	search.Untagged = func(line []byte) bool { found = append(found, string(line)); return true }
	must(c.Do(ctx, search))(t)
	if len(found) != 2 || !strings.HasSuffix(found[0]+found[1], " COUNT 2") && !strings.HasSuffix(found[0]+found[1], " COUNT 3") {
		t.Errorf("%q", found)
	}

	must(c.Select(ctx, "INBOX", imapclient.SelectOptions{}))(t)
	must(c.Search(ctx, imap.Criteria{}, imap.SearchOptions{Return: imap.ReturnAll | imap.ReturnUpdate}))(t)
	fill(t, c, "INBOX", 1)
	if err := c.Noop(ctx); err != nil || len(news) != 1 || len(news[0].Data) != 1 || news[0].Data[0].Name != "ADDTO" {
		t.Fatalf("%+v, %v", news, err)
	}
	must(c.Do(ctx, imapclient.NewCommand("CANCELUPDATE").String(news[0].Tag)))(t)
	fill(t, c, "INBOX", 1)
	if err := c.Noop(ctx); err != nil || len(news) != 1 {
		t.Errorf("%+v, %v", news, err)
	}
}
