package saslmech

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
)

// bearerClient is a client of OAUTHBEARER or XOAUTH2.
type bearerClient struct {
	oneMessage
	dummy   []byte // answers the server's failure
	failure *BearerFailure
}

// NewOAuthBearerClient returns a client of OAUTHBEARER (RFC 7628). Where the
// server sends why it refuses the token, Outcome returns that afterwards.
// ErrMalformed from its Start: something in r cannot be sent.
func NewOAuthBearerClient(r BearerRequest) sasl.Client {
	var b strings.Builder
	b.WriteString("n,")
	if r.Authzid != "" {
		b.WriteString("a=" + escapeName(r.Authzid))
	}
	b.WriteString(",\x01")
	if r.Host != "" {
		b.WriteString("host=" + r.Host + "\x01")
	}
	if r.Port != 0 {
		b.WriteString("port=" + strconv.Itoa(r.Port) + "\x01")
	}
	b.WriteString("auth=Bearer " + r.Token + "\x01\x01")
	message := []byte(b.String())
	c := &bearerClient{oneMessage: oneMessage{name: OAuthBearer, message: message}, dummy: []byte{1}}
	if got, ok := parseOAuthBearer(message); !ok || got != r {
		c.err = ErrMalformed
	}
	return c
}

// NewXOAuth2Client returns a client of XOAUTH2, which needs r.Authzid: the
// user's address. Failures are as with NewOAuthBearerClient.
func NewXOAuth2Client(r BearerRequest) sasl.Client {
	message := []byte("user=" + r.Authzid + "\x01auth=Bearer " + r.Token + "\x01\x01")
	c := &bearerClient{oneMessage: oneMessage{name: XOAuth2, message: message}, dummy: []byte{}}
	if got, ok := parseXOAuth2(message); !ok || got.Authzid != r.Authzid || got.Token != r.Token || r.Authzid == "" {
		c.err = ErrMalformed
	}
	return c
}

// maxChallenge bounds what a client looks at.
const maxChallenge = 16 << 10

// Next implements sasl.Client: a challenge is a failure, which the client
// answers so that the server can end the exchange.
func (c *bearerClient) Next(challenge []byte) ([]byte, error) {
	if c.failure != nil {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	var f failureJSON
	if len(challenge) > maxChallenge || json.Unmarshal(challenge, &f) != nil {
		f = failureJSON{Status: "invalid_request"} // no JSON, and a failure all the same
	}
	c.failure = &BearerFailure{Status: f.Status, Scope: f.Scope, OpenIDConfiguration: f.Config}
	return c.dummy, nil
}

// Outcome implements Outcome.
func (c *bearerClient) Outcome() error {
	if c.failure != nil {
		return c.failure
	}
	return nil
}
