package itest

import (
	"bufio"
	"context"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd opens the socket of the MX port and starts the server at the first
// connection, whose mail arrives. The other listeners are off.
func TestSocketActivation(t *testing.T) {
	needServer(t)
	activate := peer(t, "systemd-socket-activate")
	addr := freeAddrs(t, []string{"smtp"})["smtp"]
	args := []string{"-l", addr, "--fdname=smtp", program(t), "-data", t.TempDir(), "-user", alice + ":" + password}
	for _, l := range listeners() {
		args = append(args, "-"+l, "off")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, activate, args...)
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = log, log, 5*time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var c net.Conn
	eventually(t, 20*time.Second, "the socket", func() (ok bool) {
		var err error
		c, err = net.Dial("tcp", addr)
		return err == nil
	})
	defer c.Close()
	sc := &smtpConn{c, bufio.NewReader(c)}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := sc.want("220"); err != nil {
		t.Fatalf("%v\n%s", err, log.tail())
	}
	for _, s := range []step{
		{"EHLO client.example", "250"},
		{"MAIL FROM:<a@remote.example>", "250"},
		{"RCPT TO:<" + alice + ">", "250"},
		{"DATA", "354"},
		{"x\r\n.", "250"},
	} {
		sc.mustCmd(t, s.want, s.send)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !strings.Contains(log.tail(), "service=smtp addr="+addr) {
		t.Errorf("%v\n%s", err, log.tail())
	}
}
