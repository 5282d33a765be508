package maildirfmt

// Size counts octets as they are, and with each line end as two: the S and W of a
// file's name.
type Size struct {
	File, Wire int64

	cr bool
}

// Write takes everything.
func (s *Size) Write(p []byte) (int, error) {
	for _, c := range p {
		if c == '\n' && !s.cr {
			s.Wire++
		}
		s.cr = c == '\r'
	}
	s.File += int64(len(p))
	s.Wire += int64(len(p))
	return len(p), nil
}
