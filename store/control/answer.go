package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// Codes of an Error that this package gives itself; a handler has others.
const (
	CodeBadRequest = "bad_request" // malformed, or with a member that is not known
	CodeNotFound   = "not_found"
	CodeTooLarge   = "too_large"  // the request
	CodeTimeout    = "timeout"    // it took longer than a short request may
	CodeStopping   = "stopping"   // the server is being shut down
	CodeInternal   = "internal"   // see the message
	CodeCutOff     = "cut_off"    // made by the client: the answer has no end
	CodeNoServer   = "no_server"  // made by the client: nobody listens
	CodeForbidden  = "forbidden"  // made by the client: another user listens
	CodeBadAnswer  = "bad_answer" // made by the client: what came is no answer
)

// Error is why a request failed.
type Error struct {
	Status  int    `json:"-"` // of HTTP; zero = 500
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error is the message with its code.
func (e *Error) Error() string { return e.Message + " (" + e.Code + ")" }

// BadRequest refuses what a client asked for.
func BadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

const (
	shortTimeout  = 30 * time.Second // of a short request
	writeTimeout  = 30 * time.Second // of one write
	progressEvery = 100 * time.Millisecond
)

// Handle answers a short request with what f returns, as JSON. An error that
// is no *Error is internal; its text goes to the client, who is the operator.
// The context of the request ends after 30 seconds.
func Handle(f func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), shortTimeout)
		defer cancel()
		r, err := received(r.WithContext(ctx))
		if err != nil {
			writeError(w, errorOf(ctx, err))
			return
		}
		v, err := f(r)
		if err != nil {
			writeError(w, errorOf(ctx, err))
			return
		}
		b, err := json.Marshal(v)
		if err != nil {
			writeError(w, errorOf(ctx, err))
			return
		}
		writeJSON(w, http.StatusOK, b)
	})
}

// received is r with its whole body in memory. From then on net/http watches
// the connection, without a deadline, and its end ends the request's context.
func received(r *http.Request) (*http.Request, error) {
	b, err := io.ReadAll(r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return r, &Error{Status: http.StatusRequestEntityTooLarge, Code: CodeTooLarge, Message: "the request is too large"}
	}
	if err != nil {
		return r, BadRequest("the request did not come whole: %v", err)
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(b))
	return r, nil
}

// NotFound answers for paths that have no handler.
func NotFound() http.Handler {
	return Handle(func(r *http.Request) (any, error) {
		return nil, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: "there is no " + r.Method + " " + r.URL.Path}
	})
}

func writeJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	_, _ = w.Write(append(b, '\n'))
}

func writeError(w http.ResponseWriter, e *Error) {
	status := e.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	b, _ := json.Marshal(line{Error: e}) // strings always are JSON
	writeJSON(w, status, b)
}

// errorOf is what the client is told of err.
func errorOf(ctx context.Context, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrStopping):
		return &Error{Status: http.StatusServiceUnavailable, Code: CodeStopping, Message: "the server is stopping"}
	case errors.Is(cause, context.DeadlineExceeded):
		return &Error{Status: http.StatusServiceUnavailable, Code: CodeTimeout, Message: "it took too long"}
	}
	return &Error{Code: CodeInternal, Message: err.Error()}
}

// line is one line of a stream, and the whole of an error.
type line struct {
	Progress any    `json:"progress,omitempty"`
	Item     any    `json:"item,omitempty"`
	Result   any    `json:"result,omitempty"`
	Error    *Error `json:"error,omitempty"`
}

// Lines is where a long request reports. Its methods are called by one
// goroutine at a time.
type Lines struct {
	w       http.ResponseWriter
	ctl     *http.ResponseController
	err     error // of the first write that failed
	started bool
	last    time.Time // of the last progress
}

// Progress tells how far the request is, unless that was said less than a
// tenth of a second ago. The error says that the client is gone.
func (l *Lines) Progress(v any) error {
	now := time.Now()
	if l.err != nil || now.Sub(l.last) < progressEvery {
		return l.err
	}
	l.last = now
	return l.write(line{Progress: v})
}

// Item tells something that the request has found. The error says that the
// client is gone.
func (l *Lines) Item(v any) error { return l.write(line{Item: v}) }

func (l *Lines) write(v line) error {
	if l.err != nil {
		return l.err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.start()
	_ = l.ctl.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, l.err = l.w.Write(append(b, '\n')); l.err == nil {
		l.err = l.ctl.Flush()
	}
	return l.err
}

// start sends the header, with which the status is settled.
func (l *Lines) start() {
	if !l.started {
		l.started = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
	}
}

// Stream answers a long request with lines; what f returns is the last one. An
// error before the first line is answered as Handle does. The context of the
// request ends when the client goes.
func Stream(f func(*http.Request, *Lines) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := &Lines{w: w, ctl: http.NewResponseController(w)}
		r, err := received(r)
		if err != nil {
			writeError(w, errorOf(r.Context(), err))
			return
		}
		v, err := f(r, l)
		switch {
		case err != nil && !l.started:
			writeError(w, errorOf(r.Context(), err))
		case err != nil:
			_ = l.write(line{Error: errorOf(r.Context(), err)})
		default:
			if v == nil {
				v = struct{}{}
			}
			_ = l.write(line{Result: v})
		}
	})
}

// Decode reads the body of a request, one JSON value, into v. A member that v
// does not have is refused: a misspelt bound must not be no bound. The error
// is an *Error. An empty body leaves v as it is.
func Decode(r *http.Request, v any) error {
	if t := r.Header.Get("Content-Type"); t != "" {
		if m, _, err := mime.ParseMediaType(t); err != nil || m != "application/json" {
			return BadRequest("the body of a request is application/json")
		}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return BadRequest("there is something behind the body's JSON value")
	}
	return BadRequest("the body is not what is expected: %v", err)
}
