package imapserver

import (
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// The bounds of UIDBATCHES (RFC 10022 §3.1.3.2, §3.1.5): messages of one batch at
// least, and of all batches that a range names at most.
const (
	minBatch   = 500
	maxBatches = 100_000
)

// uidBatches runs UIDBATCHES (RFC 10022). It costs a search for each batch in the
// ranges of what was told, so that it needs no limit on how often it is asked.
func (s *session) uidBatches(cmd *command) error {
	size, from, to, err := s.readBatches()
	if err != nil {
		return err
	}
	switch {
	case size < minBatch:
		return no(imap.CodeTooFew, "Minimum batch size is "+strconv.Itoa(minBatch))
	case to > 0 && (uint64(to-from)+1)*uint64(size) > maxBatches:
		return no(imap.CodeTooMany, "Too many messages")
	}
	s.enc.Raw("* UIDBATCHES (TAG ").Text([]byte(cmd.tag)).Raw(")")
	separator := " "
	for n := from; to == 0 || n <= to; n++ {
		r, ok := s.sel.told.Batch(size, n)
		if !ok {
			break
		}
		s.enc.Raw(separator).Number(uint64(r.Last)).Raw(":").Number(uint64(r.First))
		separator = ","
	}
	s.enc.CRLF()
	return nil
}

// readBatches takes SP nz-number [SP nz-number ":" nz-number] CRLF; without the
// range from is 1 and to 0.
func (s *session) readBatches() (size, from, to uint32, err error) {
	if err = s.dec.SP(); err != nil {
		return 0, 0, 0, err
	}
	if size, err = imapwire.Take(s.dec, imapwire.ConsumeNZNumber); err != nil {
		return 0, 0, 0, err
	}
	from = 1
	if s.dec.Accept(' ') {
		if from, err = imapwire.Take(s.dec, imapwire.ConsumeNZNumber); err != nil {
			return 0, 0, 0, err
		}
		if err = s.dec.Expect(':'); err != nil {
			return 0, 0, 0, err
		}
		if to, err = imapwire.Take(s.dec, imapwire.ConsumeNZNumber); err != nil {
			return 0, 0, 0, err
		}
		if to < from {
			return 0, 0, 0, &reply{"BAD", string(imap.CodeClientBug), "Invalid batch range"}
		}
	}
	return size, from, to, s.dec.End()
}
