package saslmech

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

// dialogue is one exchange with a server: what the client sends and what comes
// back in the end.
type dialogue struct {
	name string
	sent []string // the first may be none: "nil"
	want string   // what the callback got; "" = it was not called
	err  error
}

const none = "nil"

func bytesOf(s string) []byte {
	if s == none {
		return nil
	}
	return []byte(s)
}

// check runs dialogues. server makes a server whose callback notes what it gets.
func check(t *testing.T, server func(note func(string)) sasl.Server, dialogues []dialogue) {
	t.Helper()
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			var got []string
			s := server(func(text string) { got = append(got, text) })
			var done bool
			var err error
			for i, sent := range d.sent {
				if done {
					t.Fatalf("over after %d messages: %v", i, err)
				}
				_, done, err = s.Next(bytesOf(sent))
			}
			if !done || !errors.Is(err, d.err) {
				t.Errorf("done %t, %v; want %v", done, err, d.err)
			}
			if strings.Join(got, "|") != d.want {
				t.Errorf("judged %q; want %q", got, d.want)
			}
			if _, done, err := s.Next([]byte{}); !done || !errors.Is(err, ErrMalformed) {
				t.Errorf("after the end: %t, %v", done, err)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	check(t, func(note func(string)) sasl.Server {
		return NewPlainServer(func(z, u, p string) error {
			note(z + "/" + u + "/" + p)
			if p != "tanstaaftanstaaf" && p != "xipj3plmq" {
				return errDenied
			}
			return nil
		})
	}, []dialogue{
		{"RFC 4616 §4, first", []string{"\x00tim\x00tanstaaftanstaaf"}, "/tim/tanstaaftanstaaf", nil},
		{"RFC 4616 §4, second", []string{"Ursel\x00Kurt\x00xipj3plmq"}, "Ursel/Kurt/xipj3plmq", nil},
		{"asked", []string{none, "\x00tim\x00tanstaaftanstaaf"}, "/tim/tanstaaftanstaaf", nil},
		{"wrong", []string{"\x00tim\x00x"}, "/tim/x", errDenied},
		{"empty password", []string{"\x00tim\x00"}, "/tim/", errDenied},
		{"no NUL", []string{"tim"}, "", ErrMalformed},
		{"one NUL", []string{"tim\x00x"}, "", ErrMalformed},
		{"three NULs", []string{"\x00tim\x00x\x00"}, "", ErrMalformed},
		{"empty", []string{""}, "", ErrMalformed},
		{"empty when asked", []string{none, ""}, "", ErrMalformed},
		{"nothing when asked", []string{none, none}, "", ErrMalformed},
		{"star", []string{none, "*"}, "", ErrMalformed},
		{"control A", []string{none, "\x01"}, "", ErrMalformed},
		{"not UTF-8", []string{"\x00tim\x00\xff"}, "", ErrMalformed},
		{"64 KB password", []string{"\x00tim\x00" + long}, "", ErrMalformed},
		{"1 MB of NULs", []string{strings.Repeat("\x00", 1<<20)}, "", ErrMalformed},
	})
}

func TestLogin(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	check(t, func(note func(string)) sasl.Server {
		return NewLoginServer(func(u, p string) error {
			note(u + "/" + p)
			if p != "secret" {
				return errDenied
			}
			return nil
		})
	}, []dialogue{
		{"asked for both", []string{none, "tim", "secret"}, "tim/secret", nil},
		{"name at once", []string{"tim", "secret"}, "tim/secret", nil},
		{"empty name at once", []string{"", "secret"}, "/secret", nil},
		{"wrong", []string{none, "tim", "x"}, "tim/x", errDenied},
		{"empty", []string{none, "", ""}, "/", errDenied},
		{"control A", []string{none, "tim", "\x01"}, "tim/\x01", errDenied},
		{"star", []string{none, "tim", "*"}, "tim/*", errDenied},
		{"nothing", []string{none, none}, "", ErrMalformed},
		{"no password", []string{none, "tim", none}, "", ErrMalformed},
		{"name not UTF-8", []string{none, "\xff"}, "", ErrMalformed},
		{"password not UTF-8", []string{none, "tim", "\xff"}, "", ErrMalformed},
		{"64 KB name", []string{none, long}, "", ErrMalformed},
		{"64 KB password", []string{none, "tim", long}, "", ErrMalformed},
	})
	s := NewLoginServer(func(string, string) error { return nil })
	c, _, _ := s.Next(nil)
	if base64.StdEncoding.EncodeToString(c) != "VXNlcm5hbWU6" {
		t.Errorf("first challenge %q", c)
	}
	c, _, _ = s.Next([]byte("x"))
	if base64.StdEncoding.EncodeToString(c) != "UGFzc3dvcmQ6" {
		t.Errorf("second challenge %q", c)
	}
}

func TestExternalAndAnonymous(t *testing.T) {
	dialogues := []dialogue{
		{"empty", []string{""}, "[]", nil},
		{"asked", []string{none, ""}, "[]", nil},
		{"text", []string{"sirhc"}, "[sirhc]", nil}, // RFC 4505 §4
		{"refused", []string{"no"}, "[no]", errDenied},
		{"NUL", []string{"a\x00b"}, "", ErrMalformed},
		{"not UTF-8", []string{"\xff"}, "", ErrMalformed},
		{"nothing", []string{none, none}, "", ErrMalformed},
		{"1 MB", []string{strings.Repeat("x", 1<<20)}, "", ErrMalformed},
	}
	judge := func(note func(string)) func(string) error {
		return func(text string) error {
			note("[" + text + "]")
			if text == "no" {
				return errDenied
			}
			return nil
		}
	}
	check(t, func(note func(string)) sasl.Server { return NewExternalServer(judge(note)) }, dialogues)
	check(t, func(note func(string)) sasl.Server { return NewAnonymousServer(judge(note)) }, dialogues)
}

// bearerJudge accepts the token of RFC 7628 §4.1.
func bearerJudge(note func(string)) func(BearerRequest) error {
	return func(r BearerRequest) error {
		note(fmt.Sprintf("%s/%s/%s:%d", r.Authzid, r.Token, r.Host, r.Port))
		switch r.Token {
		case "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==":
			return nil
		case "down":
			return errDown
		}
		return &BearerFailure{Scope: "example_scope", OpenIDConfiguration: "https://example.com/.well-known/openid-config", Err: errDenied}
	}
}

var errDown = errors.New("down")

func TestOAuthBearer(t *testing.T) {
	const ok = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
	imap := "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer " + ok + "\x01\x01"
	decoded, err := base64.StdEncoding.DecodeString("bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB")
	if err != nil || string(decoded) != imap {
		t.Fatalf("RFC 7628 §4.1: %q, %v", decoded, err)
	}
	refused := "n,,\x01auth=Bearer x\x01\x01"
	check(t, func(note func(string)) sasl.Server { return NewOAuthBearerServer(bearerJudge(note)) }, []dialogue{
		{"RFC 7628 §4.1", []string{imap}, "user@example.com/" + ok + "/server.example.com:143", nil},
		{"RFC 7628 §4.1, SMTP", []string{strings.Replace(imap, "143", "587", 1)}, "user@example.com/" + ok + "/server.example.com:587", nil},
		{"RFC 7628 §4.3", []string{"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01", "\x01"}, "user@example.com//server.example.com:143", errDenied},
		{"RFC 7628 §4.4, whose header is none", []string{"n,user=someuser@example.com,\x01auth=Bearer " + ok + "\x01\x01"}, "", ErrMalformed},
		{"asked", []string{none, imap}, "user@example.com/" + ok + "/server.example.com:143", nil},
		{"no authzid", []string{"n,,\x01auth=Bearer " + ok + "\x01\x01"}, "/" + ok + "/:0", nil},
		{"case of the scheme", []string{"y,,\x01auth=bEARER " + ok + "\x01\x01"}, "/" + ok + "/:0", nil},
		{"unknown keys", []string{"n,,\x01foo=bar\x01auth=Bearer " + ok + "\x01mthd=POST\x01\x01"}, "/" + ok + "/:0", nil},
		{"escaped authzid", []string{"n,a=a=2Cb=3D,\x01auth=Bearer " + ok + "\x01\x01"}, "a,b=/" + ok + "/:0", nil},
		{"refused, control A", []string{refused, "\x01"}, "/x/:0", errDenied},
		{"refused, empty", []string{refused, ""}, "/x/:0", errDenied},
		{"refused, nothing", []string{refused, none}, "/x/:0", errDenied},
		{"refused, star", []string{refused, "*"}, "/x/:0", errDenied},
		{"refused, another request", []string{refused, imap}, "/x/:0", errDenied},
		{"refused, 1 MB", []string{refused, strings.Repeat("x", 1<<20)}, "/x/:0", errDenied},
		{"temporary", []string{"n,,\x01auth=Bearer down\x01\x01"}, "/down/:0", errDown},
		{"control A first", []string{"\x01"}, "", ErrMalformed},
		{"empty", []string{""}, "", ErrMalformed},
		{"empty when asked", []string{none, ""}, "", ErrMalformed},
		{"star", []string{none, "*"}, "", ErrMalformed},
		{"channel binding", []string{"p=tls-exporter,,\x01auth=Bearer " + ok + "\x01\x01"}, "", ErrMalformed},
		{"no end", []string{"n,,\x01auth=Bearer " + ok + "\x01"}, "", ErrMalformed},
		{"more behind the end", []string{imap + "x"}, "", ErrMalformed},
		{"auth twice", []string{"n,,\x01auth=Bearer a\x01auth=Bearer " + ok + "\x01\x01"}, "", ErrMalformed},
		{"other scheme", []string{"n,,\x01auth=Basic abc\x01\x01"}, "", ErrMalformed},
		{"token with a space", []string{"n,,\x01auth=Bearer a b\x01\x01"}, "", ErrMalformed},
		{"key with a digit", []string{"n,,\x01a1=b\x01\x01"}, "", ErrMalformed},
		{"no key", []string{"n,,\x01=b\x01\x01"}, "", ErrMalformed},
		{"port 0", []string{"n,,\x01port=0\x01\x01"}, "", ErrMalformed},
		{"port 65536", []string{"n,,\x01port=65536\x01\x01"}, "", ErrMalformed},
		{"100 keys", []string{"n,,\x01" + manyKeys(100) + "\x01"}, "", ErrMalformed},
		{"1 MB token", []string{"n,,\x01auth=Bearer " + strings.Repeat("x", 1<<20) + "\x01\x01"}, "", ErrMalformed},
		{"20 KB token", []string{"n,,\x01auth=Bearer " + strings.Repeat("x", 20<<10) + "\x01\x01"}, "", ErrMalformed},
	})
}

// manyKeys returns n pairs with different keys of letters.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s=x\x01", strings.Repeat("k", i+1))
	}
	return b.String()
}

