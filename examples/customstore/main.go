// Command customstore shows the least that the author of a store backend
// writes: a store.Store over Go maps, served by IMAP. Nothing is kept when it
// ends.
//
// Read store.go (accounts), then account.go (reading) and apply.go (a Change).
// The rules that all backends share are packages store's and rows'; what is
// left are maps. The numbers I1 to I15 in comments are the invariants of
// package store, and store_test.go lets storetest.Run judge all of them.
//
// Run it, log in as alice with any password and append a message:
//
//	go run ./examples/customstore
//	curl -s imap://127.0.0.1:2143/INBOX -u alice:x -T message.eml
package main

import (
	"context"
	"log"
	"net"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
)

func main() {
	s := newMapStore()
	if err := s.Create(context.Background(), "alice", store.AccountInfo{}); err != nil {
		log.Fatal(err)
	}
	srv, err := imapserver.New(imapserver.Config{
		Store: s, AllowPlaintextAuth: true, // it listens on loopback only
		Auth: authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, _ string) (string, error) {
			if user != "alice" {
				return "", authn.ErrRejected
			}
			return user, nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:2143")
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("IMAP on %s, user alice", l.Addr())
	log.Fatal(srv.Serve(l))
}
