package main

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

// server asks the owner of a data directory, over its control socket: HTTP
// with JSON. Errors come as {"error":{"code","message"}}; a long request
// answers with lines, of which the last has "result" or "error".
type server struct {
	path   string
	client http.Client
}

// maxLine bounds an answer, or a line of a long one.
const maxLine = 64 << 20

func newServer(dir string) *server {
	s := &server{path: filepath.Join(dir, "control.sock")}
	s.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.path)
	}}
	return s
}

func (s *server) close() { s.client.CloseIdleConnections() }

// answerError is what the server says went wrong.
type answerError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *answerError) Error() string { return "the server: " + e.Message + " (" + e.Code + ")" }

// explain says what to do where the owner does not listen or does not know the
// request.
func (s *server) explain(err, owned error) error {
	var a *answerError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w, and it does not listen at %s; stop it first", owned, s.path)
	case errors.As(err, &a) && a.Code == "not_found":
		return fmt.Errorf("%w; it does not know this request, stop it first: %w", owned, err)
	}
	return err
}

// send returns an answer with status 200.
func (s *server) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
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
	resp, err := s.client.Do(req)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	var a struct{ Error *answerError }
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxLine))
	if json.Unmarshal(b, &a) != nil || a.Error == nil {
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	return nil, a.Error
}

// do sends a short request; the answer goes into out unless that is nil.
func (s *server) do(ctx context.Context, method, path string, in, out any) error {
	resp, err := s.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxLine))
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// answerLine is a line of a long answer.
type answerLine struct {
	Progress json.RawMessage `json:"progress"`
	Item     json.RawMessage `json:"item"`
	Result   json.RawMessage `json:"result"`
	Error    *answerError    `json:"error"`
}

// stream sends a long request; each gets the lines before the last one.
func (s *server) stream(ctx context.Context, path string, in, out any, each func(answerLine) error) error {
	resp, err := s.send(ctx, http.MethodPost, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l answerLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("a line of the server is no JSON: %w", err)
		}
		switch {
		case l.Error != nil:
			return l.Error
		case l.Result != nil:
			return json.Unmarshal(l.Result, out)
		}
		if err := each(l); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(errors.New("the answer of the server was cut off"), lines.Err())
}
