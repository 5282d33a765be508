package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// hook posts messages. It is the queue's only next hop, and the Receiver
// behind it.
type hook struct {
	url    *url.URL
	key    []byte
	client *http.Client
}

func newHook(o *options) (*hook, error) {
	h := &hook{key: []byte(o.secret)}
	if encoded, ok := strings.CutPrefix(o.secret, "whsec_"); ok {
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errors.New("-secret: what stands behind whsec_ is no base64")
		}
		h.key = key
	}
	u, err := url.Parse(o.url)
	if err != nil {
		return nil, err
	}
	h.url = u
	h.client = &http.Client{
		Timeout: o.timeout,
		// The signature is for this receiver, and the message too.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h, nil
}

// shown is the URL without what may be a secret in it.
func (h *hook) shown() string {
	u := url.URL{Scheme: h.url.Scheme, Host: h.url.Host, Path: h.url.Path}
	return u.String()
}

// Key implements queue.Keyer.
func (h *hook) Key(smtp.ForwardPath) string { return "webhook" }

// Route implements queue.Router.
func (h *hook) Route(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
	all := make([]int, len(j.Recipients))
	for i := range all {
		all[i] = i
	}
	return []queue.Hop{{Recipients: all, Receiver: smtp.EachRcpt(h.receive), Name: h.url.Host}}, nil
}

// receive posts one message for all its recipients.
func (h *hook) receive(ctx context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
	stored, ok := b.Stored().(blob.Stored)
	if !ok {
		return nil, errors.New("the body does not come from the queue")
	}
	body, err := blob.OpenKeyed(ctx, stored.In, stored.Ref, stored.Key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if err := h.post(ctx, env, head(env, b.Trace()), body); err != nil {
		return nil, err
	}
	return smtp.Accepted(len(env.Recipients)), nil
}

// head is what stands in front of the message, so that the signature covers the
// envelope too: Return-Path and Envelope-To, then the trace fields.
func head(env *smtp.Envelope, trace []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Return-Path: <%s>\r\nEnvelope-To:", env.Mail.ReversePath)
	for i, r := range env.Recipients {
		if i > 0 {
			b.WriteString(",\r\n\t")
		}
		fmt.Fprintf(&b, " <%s>", r.ForwardPath)
	}
	b.WriteString("\r\n")
	b.Write(trace)
	return b.String()
}

// post sends the message as it lies in the blob store, read twice: for the
// signature, and for the request. It never lies in memory.
func (h *hook) post(ctx context.Context, env *smtp.Envelope, head string, body blob.Blob) error {
	payload := func() io.Reader {
		return io.MultiReader(strings.NewReader(head), io.NewSectionReader(body, 0, body.Size()))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url.String(), io.NopCloser(payload()))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(head)) + body.Size()
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(payload()), nil }
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	// The job's id is the same in each attempt, so it is the key by which a
	// receiver knows what it has had already.
	id := env.Mail.Once
	mac := h.mac(id, stamp)
	if _, err := io.Copy(mac, payload()); err != nil {
		return err
	}
	req.Header.Set("Content-Type", "message/rfc822")
	req.Header.Set("User-Agent", "mailstead-webhook")
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", stamp)
	req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := h.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return outcome(resp.StatusCode)
}

// mac is the HMAC of "id.timestamp.payload" up to the payload.
func (h *hook) mac(id, stamp string) hash.Hash {
	mac := hmac.New(sha256.New, h.key)
	io.WriteString(mac, id+"."+stamp+".")
	return mac
}

// withoutURL drops the URL from an error: its query may hold a token.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return fmt.Errorf("post: %w", e.Err)
	}
	return err
}

// outcome is what a status means: 2xx has taken the message; 410 and the other
// 4xx say that it will never do; everything else is tried again, also a
// redirection, which nobody meant for a signed message.
func outcome(status int) error {
	code := smtp.EnhancedCode{Class: 4, Subject: 4}
	switch {
	case status/100 == 2:
		return nil
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests,
		status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status/100 != 4:
		return smtp.Errorf(451, code, "The receiver answered %d", status)
	}
	code.Class = 5
	return smtp.Errorf(554, code, "The receiver answered %d", status)
}
