package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
)

// The bounds of what a client takes.
const (
	maxAnswer = 64 << 20 // of a short request
	maxLine   = 1 << 20  // of a stream
)

// Client asks the owner of a data directory. Any number of goroutines may use
// it.
type Client struct {
	http http.Client
	idle func()
}

// NewClient makes a client for the data directory dir. Nothing is opened yet.
func NewClient(dir string) *Client {
	path := filepath.Join(dir, SocketName)
	t := &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
		DisableCompression: true,
	}
	return &Client{http: http.Client{Transport: t}, idle: t.CloseIdleConnections}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.idle() }

// dial connects to the socket, and makes sure who listens there.
func dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return nil, &Error{Code: CodeNoServer, Message: "no server listens at " + path}
		}
		return nil, err
	}
	uid, err := peerUID(c.(*net.UnixConn))
	if err == nil && allowed(uid) {
		return c, nil
	}
	c.Close()
	if err != nil {
		return nil, err
	}
	return nil, &Error{Code: CodeForbidden, Message: fmt.Sprintf("%s belongs to uid %d", path, uid)}
}

// Do sends one short request. in is the body, nil for none; the answer goes
// into out, nil for none. Errors of the server are *Error; so is no_server,
// when nobody listens.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &Error{Code: CodeCutOff, Message: "the answer was cut off: " + err.Error()}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return &Error{Code: CodeBadAnswer, Message: "the answer is no JSON: " + err.Error()}
	}
	return nil
}

// A Line is one line of a stream that is not its end: one of the fields is
// set.
type Line struct {
	Progress json.RawMessage `json:"progress"`
	Item     json.RawMessage `json:"item"`
}

// Stream sends one long request. each is called with every line; an error of
// it, or the end of ctx, ends the request at the server, too. The result goes
// into out, nil for none. Errors of the server are *Error; cut_off says that
// the stream had no end, so that nobody knows how the request went.
func (c *Client) Stream(ctx context.Context, path string, in, out any, each func(Line) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.send(ctx, http.MethodPost, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l struct {
			Line
			Result json.RawMessage `json:"result"`
			Error  *Error          `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return &Error{Code: CodeBadAnswer, Message: "a line is no JSON: " + err.Error()}
		}
		switch {
		case l.Error != nil:
			return l.Error
		case l.Result != nil && out != nil:
			return json.Unmarshal(l.Result, out)
		case l.Result != nil:
			return nil
		case each != nil:
			if err := each(l.Line); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return &Error{Code: CodeCutOff, Message: "the answer was cut off"}
}

// send returns a response with a good status.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var l struct{ Error *Error }
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxLine))
	if err := json.Unmarshal(b, &l); err != nil || l.Error == nil {
		return nil, &Error{Status: resp.StatusCode, Code: CodeBadAnswer, Message: "the server answers " + resp.Status}
	}
	l.Error.Status = resp.StatusCode
	return nil, l.Error
}
