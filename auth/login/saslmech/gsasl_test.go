package saslmech

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

// gsaslPath finds GNU SASL's program. Without it the test is skipped, or fails
// where MAILSTEAD_PEERS=required.
func gsaslPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("MAILSTEAD_GSASL")
	if path == "" {
		path, _ = exec.LookPath("gsasl")
	}
	if path == "" && os.Getenv("MAILSTEAD_PEERS") == "required" {
		t.Fatal("gsasl is not installed, and MAILSTEAD_PEERS=required")
	}
	if path == "" {
		t.Skip("gsasl is not installed")
	}
	return path
}

// gsasl is a running gsasl, which reads and writes base64 lines.
type gsasl struct {
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
	wait   func() error
}

// start runs gsasl as "--client" or "--server" for one exchange. cb is what it
// is told of the channel.
func startGSASL(t *testing.T, side, mechanism string, cb []byte) *gsasl {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), gsaslPath(t), side, "-m", mechanism, "-a", "user", "-p", "pencil", "-z", "user", "-n", "user")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g := &gsasl{in: in, out: bufio.NewReader(out), wait: cmd.Wait}
	cmd.Stderr = &g.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, err := g.out.ReadString('\n'); err != nil || strings.TrimSpace(line) != mechanism {
		t.Fatalf("gsasl says %q, %v; want %s", line, err, mechanism)
	}
	switch { // a client asks for tls-exporter, and then for tls-unique
	case side == "--server":
	case len(cb) > 0:
		g.send(cb)
	case strings.HasPrefix(mechanism, "SCRAM"):
		g.send(nil)
		g.send(nil)
	}
	return g
}

// receive returns the next message; nil is an empty line, which stands for none
// and for an empty one.
func (g *gsasl) receive() ([]byte, error) {
	line, err := g.out.ReadString('\n')
	line = strings.TrimSpace(line[strings.LastIndex(line, ": ")+1:]) // prompts have no line of their own
	if err != nil || line == "" {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(line)
}

func (g *gsasl) send(message []byte) {
	_, _ = io.WriteString(g.in, base64.StdEncoding.EncodeToString(message)+"\n")
}

// TestGSASL runs each mechanism that GNU SASL knows, as its client against our
// server and as its server against our client.
func TestGSASL(t *testing.T) {
	gsaslPath(t)
	cb := []byte("0123456789abcdef0123456789abcdef")
	bindings := []Binding{{TLSExporter, cb}}
	judge := func(ok bool) error {
		if !ok {
			return errDenied
		}
		return nil
	}
	secret := NewCRAMSecret("pencil")
	servers := map[string]sasl.Server{
		Plain:     NewPlainServer(func(_, u, p string) error { return judge(u == "user" && p == "pencil") }),
		Login:     NewLoginServer(func(u, p string) error { return judge(u == "user" && p == "pencil") }),
		External:  NewExternalServer(func(z string) error { return judge(z == "user") }),
		Anonymous: NewAnonymousServer(func(trace string) error { return judge(trace == "user") }),
		CRAMMD5: CRAMMD5Server{Judge: func(u string, proved func(CRAMSecret) bool) error {
			return judge(u == "user" && proved(secret))
		}}.New(),
	}
	for _, mechanism := range []string{SCRAMSHA1, SCRAMSHA256, SCRAMSHA1Plus, SCRAMSHA256Plus} {
		var judged []string
		hash, plus, _ := SCRAMOf(mechanism)
		s := serverOf(verifierWith(t, hash, "pencil", []byte("salt")), "user", &judged)
		if plus {
			s.Plus, s.Bindings = true, bindings
		}
		servers[mechanism] = s.New()
	}
	for mechanism, server := range servers {
		t.Run("client/"+mechanism, func(t *testing.T) {
			plus := strings.HasSuffix(mechanism, "-PLUS")
			var known []byte
			if plus {
				known = cb
			}
			if err := serve(startGSASL(t, "--client", mechanism, known), server); err != nil {
				t.Error(err)
			}
		})
	}
	for _, mechanism := range []string{Plain, Login, CRAMMD5, SCRAMSHA1, SCRAMSHA256, SCRAMSHA1Plus, SCRAMSHA256Plus} {
		t.Run("server/"+mechanism, func(t *testing.T) {
			client := Credentials{Username: "user", Password: "pencil"}.client(mechanism, bindings)
			if !strings.HasSuffix(mechanism, "-PLUS") {
				client = Credentials{Username: "user", Password: "pencil"}.client(mechanism, nil)
			}
			var known []byte
			if strings.HasSuffix(mechanism, "-PLUS") {
				known = cb
			}
			if err := use(startGSASL(t, "--server", mechanism, known), client, known); err != nil {
				t.Error(err)
			}
		})
	}
}

// serve runs our server against gsasl.
func serve(g *gsasl, server sasl.Server) error {
	response, err := g.receive()
	for range 5 {
		if err != nil {
			return err
		}
		challenge, done, err := server.Next(response)
		if err != nil || done {
			return err
		}
		g.send(challenge)
		response, err = g.receive()
		if errors.Is(err, io.EOF) {
			response = []byte{} // it has nothing to say any more
		} else if err == nil && response == nil {
			response = []byte{}
		}
	}
	return errors.New("endless")
}

// use runs our client against gsasl.
func use(g *gsasl, client sasl.Client, cb []byte) error {
	_, response, err := client.Start()
	if err != nil {
		return err
	}
	challenge, err := g.receive()
	if err != nil {
		return err
	}
	if response == nil {
		if response, err = client.Next(challenge); err != nil {
			return err
		}
	}
	for {
		g.send(response)
		if len(cb) > 0 { // it asks when it sees the flag
			g.send(cb)
			cb = nil
		}
		if challenge, err = g.receive(); err != nil || challenge == nil {
			break
		}
		if response, err = client.Next(challenge); err != nil {
			return err
		}
		if len(response) == 0 {
			break // it does not wait for an answer to its signature
		}
	}
	g.send(nil) // it asks once more
	_ = g.in.Close()
	_, _ = io.Copy(io.Discard, g.out)
	_ = g.wait() // its status says that it had no terminal
	if !strings.Contains(g.stderr.String(), "client trusted") {
		return errors.New(g.stderr.String())
	}
	return Outcome(client)
}

// What GNU SASL and Dovecot write for the password "pencil" is read.
func TestForeignVerifiers(t *testing.T) {
	for text, hash := range map[string]SCRAMHash{
		"4096,ElRpJBViwC4IjKES9T949A==,jEQ1+AsAnQ6G9uG7lj9yBNhPD85K0O0XcM+ZjAoU35w=,n2r+VYKqryYkwIlzzNVammAyazaRw9q53AQKAXLq1ZE=": SHA256,
		"4096,IPUEe9uXlqz0UHb1wiiVQw==,z3yA/+LWBQW6eWhtXSE3kec+vB0=,rJ6oECDxYrVdg2Nymn8qX2dsUwk=":                                 SHA1,
		"65536,RgNlqUP9HT/w/g72,n3c4lwWq4Ws1cUbRJ7v9XpBBStUIGZpO8jWjt6bW2Ck=,dUhsBqHz0qbnaeCCJc/G3vPdd5rVve6KqIJDEkPLCdY=":        SHA256,
	} {
		if v, err := ParseVerifier(hash, text); err != nil || !v.Matches("pencil") || v.Matches("Pencil") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if s, err := ParseCRAMSecret("e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6"); err != nil || !s.Matches("test") {
		t.Errorf("{CRAM-MD5}: %v, %s", err, hex.EncodeToString(s.inner[:]))
	}
}
