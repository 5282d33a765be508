package imapserver_test

import (
	"fmt"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store/memstore"
)

// A server whose users are those of a login.Service.
func ExampleNew() {
	svc := &login.Service{Backend: &login.Memory{}}
	srv, err := imapserver.New(imapserver.Config{Store: memstore.New(nil), Auth: svc.Authenticator()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	// Output:
}
