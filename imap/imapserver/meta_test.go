package imapserver

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// A message whose Meta is too long to be kept, with trace fields in front, is
// described again when it is asked for.
func TestMetaComputedAgain(t *testing.T) {
	st := testStore(t)
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	const parts = 300
	body := "Subject: many parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		strings.Repeat("--b\r\n\r\npart\r\n", parts-1) + "--b\r\n\r\nlast\r\n--b--\r\n"
	_, err = store.AppendMessage(t.Context(), st, a, "", store.NewMessage{
		Mailbox: m.ID, Body: strings.NewReader(body), BodySize: int64(len(body)), Prefix: []byte("Return-Path: <a@b>\r\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := testServer(t, testConfig(st))
	for command, want := range map[string]string{
		"FETCH 1 ENVELOPE":                               `* 1 FETCH (ENVELOPE (NIL "many parts" `,
		"FETCH 1 BODY.PEEK[300]":                         "* 1 FETCH (BODY[300] {4}\r\nlast)\r\n",
		"FETCH 1 BODY.PEEK[HEADER.FIELDS (RETURN-PATH)]": "* 1 FETCH (BODY[HEADER.FIELDS (RETURN-PATH)] {22}\r\nReturn-Path: <a@b>\r\n\r\n)",
		"SEARCH SUBJECT many":                            "* SEARCH 1\r\n",
		"SEARCH BODY last":                               "* SEARCH 1\r\n",
		"SEARCH HEADER return-path a@b":                  "* SEARCH 1\r\n",
		"SEARCH SENTSINCE 1-Jan-2000":                    "* SEARCH\r\n",
	} {
		conn := &memoryConn{in: strings.NewReader("z LOGIN alice secret\r\nz EXAMINE INBOX\r\na " + command + "\r\n")}
		if err := srv.ServeConn(conn); err != nil {
			t.Fatal(err)
		}
		if out := conn.out.String(); !strings.Contains(out, want) {
			t.Errorf("%s: %.600s", command, out)
		}
	}
}
