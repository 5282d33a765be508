package transfer

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
)

// rename says what mailboxes are called in the target; nil = as in the source.
// INBOX becomes the mailbox of in.Into, and the others stand below it. A single
// file holds one mailbox: it takes the one that is asked for, and becomes the one
// of in.Into itself.
func rename(in *answer.MigrateRequest) func(migrate.Mailbox) []string {
	var path []string
	if in.Into != "" {
		path = strings.Split(in.Into, store.Separator)
	}
	if name, ok := single(in.Target.URL); ok && path == nil && len(in.Include) == 1 && !strings.ContainsAny(in.Include[0], "*%") {
		path = []string{name}
		return func(migrate.Mailbox) []string { return path }
	}
	if path == nil {
		return nil
	}
	if _, ok := single(in.Source.URL); ok {
		return func(migrate.Mailbox) []string { return path }
	}
	return func(m migrate.Mailbox) []string {
		if len(m.Path) == 1 && strings.EqualFold(m.Path[0], store.Inbox) {
			return path
		}
		return append(path[:len(path):len(path)], m.Path...)
	}
}

// single reports an mbox file, and the name of its mailbox.
func single(place string) (name string, ok bool) {
	p, err := Parse(place)
	if err != nil || p.Kind != Mbox {
		return "", false
	}
	info, err := os.Stat(p.Path)
	if err == nil && info.IsDir() {
		return "", false
	}
	name, isMbox := strings.CutSuffix(filepath.Base(p.Path), ".mbox")
	return name, err == nil || isMbox
}
