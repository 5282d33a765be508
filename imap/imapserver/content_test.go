package imapserver

import (
	"strings"
	"testing"
)

// exchange runs one command on a mailbox that holds the message alone.
func exchange(t *testing.T, message, command string) string {
	t.Helper()
	st := testStore(t)
	deliver(t, st, "alice", "INBOX", message, 0)
	conn := &memoryConn{in: strings.NewReader("z LOGIN alice secret\r\nz EXAMINE INBOX\r\na " + command + "\r\n")}
	if err := testServer(t, testConfig(st)).ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	_, out, _ := strings.Cut(conn.out.String(), "EXAMINE completed\r\n")
	return out
}

// Texts are searched as people read them: encodings and charsets are taken off.
func TestSearchDecodes(t *testing.T) {
	const message = "Subject: =?iso-8859-1?q?K=F6ln?=\r\nX-Word: =?utf-8?b?w4RwZmVs?=\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6n=\r\nheit\r\n" +
		"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+w5xiZXI8L2I+\r\n" +
		"--b\r\nContent-Type: application/x; name=datei.bin\r\nContent-Transfer-Encoding: base64\r\n\r\nc2VjcmV0\r\n" +
		"--b\r\nContent-Type: text/plain; charset=x-unknown\r\n\r\nplain enough\r\n--b--\r\n"
	for key, want := range map[string]bool{
		"SUBJECT {5+}\r\nk\xc3\xb6ln":                             true,
		"HEADER x-word {6+}\r\n\xc3\xa4PFEL":                      true,
		"BODY {10+}\r\nsch\xc3\xb6nheit":                          true,
		"TEXT {5+}\r\n\xc3\xbcber":                                true,
		"CHARSET iso-8859-1 TEXT {4+}\r\n\xdcBER":                 true,
		"CHARSET utf-8 (BODY {5+}\r\n\xc3\x9cBER TEXT \"datei\")": true,
		"BODY \"plain enough\"":                                   true,
		"BODY secret":                                             false, // in a part that is no text
		"BODY x-word":                                             false, // in the header of the message
		"TEXT x-word":                                             true,
		"OR BODY nothing HEADER X-Word \"\"":                      true,
		"HEADER X-None \"\"":                                      false,
		"NOT BODY nothing":                                        true,
		"BODY \"\"":                                               true,
	} {
		out := exchange(t, message, "SEARCH "+key)
		if got := strings.HasPrefix(out, "* SEARCH 1\r\n"); got != want || !strings.HasSuffix(out, "a OK SEARCH completed\r\n") {
			t.Errorf("%q: %q", key, out)
		}
	}
	if out := exchange(t, message, "SEARCH CHARSET utf-8 TEXT {1+}\r\n\xff"); !strings.HasPrefix(out, "a BAD") {
		t.Errorf("text that is not UTF-8: %q", out)
	}
}

// A header that is too long to be kept in memory is filtered all the same, and
// partial texts are cut out of the result.
func TestLongHeader(t *testing.T) {
	message := "X-First: 1\r\n" + strings.Repeat("X-Long: "+strings.Repeat("y", 70)+"\r\n", 1200) + "X-Last: 2\r\n\r\nbody\r\n"
	for command, want := range map[string]string{
		"FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LAST X-First)]":       "* 1 FETCH (BODY[HEADER.FIELDS (X-LAST X-First)] {25}\r\nX-First: 1\r\nX-Last: 2\r\n\r\n)\r\n",
		"FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LAST X-First)]<10.5>": "* 1 FETCH (BODY[HEADER.FIELDS (X-LAST X-First)]<10> {5}\r\n\r\nX-L)\r\n",
		"FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (X-LONG)]<0.10>":     "* 1 FETCH (BODY[HEADER.FIELDS.NOT (X-LONG)]<0> {10}\r\nX-First: 1)\r\n",
		"FETCH 1 RFC822.HEADER":                                   "* 1 FETCH (RFC822.HEADER {",
		"FETCH 1 (RFC822 FULL)":                                   "a BAD",
		"FETCH 1 BODY.PEEK[TEXT]":                                 "* 1 FETCH (BODY[TEXT] {6}\r\nbody\r\n)\r\n",
		"FETCH 1 FAST":                                            "* 1 FETCH (FLAGS (\\Recent) RFC822.SIZE ",
	} {
		if out := exchange(t, message, command); !strings.HasPrefix(out, want) {
			t.Errorf("%s: %.200q", command, out)
		}
	}
}
