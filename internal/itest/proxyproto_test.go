package itest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// TestProxyProtocol asserts that the headers that another library writes, of
// both versions and families, name the client.
func TestProxyProtocol(t *testing.T) {
	srv := smtpserver.New(smtpserver.Config{
		Receiver:   smtp.ReceiveFunc(func(context.Context, *smtp.Envelope, io.Reader) error { return nil }),
		Extensions: smtpserver.DefaultExtensions | smtpserver.PROXY,
		Proxies:    []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Hello: func(_ context.Context, p *smtp.Peer) error {
			return smtp.Errorf(550, smtp.EnhancedCode{}, "%v %v", p.Addr, p.LocalAddr)
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	for version := byte(1); version <= 2; version++ {
		for _, ends := range [][2]string{{"192.0.2.7:4711", "192.0.2.8:25"}, {"[2001:db8::7]:4711", "[2001:db8::8]:25"}} {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			source, dest := tcpAddr(t, ends[0]), tcpAddr(t, ends[1])
			h := proxyproto.HeaderProxyFromAddrs(version, source, dest)
			if version == 2 {
				if err := h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_ALPN, Value: []byte("smtp")}}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := h.WriteTo(c); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(c, "EHLO c\r\nQUIT\r\n")
			out, _ := io.ReadAll(bufio.NewReader(c))
			c.Close()
			if want := "550 " + ends[0] + " " + ends[1] + "\r\n"; !strings.Contains(string(out), want) {
				t.Errorf("version %d: %q lacks %q", version, out, want)
			}
		}
	}
}

func tcpAddr(t *testing.T, s string) *net.TCPAddr {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
