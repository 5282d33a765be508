package login_test

import (
	"crypto/tls"
	"fmt"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/store"
)

// One service judges the logins of all servers.
func ExampleService_Authenticator() {
	var (
		receiver  smtp.Receiver
		st        store.Store
		tlsConfig *tls.Config
	)
	svc := &login.Service{Backend: &filelogin.File{Path: "passwd"}}
	submission := smtpserver.Config{Receiver: receiver, TLSConfig: tlsConfig, Auth: svc.Authenticator()}
	imap := imapserver.Config{Store: st, TLSConfig: tlsConfig, Auth: svc.Authenticator()}
	pop3 := pop3server.Config{Store: st, TLSConfig: tlsConfig, Auth: svc.Authenticator()}
	fmt.Println(submission.Auth == imap.Auth, imap.Auth == pop3.Auth)
	// Output: true true
}