// A refused token is told as RFC 7628 §3.2.2 has it.
func TestBearerFailureOnTheWire(t *testing.T) {
	quiet := func(string) {}
	for name, s := range map[string]sasl.Server{
		`{"status":"invalid_token","scope":"example_scope","openid-configuration":"https://example.com/.well-known/openid-config"}`: NewOAuthBearerServer(bearerJudge(quiet)),
		`{"status":"401","schemes":"Bearer","scope":"example_scope"}`:                                                               NewXOAuth2Server(bearerJudge(quiet)),
	} {
		message := "n,,\x01auth=Bearer x\x01\x01"
		if strings.Contains(name, "401") {
			message = "user=a\x01auth=Bearer x\x01\x01"
		}
		challenge, done, err := s.Next([]byte(message))
		if string(challenge) != name || done || err != nil || !json.Valid(challenge) {
			t.Errorf("got %s, %t, %v", challenge, done, err)
		}
	}
	if s := fmt.Sprintf("%v %s", &BearerFailure{Status: "x"}, (&BearerFailure{Err: errDenied}).Error()); strings.Contains(s, "denied") {
		t.Error(s)
	}
	s := NewOAuthBearerServer(func(BearerRequest) error { return &BearerFailure{} })
	_, _, _ = s.Next([]byte("n,,\x01auth=Bearer x\x01\x01"))
	if _, done, err := s.Next([]byte("\x01")); !done || err == nil {
		t.Errorf("a failure without Err lets in: %v", err)
	}
}

