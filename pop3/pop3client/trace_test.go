package pop3client_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

const secret = "correct-horse"

// bearer is XOAUTH2, as far as a server sees it.
type bearer struct{}

func (bearer) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=ann\x01auth=Bearer " + secret + "\x01\x01"), nil
}
func (bearer) Next([]byte) ([]byte, error) { return []byte{}, nil }

// asked is LOGIN without an initial response.
type asked struct{ answers []string }

func (*asked) Start() (string, []byte, error) { return "LOGIN", nil, nil }

func (a *asked) Next(challenge []byte) ([]byte, error) {
	if string(challenge) == "odd" || len(a.answers) == 0 {
		return nil, errors.New("an odd challenge")
	}
	answer := a.answers[0]
	a.answers = a.answers[1:]
	return []byte(answer), nil
}

func loginClient() sasl.Client { return &asked{[]string{"ann", secret}} }

// TestSecretsStayHidden: neither the trace nor an error shows a secret, also
// where the server repeats what it was sent.
func TestSecretsStayHidden(t *testing.T) {
	sum := md5.Sum([]byte("<1.2@pop.example>" + secret))
	shapes := []string{
		secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString(sum[:]),
		base64.StdEncoding.EncodeToString([]byte("\x00ann\x00" + secret)),
		base64.StdEncoding.EncodeToString([]byte("user=ann\x01auth=Bearer " + secret + "\x01\x01")),
	}
	for name, login := range map[string]func(c *pop3client.Client) error{
		"PASS":    func(c *pop3client.Client) error { return c.UserPass(t.Context(), "ann", secret) },
		"APOP":    func(c *pop3client.Client) error { return c.APOP(t.Context(), "ann", secret) },
		"PLAIN":   func(c *pop3client.Client) error { return c.Auth(t.Context(), sasl.NewPlainClient("", "ann", secret)) },
		"LOGIN":   func(c *pop3client.Client) error { return c.Auth(t.Context(), loginClient()) },
		"XOAUTH2": func(c *pop3client.Client) error { return c.Auth(t.Context(), bearer{}) },
		"by hand": func(c *pop3client.Client) error {
			_, err := c.Command(t.Context(), "pass  "+secret)
			return err
		},
	} {
		for _, refusal := range []string{"-ERR no: ", "what: ", "+OK yes: ", "-ERR [" + secret + "] "} {
			var seen strings.Builder
			steps := 0
			srv := pop3test.NewServer(t, pop3test.Options{
				Capabilities: []string{"TOP", "UIDL", "USER", "SASL PLAIN LOGIN XOAUTH2"},
				Reply: func(_ int, command string) string {
					switch verb, _, _ := strings.Cut(command, " "); {
					case command == "greeting":
						return "+OK <1.2@pop.example>"
					case verb == "CAPA" || verb == "USER":
						return ""
					case name == "LOGIN" && steps < 2:
						steps++
						return "+ VXNlcm5hbWU6"
					}
					return refusal + command + " " + strings.Join(shapes, " ")
				},
			})
			d := &pop3client.Dialer{Net: srv, Trace: pop3client.Trace{Line: func(client bool, text string) { fmt.Fprintln(&seen, client, text) }}}
			c, err := d.Dial(t.Context(), "tcp", "x:110")
			if err != nil {
				t.Fatal(err)
			}
			err = login(c)
			if ok := strings.HasPrefix(refusal, "+OK"); ok != (err == nil) {
				t.Errorf("%s, %s: %v", name, refusal, err)
			}
			if name == "by hand" {
				continue // what the server repeats of a command that is not ours is not known
			}
			mine := slices.DeleteFunc(slices.Clone(shapes), func(s string) bool { return s != secret && !sent(srv, s) })
			for _, shape := range mine {
				if text := seen.String() + fmt.Sprint(err); strings.Contains(text, shape) {
					t.Errorf("%s, %s: %s shows", name, refusal, text)
				}
			}
			c.Close()
		}
	}
}

