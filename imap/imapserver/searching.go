package imapserver

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// readSet takes sequence-set, or "$", the saved result (RFC 5182 §2.1), which is
// nil.
func (s *session) readSet() (imap.NumSet, error) {
	if s.dec.Accept('$') {
		return nil, nil
	}
	set, err := imapwire.Take(s.dec, imapwire.ConsumeSeqSet)
	return imap.NumSet(set), err
}

// searchParser returns a parser of what a command looks for. news gets what UPDATE
// wants to hear of new messages.
func (s *session) searchParser(news **imapfetch.Plan) *imapsearch.Parser {
	return imapsearch.NewParser(s.dec, imapsearch.Config{
		MaxNodes: s.srv.cfg.Limits.MaxSearchNodes, Fuzzy: s.isFuzzy(), UTF8: s.has(utf8Accept),
		Update: func() (err error) {
			*news, err = imapfetch.ParseNews(s.dec, imapfetch.Dialect{Rev2: s.has(rev2)})
			return err
		},
	})
}

// isFuzzy reports whether the store has an index for FUZZY (RFC 6203).
func (s *session) isFuzzy() bool {
	_, ok := store.As[store.Searcher](s.account.Store())
	return ok
}

// A search is a command, or an update of a context, while it looks at messages. It tells a client that
// waits how far it is (RFC 9585), and stops when the client is gone.
type search struct {
	session *session
	tag     string
	ctx     context.Context
	cancel  context.CancelFunc
	watch   *watch    // nil until messages were read
	told    time.Time // the last sign of life
	many    bool      // several mailboxes: how much there is to do is not known
	doing   string    // what INPROGRESS says of it; "" = it is not told
	before  int64     // messages of the mailboxes before
}

// How often a client hears of a search that goes on: RFC 9585 §3, and where it
// sends no more, to find out whether it is still there.
const (
	progressEvery = 10 * time.Second
	probeEvery    = time.Second
)

// newSearch returns a search for the command. The caller ends it.
func (s *session) newSearch(cmd *command) *search {
	r := s.newUntold()
	r.tag, r.doing = cmd.tag, "Searching"
	return r
}

// newUntold returns a search of which the client does not hear, unless he seems
// to be gone. The caller ends it.
func (s *session) newUntold() *search {
	r := &search{session: s, told: time.Now()}
	r.ctx, r.cancel = context.WithCancel(s.ctx)
	return r
}

// end gives back what the search holds.
func (r *search) end() {
	if r.watch != nil {
		r.watch.stop()
	}
	r.cancel()
}

// selected finds messages of the open mailbox among those of uids, which the
// client knows.
func (r *search) selected(t *view.Table, uids store.UIDSet, p imapsearch.Program) (store.UIDSet, error) {
	sel := r.session.sel
	return imapsearch.Find(r.ctx, imapsearch.Mailbox{
		Mailbox: r.session.source(), View: sel.account, Table: t, Known: uids, Last: sel.told.LastUID(), Recent: sel.recent, Progress: r.progress,
	}, p)
}

// in finds messages of a mailbox that is not open among those of uids. What is done there counts on.
func (r *search) in(p *place, t *view.Table, uids store.UIDSet, program imapsearch.Program) (store.UIDSet, error) {
	before := r.before
	return imapsearch.Find(r.ctx, imapsearch.Mailbox{
		Mailbox: imapmsg.Mailbox{Account: p.account.Store(), ID: p.ID}, View: p.account, Table: t, Known: uids, Last: t.MaxUID(),
		Progress: func(done, total int64) error {
			r.before = before + done
			return r.progress(0, total)
		},
	}, program)
}

// isGone reports whether a mailbox or account is not there any more.
func isGone(err error) bool {
	return errors.Is(err, store.ErrNoMailbox) || errors.Is(err, store.ErrNoAccount)
}

// worthWatching is how many messages the store may sort before somebody looks
// after the client.
const worthWatching = 500

// look has somebody look after the client while the store is at work on uids.
func (r *search) look(uids store.UIDSet) {
	if r.watch == nil && uids.Len() >= worthWatching {
		r.watch = r.session.conn.watch(r.cancel)
	}
}

// progress is called before each message that is read.
func (r *search) progress(done, total int64) error {
	if r.watch == nil {
		r.watch = r.session.conn.watch(r.cancel)
	}
	now := time.Now()
	switch since := now.Sub(r.told); {
	case r.doing != "" && since >= progressEvery, since >= probeEvery && r.watch.ended.Load():
	default:
		return nil
	}
	r.told = now
	enc := r.session.enc
	if r.doing == "" {
		enc.Raw("* OK Still here").CRLF()
		return enc.Flush()
	}
	goal := "NIL"
	if !r.many {
		goal = strconv.FormatInt(total, 10)
	}
	enc.Raw("* OK [INPROGRESS (").Raw(quotedTag(r.tag)).SP().Number(uint64(r.before + done)).SP().Raw(goal).Raw(")] ").Raw(r.doing).CRLF()
	return enc.Flush()
}

// quotedTag is a tag inside of a response code, where "]" cannot stand.
func quotedTag(tag string) string {
	if strings.ContainsAny(tag, `]"\`) {
		return "NIL"
	}
	return `"` + tag + `"`
}
