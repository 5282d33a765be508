package itest

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// A lineClient speaks as much IMAP or POP3 as a login needs.
type lineClient struct {
	t    *testing.T
	nc   net.Conn
	br   *bufio.Reader
	imap bool
}

// dialLine connects and reads the greeting. tlsConfig starts TLS by command;
// nil = no TLS.
func dialLine(t *testing.T, addr string, imap bool, tlsConfig *tls.Config) *lineClient {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	c := &lineClient{t: t, nc: nc, br: bufio.NewReader(nc), imap: imap}
	c.line()
	if tlsConfig != nil {
		if out := c.command(map[bool]string{true: "STARTTLS", false: "STLS"}[imap]); !out.ok {
			t.Fatalf("no TLS: %q", out.last)
		}
		tc := tls.Client(nc, tlsConfig)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		c.nc, c.br = tc, bufio.NewReader(tc)
	}
	return c
}

func (c *lineClient) line() string {
	c.t.Helper()
	line, err := c.br.ReadString('\n')
	if err != nil {
		c.t.Fatalf("the server ends the connection: %v", err)
	}
	return strings.TrimRight(line, "\r\n")
}

func (c *lineClient) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// outcome is how the server answers: with a challenge, or finally.
type outcome struct {
	challenge, ok bool
	data          string   // of a challenge
	last          string   // the final line
	lines         []string // before it
}

// answer reads up to a challenge or the final line. It takes a multi-line
// answer of POP3 for CAPA alone.
func (c *lineClient) answer(multi bool) (o outcome) {
	c.t.Helper()
	for {
		line := c.line()
		switch {
		case line == "+" || strings.HasPrefix(line, "+ "):
			return outcome{challenge: true, data: strings.TrimPrefix(strings.TrimPrefix(line, "+"), " ")}
		case c.imap && strings.HasPrefix(line, "a1 "):
			o.last, o.ok = line, strings.HasPrefix(line, "a1 OK")
			return o
		case !c.imap && o.last == "":
			if o.last, o.ok = line, strings.HasPrefix(line, "+OK"); !o.ok || !multi {
				return o
			}
		case !c.imap && line == ".":
			return o
		default:
			o.lines = append(o.lines, line)
		}
	}
}

func (c *lineClient) command(text string) outcome {
	c.t.Helper()
	if c.imap {
		text = "a1 " + text
	}
	c.send(text)
	return c.answer(text == "CAPA")
}

// mechanisms are those that the server offers now.
func (c *lineClient) mechanisms() (list []string) {
	c.t.Helper()
	name := map[bool]string{true: "CAPABILITY", false: "CAPA"}[c.imap]
	for _, line := range c.command(name).lines {
		for i, word := range strings.Fields(line) {
			if m, ok := strings.CutPrefix(word, "AUTH="); ok && c.imap {
				list = append(list, m)
			} else if !c.imap && i > 0 && strings.HasPrefix(line, "SASL ") {
				list = append(list, word)
			}
		}
	}
	return list
}

// login runs an exchange. An initial response waits for the empty challenge,
// which every server understands.
func (c *lineClient) login(client sasl.Client) error {
	c.t.Helper()
	name, initial, err := client.Start()
	if err != nil {
		return err
	}
	o := c.command(map[bool]string{true: "AUTHENTICATE ", false: "AUTH "}[c.imap] + name)
	for ; o.challenge; o = c.answer(false) {
		response := initial
		if initial == nil {
			challenge, err := base64.StdEncoding.DecodeString(o.data)
			if err == nil {
				response, err = client.Next(challenge)
			}
			if err != nil {
				c.send("*")
				return errors.Join(err, fmt.Errorf("after which the server says %q", c.answer(false).last))
			}
		}
		initial = nil
		c.send(base64.StdEncoding.EncodeToString(response))
	}
	if !o.ok {
		return fmt.Errorf("refused: %s", o.last)
	}
	return saslmech.Outcome(client)
}

// wrong as a token stands for a wrong secret.
const wrong = "wrong"

// ourClient is a client of the mechanism for a user, with the password or, where
// the mechanism takes one, this token.
func ourClient(mechanism, user, token string) sasl.Client {
	c := saslmech.Credentials{Username: user, Password: password}
	if token == wrong {
		c.Password, token = "wrong", "d3Jvbmc.d3Jvbmc.d3Jvbmc"
	}
	if bearer(mechanism) {
		c.Password, c.Token = "", token
	}
	client, err := saslmech.Choose([]string{mechanism}, c, saslmech.Policy{AllowPlaintext: true})
	if err != nil {
		panic(err)
	}
	return client
}

// jwt is a token of alice's with a key that is shared with its judge: HS256,
// for Dovecot's local validation.
func jwt(key []byte) string {
	encode := func(v map[string]any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	now := time.Now().Unix()
	text := encode(map[string]any{"alg": "HS256", "typ": "JWT"}) + "." +
		encode(map[string]any{"email": alice, "active": "true", "sub": alice, "iat": now, "exp": now + 600})
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, text)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// dovecotToken puts a key where Dovecot looks for it (azp/alg/kid) and returns a
// token.
func dovecotToken(t *testing.T, keys string) string {
	t.Helper()
	dir := filepath.Join(keys, "default", "HS256")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	key := []byte("a key of the test and of nobody else")
	if err := os.WriteFile(filepath.Join(dir, "default"), []byte(base64.StdEncoding.EncodeToString(key)), 0o644); err != nil {
		t.Fatal(err)
	}
	return jwt(key)
}