// sent reports whether a client said something.
func sent(srv *pop3test.Server, text string) bool {
	return slices.ContainsFunc(srv.Commands(), func(c string) bool { return strings.Contains(c, text) })
}

func TestTraceOfCommands(t *testing.T) {
	srv := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts("Subject: private\r\n\r\nprivate\r\n")})
	var seen []string
	d := &pop3client.Dialer{Trace: pop3client.Trace{Line: func(client bool, text string) {
		seen = append(seen, map[bool]string{true: "C: ", false: "S: "}[client]+text)
	}}}
	c := connect(t, srv, d)
	for b, err := range c.RetrEach(t.Context(), []int{1}) {
		if err != nil || b.Close() != nil {
			t.Error(err)
		}
	}
	if _, err := c.Command(t.Context(), "pass "+secret+" "+secret); err == nil {
		t.Error("a second login")
	}
	want := []string{
		"S: +OK pop3test ready", "C: CAPA", "S: +OK", "C: USER ann", "S: +OK", "C: PASS ***", "S: +OK", "C: RETR 1", "S: +OK", "C: pass ***",
	}
	if len(seen) != len(want)+1 || !slices.Equal(seen[:len(want)], want) {
		t.Errorf("%q\nwant %q", seen, want)
	}
}

// TestLongInitialResponse: a response that does not fit into the command follows
// it, and an empty one is "=" (RFC 5034 §4).
func TestLongInitialResponse(t *testing.T) {
	long := strings.Repeat("x", 300)
	full := base64.StdEncoding.EncodeToString([]byte("\x00ann\x00" + long))
	c := dialScriptWith(t, &pop3client.Dialer{}, "S: +OK\nC: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: SASL PLAIN EXTERNAL\nS: .\n"+
		"C: AUTH PLAIN\nS: + \nC: "+full+"\nS: -ERR [AUTH] no\nC: AUTH PLAIN\nS: +\nC: "+full+"\nS: -ERR [AUTH] no\nC: AUTH EXTERNAL =\nS: +OK")
	for range 2 {
		if err := c.Auth(t.Context(), sasl.NewPlainClient("", "ann", long)); err == nil {
			t.Error("no refusal")
		}
	}
	if err := c.Auth(t.Context(), sasl.NewExternalClient("")); err != nil {
		t.Error(err)
	}
}

// TestAuthEnds: an exchange that goes wrong is cancelled, or ends the connection.
func TestAuthEnds(t *testing.T) {
	const head = "S: +OK\nC: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: SASL LOGIN\nS: .\nC: AUTH LOGIN\n"
	for text, check := range map[string]func(error, bool) bool{
		"S: + !!!\nC: *\nS: -ERR cancelled\nC: NOOP\nS: +OK":  func(err error, usable bool) bool { return errors.Is(err, pop3client.ErrBadReply) && usable },
		"S: + !!!\nC: *\nS: +OK what\nHANG":                   func(err error, usable bool) bool { return errors.Is(err, pop3client.ErrBadReply) && !usable },
		"S: + !!!\nC: *":                                      func(_ error, usable bool) bool { return !usable },
		"S: + b2Rk\nC: *\nS: -ERR cancelled\nC: NOOP\nS: +OK": func(err error, usable bool) bool { return err != nil && usable },
		"S: + " + strings.Repeat("x", 20000) + "\nHANG":       func(err error, usable bool) bool { return errors.Is(err, pop3client.ErrReplyTooLong) && !usable },
		"R: \"+OK\\r\\n+OK\\r\\n\"\nHANG":                     func(err error, usable bool) bool { return errors.Is(err, pop3client.ErrUnasked) && !usable },
	} {
		c := dialScriptWith(t, &pop3client.Dialer{}, head+text)
		err := c.Auth(t.Context(), loginClient())
		usable := c.Noop(t.Context()) == nil
		if !check(err, usable) {
			t.Errorf("%s: %v, usable %v", text, err, usable)
		}
	}
	c := dialScript(t, "HANG")
	if err := c.Auth(t.Context(), loginClient()); !errors.Is(err, pop3client.ErrNoAuth) {
		t.Errorf("LOGIN is not offered: %v", err)
	}
	if err := c.Auth(t.Context(), sasl.NewPlainClient("bob", "ann", secret)); !errors.Is(err, pop3client.ErrNoAuth) {
		t.Errorf("USER and PASS on behalf of another: %v", err)
	}
	if err := c.APOP(t.Context(), "ann", secret); !errors.Is(err, pop3client.ErrNoAuth) {
		t.Errorf("APOP without a timestamp: %v", err)
	}
}

