package pop3client

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // APOP's own
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/pop3"
)

// Login logs in with the best of the mechanisms that are offered, each run by
// exchange, at most once for each set of credentials. state is that of the TLS
// connection; nil = no TLS. The method Login of a login.Client is one.
//
// A server that takes USER and PASS is said to offer PLAIN; an exchange of PLAIN
// becomes USER and PASS where the server does not have it.
type Login func(ctx context.Context, offered []string, state *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error

// Password is what APOP needs. It cannot be printed.
type Password struct {
	Username, Password string
}

// Format shows the name alone, for every verb.
func (p Password) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%s %s}", p.Username, hidden) }

// Login logs in. A refusal is an *Error with the server's reply.
func (c *Client) Login(ctx context.Context, login Login) error {
	if err := c.ready(); err != nil {
		return err
	}
	defer c.watch(ctx)()
	return c.login(ctx, login, nil)
}

// login tries APOP only where login sent nothing.
func (c *Client) login(ctx context.Context, login Login, apop *Password) error {
	err, sent := ErrNoAuth, false
	if login != nil {
		err = login(ctx, c.offered(), c.tls, func(ctx context.Context, client sasl.Client) error {
			sent = true
			return c.auth(ctx, client)
		})
	}
	if err != nil && !sent && apop != nil && c.stamp != "" && ctx.Err() == nil {
		err = c.apop(ctx, apop.Username, apop.Password)
	}
	return err
}

func (c *Client) offered() []string {
	mechanisms := slices.Clone(c.caps.Mechanisms)
	if !slices.Contains(mechanisms, sasl.Plain) && c.takesPasswords() {
		mechanisms = append(mechanisms, sasl.Plain)
	}
	return mechanisms
}

// takesPasswords reports whether USER is announced. A server that announces no
// way to log in has it, most of the time; where APOP may be used and is announced,
// that is not tried out.
func (c *Client) takesPasswords() bool {
	return c.caps.User || len(c.caps.Mechanisms) == 0 && (c.d.APOP == nil || c.stamp == "")
}

// Auth authenticates with one mechanism (RFC 5034 §4), PLAIN also by USER and
// PASS. A refusal is an *Error with the server's reply. ErrNoAuth: the
// mechanism is not offered. Whether a password may travel without TLS is
// decided by the caller, who knows TLS.
//
// A client with a method Outcome() error is asked after the server's success:
// SCRAM finds out whether the server knows the password, too (RFC 5802 §5). Its
// error is returned, and the connection is not used any more.
func (c *Client) Auth(ctx context.Context, client sasl.Client) error {
	if err := c.ready(); err != nil {
		return err
	}
	defer c.watch(ctx)()
	return c.auth(ctx, client)
}

func (c *Client) auth(ctx context.Context, client sasl.Client) error {
	if err := c.ready(); err != nil {
		return err
	}
	mech, ir, err := client.Start()
	if err != nil {
		return err
	}
	if !slices.Contains(c.caps.Mechanisms, strings.ToUpper(mech)) {
		if mech != sasl.Plain || !c.takesPasswords() {
			return ErrNoAuth
		}
		return c.plain(ctx, ir)
	}
	usual := c.limits.replyLine
	c.limits.replyLine = max(usual, maxAuthLine)
	defer func() { c.limits.replyLine, c.secrets = usual, nil }()
	r, err := c.exchange(ctx, client, "AUTH "+mech, ir)
	if err != nil {
		return err
	}
	if err := c.judge("AUTH", r); err != nil {
		return err
	}
	if judge, ok := client.(interface{ Outcome() error }); ok {
		if err := judge.Outcome(); err != nil {
			return c.lost(ctx, err)
		}
	}
	return c.entered(ctx)
}

// maxAuthLine bounds the challenges of the server.
const maxAuthLine = 12288

// exchange answers challenges until the server decides. An initial response
// that does not fit into the command answers the first challenge, which is
// empty then (RFC 5034 §4).
func (c *Client) exchange(ctx context.Context, client sasl.Client, line string, ir []byte) (pop3.Reply, error) {
	c.hide(ir)
	if ir != nil && len(line)+1+base64.StdEncoding.EncodedLen(len(ir))+2 <= pop3.MaxCommandLine {
		line += " " + encodeResponse(ir)
		ir = nil
	}
	if err := c.send(ctx, line); err != nil {
		return pop3.Reply{}, err
	}
	for {
		answer, err := c.replyLine(ctx, c.timeouts.Command)
		if err != nil {
			return pop3.Reply{}, err
		}
		challenge, ok := bytes.CutPrefix(answer, []byte("+"))
		if !ok || len(challenge) > 0 && challenge[0] != ' ' {
			r, err := c.parse(ctx, answer)
			if err == nil {
				err = c.quiet(ctx)
			}
			return r, err
		}
		c.trace(false, "+ "+hidden)
		response, err := respond(client, challenge, &ir)
		if err != nil {
			return pop3.Reply{}, c.cancel(ctx, err)
		}
		c.hide(response)
		c.out = append(base64.StdEncoding.AppendEncode(c.out[:0], response), '\r', '\n')
		c.trace(true, hidden)
		if err := c.flush(ctx, 1); err != nil {
			return pop3.Reply{}, err
		}
	}
}

