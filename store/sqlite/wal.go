package sqlite

import (
	"errors"
	"io"
	"os"
)

// rewriteLog writes the write-ahead log of a database again as it is read, and
// syncs it. SQLite takes what it reads there for durable and appends behind it.
// But after an fsync that failed the kernel holds octets that it will not write
// any more, until somebody writes them again: if the process ended then and not
// the machine, a commit behind them would be lost with the next power cut. The
// caller owns the directory, and no connection is open.
func rewriteLog(path string) error {
	f, err := os.OpenFile(path+"-wal", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	for off := int64(0); ; {
		n, err := f.ReadAt(buf, off)
		if n > 0 {
			if _, err := f.WriteAt(buf[:n], off); err != nil {
				return err
			}
			off += int64(n)
		}
		if err == io.EOF {
			return f.Sync()
		}
		if err != nil {
			return err
		}
	}
}
