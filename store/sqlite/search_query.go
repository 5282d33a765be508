package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/searchtext"
)

// gram is the length in characters of what the index holds.
const gram = 3

// maxGrams bounds the trigrams that are looked up for one needle; fewer only
// make more messages Unknown.
const maxGrams = 40

// SearchText implements sqlstore.Index.
func (x *searchIndex) SearchText(ctx context.Context, a store.Account, id store.AccountID, q store.SearchQuery) (h store.SearchHits, err error) {
	m, err := store.MailboxByID(ctx, a, q.Mailbox)
	if err != nil {
		return h, err
	}
	var there store.UIDSet
	for m, err := range a.Messages(ctx, q.Mailbox, store.Query{UIDs: q.UIDs}) {
		if err != nil {
			return h, err
		}
		there.Add(m.UID)
	}
	h, err = x.look(ctx, id, &m, needleOf(q), there)
	if err != nil && ctx.Err() != nil {
		return store.SearchHits{}, ctx.Err()
	}
	if err != nil {
		if !x.closed.Load() {
			x.report(id, err)
		}
		return store.SearchHits{Unknown: there}, nil // the messages themselves will tell
	}
	return h, nil
}

// needle is what is looked up.
type needle struct {
	in    store.TextPart
	query string // of FTS5; "" = the index cannot look for it
	exact bool   // who has the trigrams has the text
}

func needleOf(q store.SearchQuery) needle {
	text := searchtext.Fold(q.Text)
	n := needle{in: q.In}
	if utf8.RuneCountInString(text) < gram || strings.ContainsFunc(text, func(r rune) bool { return r <= searchtext.Separator }) {
		return n
	}
	runes := []rune(text)
	var grams []string
	for i := 0; i+gram <= len(runes) && len(grams) < maxGrams; i++ {
		if g := string(runes[i : i+gram]); !slices.Contains(grams, g) {
			grams = append(grams, g)
		}
	}
	// SQLite has one form for all characters that are none (U+FFFD).
	n.exact = len(runes) == gram && !slices.ContainsFunc(runes, func(r rune) bool { return r&0xFFFE == 0xFFFE || r == utf8.RuneError })
	for i, g := range grams {
		grams[i] = `"` + strings.ReplaceAll(g, `"`, `""`) + `"`
	}
	n.query = strings.Join(grams, " AND ")
	return n
}

// look says what the index knows about the messages that are there.
func (x *searchIndex) look(ctx context.Context, id store.AccountID, m *store.Mailbox, n needle, there store.UIDSet) (h store.SearchHits, err error) {
	if n.query == "" || len(there) == 0 || x.damaged.Load() || x.closed.Load() {
		return store.SearchHits{Unknown: there}, nil
	}
	tx, err := x.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one state of box and documents
	if err != nil {
		return h, err
	}
	defer tx.Rollback()
	var account int64
	err = tx.QueryRow(`SELECT COALESCE((SELECT id FROM account WHERE name = ?), 0)`, string(id)).Scan(&account)
	if err != nil {
		return h, err
	}
	b, ok, err := scanBox(tx.QueryRow(boxQuery, account, m.ID[:]))
	if err != nil {
		return h, err
	}
	if !ok || b.validity != m.UIDValidity {
		return store.SearchHits{Unknown: there}, nil
	}
	var found store.UIDSet
	if n.in != store.TextBody {
		err = candidates(ctx, tx, headQuery, n.query, account, b.num, &found)
	}
	if n.in != store.TextHeader && err == nil {
		err = candidates(ctx, tx, bodyQuery, n.query, account, b.num, &found)
	}
	if err != nil {
		return h, err
	}
	found = found.Intersect(there)
	h.Unknown = there.Minus(b.known)
	h.Unknown.AddSet(b.weak.Intersect(there))
	if n.exact {
		h.Match = found
		h.Unknown = h.Unknown.Minus(found)
	} else {
		h.Unknown.AddSet(found)
	}
	return h, nil
}

// The documents of an account that have all trigrams, as UIDs of a mailbox.
const (
	headQuery = `SELECT place.uid FROM head CROSS JOIN place ON place.doc = head.rowid AND place.box = ?
		WHERE head MATCH ? AND head.rowid BETWEEN ? AND ?`
	bodyQuery = `SELECT place.uid FROM body CROSS JOIN place ON place.doc = body.rowid AND place.box = ?
		WHERE body MATCH ? AND body.rowid BETWEEN ? AND ?`
)

// candidates adds the UIDs that a query finds.
func candidates(ctx context.Context, tx *sql.Tx, query, match string, account, box int64, to *store.UIDSet) error {
	rows, err := tx.QueryContext(ctx, query, box, match, account<<docShift, (account+1)<<docShift-1)
	if err != nil {
		return err
	}
	defer rows.Close()
	var uids []store.UID
	for rows.Next() {
		var uid store.UID
		if err := rows.Scan(&uid); err != nil {
			return err
		}
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	to.AddSet(store.UIDs(uids...))
	return rows.Err()
}
