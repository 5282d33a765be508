package sqlstore

import (
	"context"

	"github.com/mailstead/mailstead/store"
)

// Index is an index of texts beside a Store, which makes its accounts
// store.Searchers. It may be used by any number of goroutines.
type Index interface {
	// Changed is told of each account that changed, behind the commit. It
	// must not block.
	Changed(id store.AccountID)

	// SearchText is that of store.Searcher for the account a.
	SearchText(ctx context.Context, a store.Account, id store.AccountID, q store.SearchQuery) (store.SearchHits, error)
}

// indexed is a handle whose account has an Index.
type indexed struct{ *handle }

var _ store.Searcher = indexed{}

// SearchText implements store.Searcher.
func (h indexed) SearchText(ctx context.Context, q store.SearchQuery) (store.SearchHits, error) {
	if q.Text == "" {
		return store.SearchHits{}, fail("search", h.id, store.ErrInvalid)
	}
	hits, err := h.store.opts.Index.SearchText(ctx, h.handle, h.id, q)
	if err != nil {
		return store.SearchHits{}, fail("search", h.id, err)
	}
	return hits, nil
}
