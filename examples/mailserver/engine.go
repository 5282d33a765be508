package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// users keeps passwords in all their forms, and app passwords.
type users interface {
	login.CredentialEditor
	login.AppPasswordEditor
}

// engine is where a server keeps its mail, its queue and its users. The rest
// of the program knows no more of it than this.
type engine struct {
	store store.Store
	queue queue.Storage

	// blobs are the bodies of the queue. Where they are those of the store
	// too, local delivery copies nothing.
	blobs blob.Blobs

	// db is the database of the queue, where other parts have tables, too.
	db *sqldb.DB

	users users

	// tallies are what the guards of all nodes count; nil = each its own.
	tallies login.GuardStore

	// shared: other nodes may be working on the same data.
	shared bool

	// lease is for queue.Runner.LeaseTTL; zero = its default.
	lease time.Duration

	// segments are the files of bodies; nil = bodies lie elsewhere.
	segments *segment.Store

	// verify compares the rows with each other and with the bodies; nil =
	// the store has no such check.
	verify func(ctx context.Context, report func(*sqlstore.Problem)) error

	// lines: a body is kept as lines of text, and comes back changed where it
	// is none (BINARYMIME).
	lines bool

	// free is how much the disk of incoming bodies still takes; nil = nobody
	// knows.
	free func() (uint64, error)

	// compact gives back the space of freed bodies; nil = they leave nothing.
	compact func(context.Context) error

	close func() error
}

// kind is one way to keep the data; it is named by the scheme of -store.
type kind struct {
	scheme string

	// check refuses what cannot work before anything is opened, and says what
	// -blobs is where it was not given.
	check func(*options) error
	open  func(context.Context, *options, *slog.Logger) (*engine, error)
}

var kinds = [...]kind{
	{"sqlite:", checkSQLite, openSQLite},
	{"postgres:", checkPostgres, openPostgres},
	{"postgresql:", checkPostgres, openPostgres},
	{"maildir:", checkMaildir, openMaildir},
}

// kind is that of -store; nil = there is none of its name.
func (o *options) kind() *kind {
	for i := range kinds {
		if strings.HasPrefix(o.store, kinds[i].scheme) {
			return &kinds[i]
		}
	}
	return nil
}

func (o *options) checkStore() error {
	if o.store == "" || o.store == "off" {
		o.store = "sqlite:"
	}
	if o.blobs == "off" {
		o.blobs = ""
	}
	k := o.kind()
	if k == nil {
		return fmt.Errorf("-store: %s is no kind of store", scheme(o.store))
	}
	return k.check(o)
}

// scheme is what may be shown of a URL: behind its colon there may be a
// password.
func scheme(url string) string {
	s, _, found := strings.Cut(url, ":")
	if !found {
		return "a value without a colon"
	}
	return s + ":"
}
