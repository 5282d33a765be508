package imapconn

import (
	"errors"
	"testing"
	"testing/iotest"
)

// What is read ahead while this side writes is not waited for again.
func TestReadAhead(t *testing.T) {
	const line = "* OK hello\r\n"
	newInput := func() *input {
		in := &input{src: iotest.ErrReader(errors.New("waits")), max: 1 << 10}
		in.ready = func() error { // as flush does
			in.room(inputSize)
			in.w += copy(in.buf[in.w:], line)
			return nil
		}
		return in
	}
	if chunk, _, err := newInput().next(false); string(chunk) != line || err != nil {
		t.Errorf("next: %q %v", chunk, err)
	}
	for _, size := range []int{100, inputSize} {
		p := make([]byte, size)
		if n, err := newInput().copyOut(p); string(p[:n]) != line || err != nil {
			t.Errorf("copyOut: %q %v", p[:n], err)
		}
	}
	if b, err := newInput().peek(1 << 20); string(b) != line || err != nil {
		t.Errorf("peek: %q %v", b, err)
	}
}
