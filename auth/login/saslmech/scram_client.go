package saslmech

import (
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// SCRAMClient says how a client runs one exchange of SCRAM.
type SCRAMClient struct {
	Hash SCRAMHash
	// Username and Password are prepared by SASLprep. Authzid is "" for the
	// user himself.
	Username, Password, Authzid string
	// Binding is what the exchange is bound to, which takes the -PLUS
	// mechanism. The zero value binds to nothing.
	Binding Binding
	// CanBind says that the client has bindings and uses none because the
	// server does not offer -PLUS: the server learns that, and notices where
	// somebody between the two removed the offer (RFC 5802 §6).
	CanBind bool

	nonce func() string // of tests; nil: random
}

// New returns the client of one exchange. Its Outcome is ErrUnproved until the
// server has shown that it knows the user's verifier.
//
// Start and Next return ErrPassword, ErrMalformed, ErrIterations where the
// server asks for too little or too much work, and ErrUnproved for a wrong
// signature of the server.
func (c SCRAMClient) New() sasl.Client { return &scramClient{SCRAMClient: c} }

// scramClient is one exchange.
type scramClient struct {
	SCRAMClient
	conversation *scram.ClientConversation
	next         func(challenge []byte) ([]byte, error)
	own          string // nonce
	outcome      error
}

// Start implements sasl.Client.
func (c *scramClient) Start() (mechanism string, initial []byte, err error) {
	c.outcome = ErrUnproved
	mechanism = c.Hash.Mechanism()
	if c.Binding.Name != "" {
		mechanism += "-PLUS"
	}
	names := [...]string{c.Username, c.Password, c.Authzid}
	for i, text := range names {
		if i == 2 && text == "" {
			break
		}
		if names[i], err = prepare(text); err != nil {
			return "", nil, ErrPassword
		}
	}
	client, err := c.Hash.generator().NewClientUnprepped(names[0], names[1], names[2])
	if err != nil || c.Hash.size() == 0 {
		return "", nil, ErrPassword
	}
	client = client.WithMinIterations(MinIterations)
	if c.nonce != nil {
		client = client.WithNonceGenerator(c.nonce)
	}
	c.conversation = c.converse(client)
	message, err := c.conversation.Step("")
	first, ok := parseClientFirst([]byte(message))
	if err != nil || !ok {
		return "", nil, ErrMalformed // a name that cannot be sent
	}
	c.own, c.next = first.nonce, c.serverFirst
	return mechanism, []byte(message), nil
}

// converse starts the library's conversation with the right flag.
func (c *scramClient) converse(client *scram.Client) *scram.ClientConversation {
	switch {
	case c.Binding.Name != "":
		return client.NewConversationWithChannelBinding(scram.ChannelBinding{
			Type: scram.ChannelBindingType(c.Binding.Name), Data: c.Binding.Data,
		})
	case c.CanBind:
		return client.NewConversationAdvertisingChannelBinding()
	}
	return client.NewConversation()
}

// Next implements sasl.Client.
func (c *scramClient) Next(challenge []byte) ([]byte, error) {
	next := c.next
	c.next = nil
	if next == nil || len(challenge) > maxChallenge {
		return nil, ErrMalformed
	}
	return next(challenge)
}

// serverFirst answers the server-first-message. The bounds come first: the
// library does whatever work the server names.
func (c *scramClient) serverFirst(challenge []byte) ([]byte, error) {
	m, ok := parseServerFirst(challenge)
	switch {
	case !ok, !strings.HasPrefix(m.nonce, c.own), m.nonce == c.own:
		return nil, ErrMalformed
	case !boundedIterations(m.iterations):
		return nil, ErrIterations
	}
	response, err := c.conversation.Step(string(challenge))
	if err != nil {
		return nil, ErrMalformed
	}
	c.next = c.serverFinal
	return []byte(response), nil
}

// serverFinal checks the server's signature.
func (c *scramClient) serverFinal(challenge []byte) ([]byte, error) {
	refused, ok := parseServerFinal(challenge)
	switch {
	case !ok:
		return nil, ErrMalformed
	case refused:
		return nil, ErrRefused
	}
	if _, err := c.conversation.Step(string(challenge)); err != nil || !c.conversation.Valid() {
		return nil, ErrUnproved
	}
	c.outcome = nil
	return []byte{}, nil
}

// Outcome implements Outcome.
func (c *scramClient) Outcome() error { return c.outcome }
