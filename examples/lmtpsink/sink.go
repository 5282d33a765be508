package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// sink stores messages below a directory:
//
//	DIR/.tmp/ID              a message that is being written
//	DIR/ADDRESS/new/NAME     format maildir (with cur and tmp beside new)
//	DIR/ADDRESS/NAME.eml     format files
//
// A message is written and synced once; each recipient gets a hard link to it,
// and its 250 when the directory with the link is synced.
type sink struct {
	dir     string
	maildir bool

	mu sync.Mutex // one makes directories at a time
}

func openSink(dir string, maildir bool) (*sink, error) {
	s := &sink{dir: dir, maildir: maildir}
	if err := os.MkdirAll(s.tmp(), 0o700); err != nil {
		return nil, err
	}
	// What a crash left behind was never acknowledged.
	old, err := os.ReadDir(s.tmp())
	if err != nil {
		return nil, err
	}
	for _, e := range old {
		if err := os.Remove(filepath.Join(s.tmp(), e.Name())); err != nil {
			return nil, err
		}
	}
	// A directory that is there may not have been synced before the crash.
	made, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	return s, syncDirs(append(made, dir, filepath.Dir(filepath.Clean(dir)))...)
}

func (s *sink) tmp() string { return filepath.Join(s.dir, ".tmp") }

// judge refuses addresses for which there can be no directory.
func (s *sink) judge(_ context.Context, _ *smtp.Mail, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		if len(s.name(r.ForwardPath)) > maxName {
			errs[i] = smtp.Errorf(553, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 3}, "This address is too long for a directory")
		}
	}
	return errs
}

// maxName is the longest name that file systems take, in octets.
const maxName = 255

// name is the name of an address's directory: in lower case, with "/" and other
// characters that mean something to a shell or a file system as %XX. It never
// begins with a dot, for a local-part that does is quoted.
func (s *sink) name(p smtp.ForwardPath) string {
	return url.PathEscape(strings.ToLower(p.String()))
}

// receive stores one message for each of its recipients.
func (s *sink) receive(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
	spooled, err := smtp.Spool(b, smtp.SpoolOptions{}) // the trace fields are known at the end
	if err != nil {
		return nil, err
	}
	defer spooled.Close()
	file := filepath.Join(s.tmp(), env.Mail.ID)
	defer os.Remove(file) // the links stay
	if err := write(file, env.Mail, spooled); err != nil {
		return nil, err
	}
	statuses := smtp.Accepted(len(env.Recipients))
	for i, r := range env.Recipients {
		name := fmt.Sprintf("%d.%s-%d.localhost", time.Now().Unix(), env.Mail.ID, i)
		statuses[i].Err = s.link(file, s.name(r.ForwardPath), name)
	}
	return statuses, nil
}

// write makes a file that holds the whole message, and syncs it.
func write(file string, m *smtp.Mail, spooled *smtp.Spooled) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "Return-Path: <%s>\r\n%s", m.ReversePath, spooled.Trace())
	if err == nil {
		_, err = io.Copy(f, spooled.Body())
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// link gives a message its name in the directory of one recipient, and returns
// when that would survive a power cut.
func (s *sink) link(file, address, name string) error {
	dir := filepath.Join(s.dir, address)
	if !s.maildir {
		if err := s.makeDirs(dir); err != nil {
			return err
		}
		if err := os.Link(file, filepath.Join(dir, name+".eml")); err != nil {
			return err
		}
		return syncDirs(dir)
	}
	into := filepath.Join(dir, "new")
	if err := s.makeDirs(dir, filepath.Join(dir, "tmp"), filepath.Join(dir, "cur"), into); err != nil {
		return err
	}
	if err := os.Link(file, filepath.Join(into, name)); err != nil {
		return err
	}
	return syncDirs(into)
}

// makeDirs makes directories, and syncs those that hold new ones. The last one
// is made last: where it is there, so are the others, durably.
func (s *sink) makeDirs(dirs ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(dirs[len(dirs)-1]); err == nil {
		return nil
	}
	for _, d := range dirs {
		if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return syncDirs(dirs[0], s.dir)
}

func syncDirs(dirs ...string) error {
	for _, dir := range dirs {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}