func TestXOAuth2(t *testing.T) {
	const ok = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
	refused := "user=a@b\x01auth=Bearer x\x01\x01"
	check(t, func(note func(string)) sasl.Server { return NewXOAuth2Server(bearerJudge(note)) }, []dialogue{
		{"Google's example", []string{"user=someuser@example.com\x01auth=Bearer " + ok + "\x01\x01"}, "someuser@example.com/" + ok + "/:0", nil},
		{"asked", []string{none, "user=a@b\x01auth=Bearer " + ok + "\x01\x01"}, "a@b/" + ok + "/:0", nil},
		{"refused, empty", []string{refused, ""}, "a@b/x/:0", errDenied},
		{"refused, control A", []string{refused, "\x01"}, "a@b/x/:0", errDenied},
		{"refused, star", []string{refused, "*"}, "a@b/x/:0", errDenied},
		{"refused, nothing", []string{refused, none}, "a@b/x/:0", errDenied},
		{"temporary", []string{"user=a\x01auth=Bearer down\x01\x01"}, "a/down/:0", errDown},
		{"empty", []string{""}, "", ErrMalformed},
		{"control A", []string{"\x01"}, "", ErrMalformed},
		{"no token", []string{"user=a\x01auth=Bearer \x01\x01"}, "", ErrMalformed},
		{"no user key", []string{"auth=Bearer " + ok + "\x01\x01"}, "", ErrMalformed},
		{"NUL in the name", []string{"user=a\x00b\x01auth=Bearer " + ok + "\x01\x01"}, "", ErrMalformed},
		{"one control A at the end", []string{"user=a\x01auth=Bearer " + ok + "\x01"}, "", ErrMalformed},
		{"three at the end", []string{"user=a\x01auth=Bearer " + ok + "\x01\x01\x01"}, "", ErrMalformed},
		{"order", []string{"auth=Bearer " + ok + "\x01user=a\x01\x01"}, "", ErrMalformed},
		{"1 MB token", []string{"user=a\x01auth=Bearer " + strings.Repeat("x", 1<<20) + "\x01\x01"}, "", ErrMalformed},
		{"1 MB of control A", []string{strings.Repeat("\x01", 1<<20)}, "", ErrMalformed},
	})
}

