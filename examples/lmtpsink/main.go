// Command lmtpsink takes mail by LMTP, behind Postfix for instance, and stores
// it in files or Maildirs. Each recipient gets an answer of its own, and 250
// says that the message would survive a power cut.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"

	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

type options struct {
	listen, mode, dir, format, hostname string
	maxMessage                          int64
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, mode, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return program.ExitOK
	case err != nil:
		fmt.Fprintln(os.Stderr, "lmtpsink:", err)
		return program.ExitUse
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := program.Context()
	defer stop()
	if err := serve(ctx, o, mode, log); err != nil {
		fmt.Fprintln(os.Stderr, "lmtpsink:", err)
		return program.ExitUse
	}
	log.Info("stopped")
	return program.ExitOK
}

func parse(args []string) (*options, fs.FileMode, error) {
	o := &options{}
	f := flag.NewFlagSet("lmtpsink", flag.ContinueOnError)
	f.StringVar(&o.listen, "lmtp", "127.0.0.1:2424", "`host:port`, or unix:PATH, to take mail at")
	f.StringVar(&o.mode, "socket-mode", "0660", "`mode` of a Unix socket")
	f.StringVar(&o.dir, "dir", "./lmtp-data", "`directory` of all mail; created when missing")
	f.StringVar(&o.format, "format", "maildir", "maildir: DIR/ADDRESS/new/NAME; files: DIR/ADDRESS/NAME.eml")
	f.StringVar(&o.hostname, "hostname", "localhost", "`name` of this host in trace fields")
	f.Int64Var(&o.maxMessage, "max-message", 35_000_000, "greatest message in octets")
	if err := program.Parse(f, args, os.Getenv); err != nil {
		return nil, 0, err
	}
	mode, err := strconv.ParseUint(o.mode, 8, 9)
	if err != nil {
		return nil, 0, fmt.Errorf("-socket-mode: %q is no mode", o.mode)
	}
	if o.format != "maildir" && o.format != "files" {
		return nil, 0, fmt.Errorf("-format: %q is neither maildir nor files", o.format)
	}
	return o, fs.FileMode(mode), nil
}

func serve(ctx context.Context, o *options, mode fs.FileMode, log *slog.Logger) error {
	s, err := openSink(o.dir, o.format == "maildir")
	if err != nil {
		return err
	}
	cfg := smtpserver.Config{
		LMTP: true, Hostname: o.hostname, Logger: log, Extensions: smtpserver.DefaultExtensions | smtpserver.SMTPUTF8,
		Newlines: smtpserver.PreserveNewlines, // the MX in front has judged them
		Receiver: smtp.Chain(smtp.EachRcpt(s.receive), smtp.JudgeRcpt(s.judge), smtppolicy.Received(o.hostname)),
	}
	cfg.Limits.Message = o.maxMessage
	cfg.Limits.PerAddress = -1 // all mail comes from one host
	l, err := program.Listen(ctx, o.listen, mode)
	if err != nil {
		return err
	}
	fmt.Printf("lmtpsink: %s -> %s\n", l.Addr(), o.dir)
	return program.Serve(ctx, smtpserver.New(cfg), l)
}
