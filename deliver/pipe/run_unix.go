//go:build unix

package pipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func checkSystem(t *Target) error {
	if os.Geteuid() == 0 && (t.UID == 0 || t.GID == 0) {
		return ErrRoot
	}
	return nil
}

// lingering is how long a program's output is awaited behind its end: a child
// that it left behind may hold it open.
const lingering = 5 * time.Second

// run starts a program in a process group of its own and returns its exit status.
// Where it returns an error, the program did not end by itself, or did not get
// all of its input.
func run(ctx context.Context, t *Target, args []string, input io.Reader, out io.Writer) (int, error) {
	if err := ctx.Err(); err != nil {
		return -1, context.Cause(ctx)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Dir = t.Env, t.Dir
	if cmd.Env == nil {
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
	}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if t.UID != 0 || t.GID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: t.UID, Gid: t.GID}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = lingering
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return -1, err
	}
	if err := cmd.Start(); err != nil {
		return -1, err
	}
	fed := make(chan error, 1)
	go func() {
		err := feed(stdin, input)
		if err != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // before the end of its input, which would look whole
		}
		stdin.Close()
		fed <- err
	}()
	err = cmd.Wait()
	stdin.Close() // wakes feed, where nobody reads any more
	return status(ctx, cmd, err, <-fed)
}

// feed writes the input. A program that does not want to read all of it says by
// its exit status what that means.
func feed(stdin io.Writer, input io.Reader) error {
	r := &sourceReader{r: input}
	_, err := io.Copy(stdin, r)
	if err == nil || r.err == nil {
		return nil
	}
	return fmt.Errorf("reading the message: %w", r.err)
}

// sourceReader notes an error of reading, which is not one of writing.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// status is the exit status. One that came at the instant of a cancellation
// counts: the program has done its work.
func status(ctx context.Context, cmd *exec.Cmd, err, fed error) (int, error) {
	switch {
	case fed != nil:
		return -1, fed
	case cmd.ProcessState == nil:
		return -1, err
	case cmd.ProcessState.Exited():
		return cmd.ProcessState.ExitCode(), nil
	case ctx.Err() != nil:
		return -1, context.Cause(ctx)
	}
	return -1, errors.New(cmd.ProcessState.String())
}