const cramChallenge = "<1896.697170952@postoffice.reston.mci.net>"

func TestCRAMMD5(t *testing.T) {
	secret := NewCRAMSecret("tanstaaftanstaaf")
	check(t, func(note func(string)) sasl.Server {
		return CRAMMD5Server{challenge: cramChallenge, Judge: func(u string, proved func(CRAMSecret) bool) error {
			ok := proved(secret)
			note(fmt.Sprint(u, ok))
			if !ok {
				return errDenied
			}
			return nil
		}}.New()
	}, []dialogue{
		{"RFC 2195 §2", []string{none, "tim b913a602c7eda7a495b4e6e7334d3890"}, "timtrue", nil},
		{"wrong", []string{none, "tim b913a602c7eda7a495b4e6e7334d3891"}, "timfalse", errDenied},
		{"name with a space", []string{none, "ti m b913a602c7eda7a495b4e6e7334d3890"}, "ti mtrue", nil},
		{"upper case", []string{none, "tim B913A602C7EDA7A495B4E6E7334D3890"}, "", ErrMalformed},
		{"initial response", []string{"tim b913a602c7eda7a495b4e6e7334d3890"}, "", ErrMalformed},
		{"empty initial response", []string{""}, "", ErrMalformed},
		{"empty", []string{none, ""}, "", ErrMalformed},
		{"nothing", []string{none, none}, "", ErrMalformed},
		{"star", []string{none, "*"}, "", ErrMalformed},
		{"control A", []string{none, "\x01"}, "", ErrMalformed},
		{"no name", []string{none, " b913a602c7eda7a495b4e6e7334d3890"}, "", ErrMalformed},
		{"short digest", []string{none, "tim b913a602"}, "", ErrMalformed},
		{"no hexadecimal", []string{none, "tim z913a602c7eda7a495b4e6e7334d3890"}, "", ErrMalformed},
		{"1 MB", []string{none, strings.Repeat("x", 1<<20)}, "", ErrMalformed},
	})
	s := CRAMMD5Server{Host: "mail.example.org"}
	a, _, _ := s.New().Next(nil)
	b, _, _ := s.New().Next(nil)
	if string(a) == string(b) || !strings.HasPrefix(string(a), "<") || !strings.HasSuffix(string(a), "@mail.example.org>") {
		t.Errorf("challenges %q and %q", a, b)
	}
}

// The secret is the state that Dovecot keeps, and the standard library takes it
// back.
func TestCRAMSecret(t *testing.T) {
	s := NewCRAMSecret("tanstaaftanstaaf")
	if d, ok := s.digest([]byte(cramChallenge)); !ok || hex.EncodeToString(d) != "b913a602c7eda7a495b4e6e7334d3890" {
		t.Errorf("digest %x, %t", d, ok)
	}
	again, err := ParseCRAMSecret(s.Reveal())
	if err != nil || again != s || !again.Matches("tanstaaftanstaaf") || again.Matches("tanstaaftanstaa") {
		t.Errorf("%+v, %v", again, err)
	}
	long := NewCRAMSecret(strings.Repeat("x", 100))
	c := NewCRAMMD5Client("tim", strings.Repeat("x", 100))
	answer, _ := c.Next([]byte(cramChallenge))
	if d, _ := long.digest([]byte(cramChallenge)); string(answer) != "tim "+hex.EncodeToString(d) {
		t.Errorf("long password: %s, %x", answer, d)
	}
	// doveadm pw -s CRAM-MD5 -p test
	if got := NewCRAMSecret("test").Reveal(); got != "e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6" {
		t.Errorf("{CRAM-MD5} of test: %s", got)
	}
	for _, text := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("g", 64), strings.Repeat("0", 66)} {
		if _, err := ParseCRAMSecret(text); !errors.Is(err, ErrCRAMSecret) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if text := fmt.Sprintf("%v %+v %s %#v", s, s, s, s); strings.Contains(text, s.Reveal()[:8]) || strings.Contains(text, "outer") {
		t.Errorf("printed: %s", text)
	}
}

// A callback that panics ends the exchange.
func TestPanickingCallback(t *testing.T) {
	s := NewExternalServer(func(string) error { panic("backend") })
	func() {
		defer func() { _ = recover() }()
		_, _, _ = s.Next([]byte("x"))
	}()
	if _, done, err := s.Next([]byte("x")); !done || !errors.Is(err, ErrMalformed) {
		t.Errorf("after a panic: %t, %v", done, err)
	}
}
