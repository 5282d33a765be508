package sqldb

import "fmt"

// Number is the destination of a column of integers, not NULL. It takes what
// the driver has, where database/sql would convert by way of a text.
type Number int64

// Scan implements sql.Scanner.
func (n *Number) Scan(v any) error {
	i, ok := v.(int64)
	if !ok {
		return fmt.Errorf("sqldb: %T where an integer is expected", v)
	}
	*n = Number(i)
	return nil
}

// Text is the destination of a column of text, not NULL.
type Text string

// Scan implements sql.Scanner.
func (t *Text) Scan(v any) error {
	switch v := v.(type) {
	case string:
		*t = Text(v)
	case []byte:
		*t = Text(v)
	default:
		return fmt.Errorf("sqldb: %T where a text is expected", v)
	}
	return nil
}

// Octets is the destination of a column of octets; nil = NULL. They are the
// driver's, and valid until the next row.
type Octets []byte

// Scan implements sql.Scanner.
func (o *Octets) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*o = nil
	case []byte:
		*o = v
	default:
		return fmt.Errorf("sqldb: %T where octets are expected", v)
	}
	return nil
}
