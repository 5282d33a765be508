package imapserver

import (
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

func TestBatches(t *testing.T) {
	set := store.UIDSet{{First: 1, Last: 25}, {First: 30, Last: 30}, {First: 40, Last: 49}}
	var got []string
	for part := range batches(set, 10) {
		if part.Len() > 10 {
			t.Errorf("a batch of %d", part.Len())
		}
		got = append(got, part.String())
	}
	if want := []string{"1:10", "11:20", "21:25,30,40:43", "44:49"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range batches(store.UIDSet{{First: 1, Last: 1<<32 - 1}}, 1<<31) {
		got = got[:0]
	}
	if len(got) != 0 {
		t.Error("no batch of all UIDs")
	}
}
