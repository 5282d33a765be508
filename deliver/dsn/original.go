package dsn

import (
	"bytes"
	"context"
	"io"

	"github.com/emersion/go-message"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// maxHeader bounds the returned header.
const maxHeader = 64 << 10

// original returns the message or its header (RFC 3461 §4.3, §6.2): all of it
// only for a failure, when the sender asked, and up to MaxReturn. What required
// TLS is never returned whole (RFC 8689 §5).
func (n *notice) original(ctx context.Context, mw *message.Writer) error {
	body, err := blob.OpenKeyed(ctx, n.r.Blobs, n.job.Blob, n.job.Key)
	if err != nil {
		return err
	}
	defer body.Close()
	limit := n.r.MaxReturn
	if limit == 0 {
		limit = 1 << 20
	}
	size := body.Size() + int64(len(n.job.Prefix))
	full := n.job.Params.Return == smtp.ReturnFull && !n.job.Params.RequireTLS && n.rcpts[0].action == "failed" && size <= limit
	if !full {
		size = min(size, maxHeader)
	}
	all := make([]byte, 0, size)
	all = append(all, n.job.Prefix[:min(int64(len(n.job.Prefix)), size)]...)
	head := all[len(all):size]
	got, err := body.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	all = all[:len(all)+got]
	if !full {
		all = headerOf(all)
	}
	return part(mw, returnType(full, n.utf8()), returnEncoding(all), nil, bytes.NewReader(all))
}

func returnType(full, utf8 bool) string {
	switch {
	case full && utf8:
		return "message/global" // RFC 6532 §3.7
	case full:
		return "message/rfc822"
	case utf8:
		return "message/global-headers" // RFC 6533 §5
	}
	return "text/rfc822-headers" // RFC 6522 §4
}

// returnEncoding keeps the octets as they are: these types allow no encoding
// (RFC 2046 §5.2.1).
func returnEncoding(b []byte) string {
	for _, c := range b {
		if c >= 0x80 {
			return "8bit"
		}
	}
	return "7bit"
}

// headerOf cuts b behind its header, without the empty line; a header that
// does not end in b is cut at its last whole line.
func headerOf(b []byte) []byte {
	end := -1
	for _, mark := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(b, []byte(mark)); i >= 0 && (end < 0 || i < end) {
			end = i + len(mark)/2
		}
	}
	if end < 0 {
		end = bytes.LastIndexByte(b, '\n') + 1
	}
	return b[:end]
}
