// Package daemon holds what any mail server takes from the host that it runs
// on: certificates that other programs renew, and sockets that systemd has
// opened.
//
//	pair, err := daemon.LoadKeyPair("/etc/ssl/mx.pem", "/etc/ssl/mx.key", slog.Default())
//	cfg.TLSConfig = &tls.Config{GetCertificate: pair.GetCertificate}
//
//	sockets, err := daemon.Sockets()
//	for _, s := range sockets {
//		go srv.Serve(ctx, s.Listener)
//	}
//
// It knows no protocol and starts no goroutine.
package daemon
