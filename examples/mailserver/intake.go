package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/deliver/journal"
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

// checkJournal reads the address of -journal.
func (o *options) checkJournal() error {
	if o.journal == "" || o.journal == "off" {
		return nil
	}
	p, err := smtp.ParseMailbox(o.journal, true)
	if err != nil {
		return fmt.Errorf("-journal: %q is not an address", o.journal)
	}
	o.journalTo = smtp.ForwardPath{Path: p}
	return nil
}

// journalKeyFile marks journal reports as ours.
const journalKeyFile = "journal.key"

// checkSent reads -sent.
func (o *options) checkSent() error {
	if o.sent != "on" && o.sent != "off" {
		return fmt.Errorf("-sent: %q is neither on nor off", o.sent)
	}
	return nil
}

// sentDelay is how long a copy waits for the one that a client keeps itself.
const sentDelay = 30 * time.Second

// openIntake makes what takes mail into the queue, together with what has to be
// durable in the same commit.
func (s *server) openIntake() error {
	s.budgets = &smtppolicy.Users{Exempt: fromLoopback}
	s.intake = &intake.Intake{Queue: s.queue, Steps: []intake.Step{submission.Declare()}}
	if s.o.sent == "on" {
		sent := &submission.Sent{Store: s.engine.store, Window: time.Minute, Delay: sentDelay}
		s.intake.Steps = append(s.intake.Steps, sent)
		s.runner.Router = sent.Router(s.runner.Router)
	}
	if s.o.journalTo.IsZero() {
		return nil
	}
	secret, err := secretFile(filepath.Join(s.o.data, journalKeyFile))
	if err != nil {
		return err
	}
	j := &journal.Journal{
		Hostname: s.o.hostname, Rules: []journal.Rule{{To: s.o.journalTo}}, Secret: secret,
		IsLocal: s.directory.IsLocal, Directory: s.known,
	}
	s.intake.Steps = append(s.intake.Steps, j)
	s.runner.Router = &journal.Router{Next: s.runner.Router, Journal: j, Queue: s.queue, Logger: s.log}
	return nil
}

// atOnce is what takes mail for local recipients while the peer waits. With
// -journal it goes through the queue, whose commit has the report in it.
func (s *server) atOnce(now smtp.Receiver) smtp.Receiver {
	if !s.o.journalTo.IsZero() {
		return s.intake
	}
	return now
}

// mxReceiver delivers at once to peers that take one reply for each recipient.
func (s *server) mxReceiver() smtp.Receiver {
	return s.atOnce(&deliver.Prompt{Directory: s.known, Now: s.local, Later: s.intake})
}

// fixes are those of the header of submitted messages, in front of signatures.
func (s *server) fixes() *submission.Fixes {
	return &submission.Fixes{Hostname: s.o.hostname, Owns: deliver.MaySendUnowned(s.directory)}
}

// fromLoopback: programs on this host are not bounded.
func fromLoopback(m *smtp.Mail) bool { return m.Peer.Addr.Addr().Unmap().IsLoopback() }
