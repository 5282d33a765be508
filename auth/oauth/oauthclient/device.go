package oauthclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/endpoint"
)

// DeviceLogin is a login that a person completes in a browser anywhere, while
// this program waits (RFC 8628). It is used by one goroutine.
type DeviceLogin struct {
	// UserCode is what the person types in, printable ASCII.
	UserCode string
	// VerificationURI is where; VerificationURIComplete, if any, holds the code
	// already.
	VerificationURI         string
	VerificationURIComplete string
	// Expires is when the code ends.
	Expires time.Time

	registration Registration
	code         login.Password
	interval     time.Duration
}

// Bounds of what a server may ask of us.
const (
	defaultInterval   = 5 * time.Second // RFC 8628 §3.2
	maxInterval       = time.Minute
	defaultDeviceLife = 15 * time.Minute
	maxDeviceLife     = time.Hour
	pollTimeout       = 30 * time.Second
)

var errDevice = errors.New("device authorization: a member is missing or not printable")

// StartDevice asks for a code that the person confirms (RFC 8628 §3.1). Show
// UserCode and VerificationURI, then call Wait.
func (r *Registration) StartDevice(ctx context.Context) (*DeviceLogin, error) {
	if r.DeviceURL == "" {
		return nil, fmt.Errorf("%w: Registration.DeviceURL is missing", ErrConfig)
	}
	asked := time.Now()
	object, err := r.post(ctx, r.DeviceURL, r.scoped(url.Values{}))
	if err != nil {
		return nil, err
	}
	d := &DeviceLogin{registration: *r}
	if err := d.read(object, asked); err != nil {
		return nil, temporary(ErrServer, err)
	}
	return d, nil
}

// read takes the response of RFC 8628 §3.2. What a person gets to see is
// checked: it goes to a terminal.
func (d *DeviceLogin) read(object map[string]any, asked time.Time) (err error) {
	if d.code, err = readToken(object["device_code"]); err != nil {
		return fmt.Errorf("device_code: %w", err)
	}
	code, _ := object["user_code"].(string)
	if d.UserCode = printable(code, 64, nil); code == "" || d.UserCode != code {
		return fmt.Errorf("user_code: %w", errDevice)
	}
	address := object["verification_uri"]
	if address == nil {
		address = object["verification_url"] // Google
	}
	if d.VerificationURI, err = d.address(address); err != nil {
		return fmt.Errorf("verification_uri: %w", err)
	}
	if complete, ok := object["verification_uri_complete"]; ok {
		if d.VerificationURIComplete, err = d.address(complete); err != nil {
			return fmt.Errorf("verification_uri_complete: %w", err)
		}
	}
	life, err := readSeconds(object["expires_in"])
	if err != nil {
		life = defaultDeviceLife
	}
	d.Expires = asked.Add(min(life, maxDeviceLife))
	if d.interval, err = readSeconds(object["interval"]); err != nil {
		d.interval = defaultInterval
	}
	d.interval = min(max(d.interval, time.Second), maxInterval)
	return nil
}

func (d *DeviceLogin) address(v any) (string, error) {
	text, _ := v.(string)
	if !isToken(text) {
		return "", errDevice
	}
	return text, endpoint.CheckURL(text, d.registration.AllowHTTP)
}

// Wait polls until the person has decided (RFC 8628 §3.4, §3.5) and returns the
// tokens; save Refresh before anything else. Failures that may pass are tried
// again until the code expires.
//
// ErrDenied, ErrExpired, or ctx's error.
func (d *DeviceLogin) Wait(ctx context.Context) (Tokens, error) {
	interval := d.interval
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return Tokens{}, context.Cause(ctx)
		case <-timer.C:
		}
		if !time.Now().Before(d.Expires) {
			return Tokens{}, ErrExpired
		}
		t, err := d.poll(ctx)
		if err == nil {
			return t, nil
		}
		next, again := nextInterval(interval, err)
		if !again {
			return Tokens{}, err
		}
		interval = next
		timer.Reset(interval)
	}
}

func (d *DeviceLogin) poll(ctx context.Context) (Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	form := url.Values{
		"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
		"device_code": {d.code.Reveal()},
	}
	return d.registration.grant(ctx, form, d.code)
}

// nextInterval says how long to wait after a poll that failed, or that the
// failure is final.
func nextInterval(interval time.Duration, err error) (next time.Duration, again bool) {
	var said *ServerError
	if errors.As(err, &said) {
		switch said.Code {
		case "authorization_pending":
			return interval, true
		case "slow_down":
			return min(interval+5*time.Second, maxInterval), true
		}
	}
	return min(2*interval, maxInterval), errors.Is(err, login.ErrTemporary)
}
