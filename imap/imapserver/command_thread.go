package imapserver

import (
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapthread"
	"github.com/mailstead/mailstead/store"
)

var threadAlgorithms = map[string]imapthread.Algorithm{
	"ORDEREDSUBJECT": imapthread.OrderedSubject,
	"REFERENCES":     imapthread.References,
	"REFS":           imapthread.Refs,
}

// thread runs THREAD and UID THREAD (RFC 5256 §3).
func (s *session) thread(cmd *command) error {
	algorithm, program, err := s.readThread()
	if err != nil {
		return err
	}
	if err := s.mayNot(cmd, searchArgs{program: program}); err != nil {
		return err
	}
	t, err := s.upToDate(cmd)
	if err != nil {
		return err
	}
	program = program.Bind(&s.sel.told, s.sel.saved)
	if program.Has(imapsearch.OpModSeq) {
		s.turnOn(condstore)
	}
	if s.isOver(program.Within(s.sel.told.UIDs(), s.sel.told.LastUID()).Len()) {
		return s.errOver()
	}
	r := s.newSearch(cmd)
	defer r.end()
	uids, err := r.selected(t, s.sel.told.UIDs(), program)
	if err != nil {
		return err
	}
	if limit := s.srv.cfg.Limits.MaxSort; limit >= 0 && uids.Len() > int64(limit) {
		return store.ErrLimit
	}
	threads, err := imapthread.Read(r.ctx, imapthread.Source{Mailbox: s.source(), Progress: r.progress}, uids, algorithm)
	if err != nil {
		return err
	}
	s.tellThreads(cmd, threads)
	return nil
}

// readThread takes SP thread-alg SP charset SP keys, CRLF.
func (s *session) readThread() (a imapthread.Algorithm, p imapsearch.Program, err error) {
	if err = s.dec.SP(); err != nil {
		return a, nil, err
	}
	name, err := s.dec.Word()
	if err != nil {
		return a, nil, err
	}
	a, ok := threadAlgorithms[name]
	if !ok {
		return a, nil, bad("Unknown threading algorithm")
	}
	if err = s.dec.SP(); err != nil {
		return a, nil, err
	}
	if p, err = s.searchParser(nil).ProgramIn(); err != nil {
		return a, nil, err
	}
	return a, p, s.dec.End()
}

// tellThreads sends THREAD (RFC 5256 §4).
func (s *session) tellThreads(cmd *command, threads *imapthread.Threads) {
	number := func(u store.UID) uint32 { return uint32(u) }
	if !cmd.uid {
		number = s.sel.told.Seq
	}
	s.enc.Raw("* THREAD")
	var b []byte
	for i := range threads.Len() {
		b = b[:0]
		if i == 0 {
			b = append(b, ' ')
		}
		b = threads.Append(b, i, number)
		_, _ = s.enc.Write(b)
	}
	s.enc.CRLF()
}
