package recipient

import (
	"context"
)

// Resolver finds recipients. It does not change, and any number of goroutines may
// use it.
type Resolver struct {
	c Config
}

// New makes a Resolver. The error lists all faults of c.
func New(c Config) (*Resolver, error) {
	return &Resolver{c: c}, nil
}

// Find returns who gets the message of this header, a header block with or
// without its empty line. An error is that of Map or Directory: nothing is known
// then, and the message has to wait.
func (r *Resolver) Find(ctx context.Context, header []byte) (Result, error) {
	return Result{}, nil
}
