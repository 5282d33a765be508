package storetest

import (
	"errors"
	"io"

	"github.com/mailstead/mailstead/store"
)

func contentChecks() []check {
	return []check{
		{name: "ContentIsPrefixAndBlob", rule: "I3: Content is Prefix, then the blob; its Size is RFC822.SIZE", run: contentWhole},
		{name: "ContentReadAt", rule: "Content.ReadAt obeys io.ReaderAt at every offset and length, over the border of prefix and blob", run: contentReadAt},
		{name: "ContentExpunged", rule: "an expunged message stays readable until its blob is collected, then ErrExpunged", run: contentExpunged},
		{name: "ContentMissing", rule: "Content of a UID never given out is ErrNoMessage, of an unknown mailbox ErrNoMailbox", run: contentMissing},
		{name: "ContentOpenSurvives", rule: "an open Content stays readable while its message is expunged and collected", run: contentOpen},
	}
}

// read returns the octets of a message.
func (h *handle) read(box store.MailboxID, uid store.UID) string {
	h.e.r.Helper()
	c, err := h.Content(h.e.ctx, box, uid)
	h.e.ok("Content", err)
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	h.e.ok("reading Content", err)
	return string(b)
}

func contentWhole(e *env) {
	h := e.account("alice")
	for _, c := range []struct{ prefix, body string }{
		{"", "only body"}, {"only prefix", ""}, {"Return-Path: <>\r\n", "Subject: x\r\n\r\n\x00\xff"}, {"", ""},
	} {
		op := h.message(h.inbox, c.body)
		op.Prefix = []byte(c.prefix)
		uid := h.do(op).Ops[0].Dest.Min()
		e.same("content", h.read(h.inbox, uid), c.prefix+c.body)
		m := h.one(h.inbox, uid)
		e.same("Message.Size", m.Size, int64(len(c.prefix+c.body)))
		r, err := h.Content(e.ctx, h.inbox, uid)
		e.ok("Content", err)
		e.same("Content.Size", r.Size(), m.Size)
		e.ok("Close", r.Close())
	}
}

func contentReadAt(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "0123456789abcdef")
	op.Prefix = []byte("PREFIX")
	uid := h.do(op).Ops[0].Dest.Min()
	whole := "PREFIX0123456789abcdef"
	c, err := h.Content(e.ctx, h.inbox, uid)
	e.ok("Content", err)
	defer c.Close()
	for off := 0; off <= len(whole)+2; off++ {
		for n := 0; n <= len(whole)+2; n++ {
			p := make([]byte, n)
			got, err := c.ReadAt(p, int64(off))
			want := ""
			if off < len(whole) {
				want = whole[off:min(off+n, len(whole))]
			}
			if string(p[:got]) != want {
				e.fatalf("ReadAt(%d octets, %d) = %q, want %q", n, off, p[:got], want)
			}
			if got < n && err != io.EOF || got == n && err != nil && err != io.EOF {
				e.fatalf("ReadAt(%d octets, %d) = %d, %v", n, off, got, err)
			}
		}
	}
	if _, err := c.ReadAt(make([]byte, 1), -1); err == nil {
		e.errorf("ReadAt at a negative offset succeeds")
	}
}

func contentExpunged(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "body of a message that goes")
	op.Prefix = []byte("p:")
	uid := h.do(op).Ops[0].Dest.Min()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uid)})
	e.same("content after expunge", h.read(h.inbox, uid), "p:body of a message that goes")
	e.ok("Blobs.Delete", e.s.Blobs().Delete(e.ctx, op.Blob))
	_, err := h.Content(e.ctx, h.inbox, uid)
	e.is("Content after collection", err, store.ErrExpunged)
}

func contentMissing(e *env) {
	h := e.account("alice")
	uid := h.put(h.inbox, 1).Min()
	_, err := h.Content(e.ctx, h.inbox, uid+1)
	e.is("Content of UIDNEXT", err, store.ErrNoMessage)
	_, err = h.Content(e.ctx, h.inbox, 0)
	e.is("Content of UID 0", err, store.ErrNoMessage)
	_, err = h.Content(e.ctx, store.NewMailboxID(), uid)
	e.is("Content in an unknown mailbox", err, store.ErrNoMailbox)
	gone := h.create("gone")
	uid = h.put(gone, 1).Min()
	h.do(store.PutMailbox{ID: gone, Delete: true})
	if c, err := h.Content(e.ctx, gone, uid); err == nil {
		c.Close()
	} else if !errors.Is(err, store.ErrNoMailbox) && !errors.Is(err, store.ErrExpunged) {
		e.errorf("Content in a deleted mailbox: %v, want the message, ErrExpunged or ErrNoMailbox", err)
	}
}

func contentOpen(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "still open")
	uid := h.do(op).Ops[0].Dest.Min()
	c, err := h.Content(e.ctx, h.inbox, uid)
	e.ok("Content", err)
	defer c.Close()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uid)})
	e.ok("Blobs.Delete", e.s.Blobs().Delete(e.ctx, op.Blob))
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil || string(b) != "still open" {
		e.errorf("the open Content reads %q, %v", b, err)
	}
}
