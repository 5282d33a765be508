package queuetest

import (
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
)

func holdsCases() []kase {
	return []kase{
		{name: "Holds/blobs of jobs", do: holdsLive},
		{name: "Holds/blobs released a moment ago", do: holdsReleased},
		{name: "Holds/many", do: holdsMany},
	}
}

func (c *check) wantHeld(what string, refs []blob.Ref, want ...blob.Ref) {
	c.Helper()
	got, err := c.s.Holds(c.ctx, refs)
	if err != nil {
		c.Fatalf("Holds: %v", err)
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		c.Errorf("%s: holds %q, want %q", what, got, want)
	}
}

func holdsLive(c *check) {
	held := c.job("h", "d")
	held.Hold = "stop"
	c.put(c.job("a", "d"), held)
	c.leaseOne("d")
	c.wantHeld("a leased and a held job", []blob.Ref{"blob-x", "blob-h", "blob-a"}, "blob-a", "blob-h")
	c.wantHeld("nothing asked", nil)
}

func holdsReleased(c *check) {
	a, b := c.job("a", "d"), c.job("b", "e")
	b.Blob = a.Blob
	c.put(a, b, c.job("c", "f"))
	refs := []blob.Ref{"blob-a", "blob-c", "blob-x"}
	c.settle(queue.Outcome{Token: c.leaseOne("d").Token, Attempted: true})
	c.wantHeld("one of two jobs on a blob finished", refs, "blob-a", "blob-c")
	c.settle(queue.Outcome{Token: c.leaseOne("e").Token, Attempted: true})
	c.edit(only("c"), queue.Edit{Drop: true}, 1)
	c.wantHeld("all jobs gone", refs, "blob-a", "blob-c")
}

func holdsMany(c *check) {
	const n = 500
	c.put(c.jobs("a", "d", n)...)
	c.edit(queue.Filter{Limit: 100}, queue.Edit{Drop: true}, 100)
	var refs, want []blob.Ref
	for i := range n {
		want = append(want, blob.Ref(fmt.Sprintf("blob-a%06d", i)))
		refs = append(refs, want[i], blob.Ref(fmt.Sprintf("blob-x%06d", i)))
	}
	c.wantHeld("1,000 blobs", refs, want...)
}
