package pop3server

import "strconv"

// stat: STAT (RFC 1939 §5): what is not marked.
func (s *session) stat([]string) error {
	c := s.conn
	b := append(c.bw.AvailableBuffer(), "+OK "...)
	b = strconv.AppendInt(b, int64(s.drop.count), 10)
	b = strconv.AppendInt(append(b, ' '), s.drop.octets, 10)
	c.bw.Write(append(b, "\r\n"...))
	return nil
}

// list: LIST [msg] (RFC 1939 §5).
func (s *session) list(args []string) error {
	return s.listing(args, func(dst []byte, m *message) []byte { return strconv.AppendInt(dst, m.size, 10) })
}

// uidl: UIDL [msg] (RFC 1939 §7).
func (s *session) uidl(args []string) error {
	return s.listing(args, s.drop.uniqueID)
}

// listing writes "number value" for one message or for all that are not
// marked.
func (s *session) listing(args []string, value func([]byte, *message) []byte) error {
	c := s.conn
	if len(args) == 1 {
		m := s.drop.find(args[0])
		if m == nil {
			return s.bad("No such message")
		}
		n, _ := strconv.Atoi(args[0])
		b := append(c.bw.AvailableBuffer(), "+OK "...)
		b = value(append(strconv.AppendInt(b, int64(n), 10), ' '), m)
		c.bw.Write(append(b, "\r\n"...))
		return nil
	}
	c.ok(strconv.Itoa(s.drop.count) + " messages")
	for i := range s.drop.messages {
		m := &s.drop.messages[i]
		if m.marked {
			continue
		}
		b := append(strconv.AppendInt(c.bw.AvailableBuffer(), int64(i+1), 10), ' ')
		if _, err := c.bw.Write(append(value(b, m), "\r\n"...)); err != nil {
			return err
		}
	}
	_, err := c.bw.WriteString(".\r\n")
	return err
}
