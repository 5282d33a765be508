package pop3client_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/internal/netpipe"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// script is a server that follows a text, one connection after the other:
//
//	S: text    sends a line
//	R: "raw"   sends octets, in Go's syntax
//	C: text    wants this command
//	HANG       says no more, until the client closes
//
// It closes at its end.
type script struct {
	t    *testing.T
	text string
	work sync.WaitGroup
}

func newScript(t *testing.T, text string) *script {
	s := &script{t: t, text: text}
	t.Cleanup(s.work.Wait)
	return s
}

func (s *script) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := netpipe.Pair(nil, nil)
	s.work.Go(func() {
		defer server.Close()
		s.play(server)
	})
	return client, nil
}

func (s *script) play(c *netpipe.Conn) {
	r := bufio.NewReader(c)
	for line := range strings.Lines(s.text) {
		line = strings.Trim(line, "\t\n")
		kind, text, _ := strings.Cut(line, " ")
		switch kind {
		case "S:":
			io.WriteString(c, text+"\r\n")
		case "R:":
			raw, err := strconv.Unquote(text)
			if err != nil {
				s.t.Errorf("%s: %v", line, err)
			}
			io.WriteString(c, raw)
		case "C:":
			got, err := r.ReadString('\n')
			if got != text+"\r\n" {
				s.t.Errorf("the server got %q, %v; want %q", got, err, text)
				return
			}
		case "HANG":
			<-c.PeerGone()
		}
	}
}

// dialScript connects to a script that begins with a greeting and CAPA.
func dialScript(t *testing.T, text string) *pop3client.Client {
	t.Helper()
	return dialScriptWith(t, &pop3client.Dialer{}, noCAPA+text)
}

const noCAPA = `
	S: +OK ready
	C: CAPA
	S: -ERR
`

// pipelines is the beginning of a server that does.
const pipelines = `
	S: +OK ready
	C: CAPA
	S: +OK
	S: PIPELINING
	S: UIDL
	S: TOP
	S: .
`

func dialScriptWith(t *testing.T, d *pop3client.Dialer, text string) *pop3client.Client {
	t.Helper()
	d.Net = newScript(t, text)
	c, err := d.Dial(t.Context(), "tcp", "pop.example:110")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
