package saslmech_test

import (
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// A client and a server of SCRAM-SHA-256 without a network between them.
func Example() {
	verifier, err := saslmech.NewVerifier(saslmech.SHA256, "pencil", 0)
	if err != nil {
		panic(err)
	}
	server := saslmech.SCRAMServer{
		Hash:   saslmech.SHA256,
		Lookup: func(string) (saslmech.Verifier, error) { return verifier, nil },
		Judge: func(username, _ string, proved func() bool) error {
			if !proved() {
				return errors.New("wrong password")
			}
			fmt.Println("server:", username, "is in")
			return nil
		},
	}.New()
	client, err := saslmech.Choose([]string{"SCRAM-SHA-256", "PLAIN"}, saslmech.Credentials{
		Username: "alice", Password: "pencil",
	}, saslmech.Policy{})
	if err != nil {
		panic(err)
	}
	mechanism, response, err := client.Start()
	fmt.Println("client:", mechanism)
	for done := false; err == nil && !done; {
		var challenge []byte
		if challenge, done, err = server.Next(response); err == nil && !done {
			response, err = client.Next(challenge)
		}
	}
	fmt.Println("client:", err, saslmech.Outcome(client))
	// Output:
	// client: SCRAM-SHA-256
	// server: alice is in
	// client: <nil> <nil>
}