// TestAPOPAnnounced: no password goes to a server that announces APOP and nothing
// else, where APOP may be used.
func TestAPOPAnnounced(t *testing.T) {
	user := login.Client{
		Credentials: saslmech.Credentials{Username: "mrose", Password: "tanstaaf"}, Policy: saslmech.Policy{AllowPlaintext: true},
	}
	for capa, want := range map[string]string{
		"-ERR":                     "APOP mrose c4c9334bac560ecc979e58001b3e22fb",
		"+OK\nS: TOP\nS: .":        "APOP mrose c4c9334bac560ecc979e58001b3e22fb",
		"+OK\nS: USER\nS: .":       "USER mrose\nS: +OK\nC: PASS tanstaaf",
		"+OK\nS: SASL PLAIN\nS: .": "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm",
	} {
		d := &pop3client.Dialer{Login: user.Login, APOP: &pop3client.Password{Username: "mrose", Password: "tanstaaf"}}
		text := "S: +OK <1896.697170952@dbc.mtview.ca.us>\nC: CAPA\nS: " + capa + "\nC: " + want + "\nS: +OK"
		if capa != "-ERR" {
			text += "\nC: CAPA\nS: " + capa
		}
		dialScriptWith(t, d, text)
	}
}

// unproved is a login that the server accepts without a proof of its own.
type unproved struct{ sasl.Client }

var errUnproved = errors.New("unproved")

func (unproved) Outcome() error { return errUnproved }

// TestUnproved: a server that does not know the password gets no command more.
func TestUnproved(t *testing.T) {
	c := dialScriptWith(t, &pop3client.Dialer{}, "S: +OK\nC: CAPA\nS: +OK\nS: SASL EXTERNAL\nS: .\nC: AUTH EXTERNAL =\nS: +OK\nHANG")
	if err := c.Auth(t.Context(), unproved{sasl.NewExternalClient("")}); !errors.Is(err, errUnproved) {
		t.Error(err)
	}
	if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrClosed) {
		t.Errorf("afterwards %v", err)
	}
}

// TestTimestamp: only what is a message identifier is digested.
func TestTimestamp(t *testing.T) {
	for greeting, offered := range map[string]bool{
		"+OK <1896.697170952@dbc.mtview.ca.us>": true, "+OK hello <a@b> there": true, "+OK": false, "+OK <>": false, "+OK <a>": false,
		"+OK <a@>": false, "+OK <@b>": false, "+OK <a b@c>": false, "+OK <a@b": false, "+OK <a@b@c>": false, "+OK <\xff@b>": false, "+OK a@b>": false,
	} {
		text := fmt.Sprintf("R: %q\nC: CAPA\nS: -ERR\n", greeting+"\r\n")
		if offered {
			text += "C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK"
			text = strings.ReplaceAll(text, "a@b", "1896.697170952@dbc.mtview.ca.us")
		}
		c := dialScriptWith(t, &pop3client.Dialer{}, text)
		if err := c.APOP(t.Context(), "mrose", "tanstaaf"); offered != (err == nil) {
			t.Errorf("%q: %v", greeting, err)
		}
	}
}