// hide keeps the parts of a response out of what the server may make of it.
func (c *Client) hide(response []byte) {
	if len(response) == 0 {
		return
	}
	c.secrets = append(c.secrets, base64.StdEncoding.EncodeToString(response))
	for _, part := range bytes.FieldsFunc(response, func(r rune) bool { return r <= 1 }) {
		if secret := bytes.TrimPrefix(part, []byte("auth=Bearer ")); len(secret) >= 3 {
			c.secrets = append(c.secrets, string(secret))
		}
	}
}

// cancel ends an exchange (RFC 5034 §4); the reply is -ERR, and err what counts.
func (c *Client) cancel(ctx context.Context, err error) error {
	r, cancelErr := c.command(ctx, "*")
	switch {
	case cancelErr != nil:
		return cancelErr
	case r.OK:
		return c.lost(ctx, fmt.Errorf("%w: success after a cancelled exchange (%w)", ErrBadReply, err))
	}
	return err
}

// respond answers one challenge.
func respond(client sasl.Client, challenge []byte, ir *[]byte) ([]byte, error) {
	if *ir != nil {
		response := *ir
		*ir = nil
		return response, nil
	}
	decoded, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(challenge))
	if err != nil {
		return nil, fmt.Errorf("%w: a challenge that is no base64", ErrBadReply)
	}
	return client.Next(decoded)
}

// encodeResponse: an empty initial response is "=" (RFC 5034 §4).
func encodeResponse(ir []byte) string {
	if len(ir) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(ir)
}

// plain is an exchange of PLAIN (RFC 4616 §2) by USER and PASS, which cannot say
// on whose behalf.
func (c *Client) plain(ctx context.Context, ir []byte) error {
	parts := strings.Split(string(ir), "\x00")
	if len(parts) != 3 || parts[0] != "" && parts[0] != parts[1] {
		return ErrNoAuth
	}
	return c.userPass(ctx, parts[1], parts[2])
}

// UserPass logs in by USER and PASS (RFC 1939 §7), whether or not they are
// announced, and whether or not there is TLS. A refusal is an *Error.
// ErrNeedsUTF8, ErrCommand: they cannot say it.
func (c *Client) UserPass(ctx context.Context, username, password string) error {
	if err := c.ready(); err != nil {
		return err
	}
	defer c.watch(ctx)()
	return c.userPass(ctx, username, password)
}

func (c *Client) userPass(ctx context.Context, username, password string) error {
	if err := sayable(username, password, c.caps.UTF8User); err != nil {
		return err
	}
	if strings.ContainsRune(username, ' ') && strings.TrimSpace(username) != username {
		return ErrCommand
	}
	c.secrets = append(c.secrets, password)
	defer func() { c.secrets = nil }()
	for _, line := range []string{"USER " + username, "PASS " + password} {
		r, err := c.command(ctx, line)
		if err != nil {
			return err
		}
		if err := c.judge(verb(line), r); err != nil {
			return err
		}
	}
	return c.entered(ctx)
}

// sayable reports why a name or password cannot stand on a line.
func sayable(username, password string, utf8 bool) error {
	both := username + password
	switch {
	case username == "" || password == "" || strings.ContainsAny(both, "\r\n\x00"):
		return ErrCommand
	case !utf8 && strings.ContainsFunc(both, func(r rune) bool { return r >= 0x80 }):
		return ErrNeedsUTF8
	}
	return nil
}

// APOP logs in by APOP (RFC 1939 §7); see Dialer.APOP. ErrNoAuth: the greeting
// has no timestamp.
func (c *Client) APOP(ctx context.Context, username, password string) error {
	if err := c.ready(); err != nil {
		return err
	}
	defer c.watch(ctx)()
	return c.apop(ctx, username, password)
}

func (c *Client) apop(ctx context.Context, username, password string) error {
	if c.stamp == "" {
		return ErrNoAuth
	}
	if err := sayable(username, password, false); err != nil {
		return err
	}
	if strings.ContainsAny(username, " \t") {
		return ErrCommand
	}
	sum := md5.Sum([]byte(c.stamp + password)) //nolint:gosec
	digest := hex.EncodeToString(sum[:])
	c.secrets = append(c.secrets, password, digest)
	defer func() { c.secrets = nil }()
	r, err := c.command(ctx, "APOP "+username+" "+digest)
	if err == nil {
		err = c.judge("APOP", r)
	}
	if err != nil {
		return err
	}
	return c.entered(ctx)
}

// timestamp finds the challenge of APOP, which has to be a message identifier:
// whatever else is digested helps to find collisions.
func timestamp(greeting []byte) string {
	_, rest, found := bytes.Cut(greeting, []byte("<"))
	id, _, closed := bytes.Cut(rest, []byte(">"))
	local, host, at := bytes.Cut(id, []byte("@"))
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '@' }
	if !found || !closed || !at || len(local) == 0 || len(host) == 0 || bytes.ContainsFunc(local, odd) || bytes.ContainsFunc(host, odd) {
		return ""
	}
	return "<" + string(id) + ">"
}

// entered comes after a login that succeeded.
func (c *Client) entered(ctx context.Context) error {
	before := c.caps
	if !before.mayLearnMore() {
		return nil
	}
	err := c.askCapabilities(ctx)
	if err == nil && !c.caps.Known { // refused here
		c.caps = before
	}
	return err
}
