//go:build !unix

package pipe

import (
	"context"
	"io"
)

func checkSystem(*Target) error { return ErrUnsupported }

func run(context.Context, *Target, []string, io.Reader, io.Writer) (int, error) {
	return -1, ErrUnsupported
}
