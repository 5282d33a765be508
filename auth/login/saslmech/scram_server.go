package saslmech

import (
	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// SCRAMServer says how a server runs one exchange of SCRAM.
type SCRAMServer struct {
	// Hash and Plus are those of the mechanism that the client chose.
	Hash SCRAMHash
	Plus bool
	// Bindings are what the connection can be bound to (see Bindings). Not
	// empty means that the server announces the -PLUS mechanism on it.
	Bindings []Binding
	// Lookup returns the verifier of a user, or a decoy for one without (see
	// Decoy). Its error ends the exchange.
	Lookup func(username string) (Verifier, error)
	// Judge decides about the exchange. proved checks the client's proof and is
	// called at most once: false means a wrong password, a binding to another
	// channel, or a message of another exchange. Judge returns nil only when it
	// is true and the user may act for authzid ("" = himself); its error ends
	// the exchange.
	Judge func(username, authzid string, proved func() bool) error

	nonce func() string // of tests; nil: random
}

// scramServer is one exchange. The library computes; what reaches it has been
// read here before, within bounds and by the whole grammar: the library splits
// messages of any size, does not know which mechanism was asked for, and puts
// what the client sent into its errors.
type scramServer struct {
	SCRAMServer
	first        scramFirst
	conversation *scram.ServerConversation
}

// New returns the server of one exchange (RFC 5802). The client's first message
// may be the initial response.
//
// The server's signature goes out as a challenge, which the client answers with
// an empty response: none of the protocols of mail has data beside success.
// A refusal ends the exchange without a server-final-message, which RFC 5802
// §5.1 leaves to the server, and so does not say which part was wrong.
//
// ErrDowngrade and ErrBinding are errors of the first message.
func (c SCRAMServer) New() sasl.Server {
	x := &scramServer{SCRAMServer: c}
	return clientFirst(maxClientFirst, x.clientFirst)
}

// clientFirst handles the client-first-message.
func (x *scramServer) clientFirst(response []byte) ([]byte, step, error) {
	var ok bool
	if x.first, ok = parseClientFirst(response); !ok {
		return nil, nil, ErrMalformed
	}
	binding, err := x.channelBinding()
	if err != nil {
		return nil, nil, err
	}
	s, err := x.Hash.generator().NewServer(x.lookup)
	if err != nil {
		return nil, nil, err
	}
	if x.nonce != nil {
		s = s.WithNonceGenerator(x.nonce)
	}
	if x.Plus {
		x.conversation = s.NewConversationWithChannelBindingRequired(binding)
	} else {
		x.conversation = s.NewConversation()
	}
	challenge, err := x.conversation.Step(string(response))
	if err != nil {
		return nil, nil, err
	}
	return []byte(challenge), within(maxClientFinal, x.clientFinal), nil
}

// channelBinding judges the client's flag (RFC 5802 §6).
func (x *scramServer) channelBinding() (b scram.ChannelBinding, err error) {
	switch {
	case x.first.flag == 'y' && len(x.Bindings) > 0:
		return b, ErrDowngrade
	case x.Plus != (x.first.flag == 'p'):
		return b, ErrBinding
	case !x.Plus:
		return b, nil
	}
	found, ok := findBinding(x.Bindings, x.first.binding)
	if !ok {
		return b, ErrBinding
	}
	return scram.ChannelBinding{Type: scram.ChannelBindingType(found.Name), Data: found.Data}, nil
}

// lookup implements scram.CredentialLookup.
func (x *scramServer) lookup(string) (scram.StoredCredentials, error) {
	v, err := x.Lookup(x.first.username)
	if err != nil {
		return scram.StoredCredentials{}, err
	}
	return scram.StoredCredentials{KeyFactors: v.factors(), StoredKey: v.StoredKey, ServerKey: v.ServerKey}, nil
}

// clientFinal handles the client-final-message.
func (x *scramServer) clientFinal(response []byte) ([]byte, step, error) {
	final, ok := parseClientFinal(response)
	if !ok || len(final.proof) != x.Hash.size() {
		return nil, nil, ErrMalformed
	}
	signature := ""
	err := x.Judge(x.first.username, x.first.authzid, func() bool {
		text, err := x.conversation.Step(string(response))
		if err != nil || !x.conversation.Valid() {
			return false
		}
		signature = text
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	if signature == "" {
		return nil, nil, errUnproved
	}
	return []byte(signature), within(maxNonce, confirm), nil
}

// confirm takes the client's empty answer to the server's signature.
func confirm(response []byte) ([]byte, step, error) {
	if len(response) != 0 {
		return nil, nil, ErrMalformed
	}
	return nil, nil, nil
}
