package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

const supported = true

// Signals of the postmaster (pg_ctl stop -m fast, immediate).
const (
	sigFast      = syscall.SIGINT
	sigImmediate = syscall.SIGQUIT
)

// account is the user that the server runs as when we are root.
type account struct{ uid, gid int }

func runAs() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		return &account{uid, gid}, errors.Join(err1, err2)
	}
	return nil, errors.New("pgtest: PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// own gives a directory to the account.
func (a *account) own(dir string) error {
	if a == nil {
		return nil
	}
	return os.Chown(dir, a.uid, a.gid)
}

// become makes cmd run as the account.
func (a *account) become(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid), NoSetGroups: true}
	}
}

// process is a postmaster that is our child.
type process struct {
	pid   int
	ended chan struct{} // closed when it has ended and was waited for
}

// startProcess starts cmd, to end with us at the latest. The kernel watches the
// thread that started it, so that one is kept until the end.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr.Pdeathsig = sigImmediate
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return p, <-started
}

func (p *process) signal(sig syscall.Signal) error { return syscall.Kill(p.pid, sig) }

// kill kills the postmaster and its children, which are process groups of
// their own. Stopped first, it makes no more of them.
func (p *process) kill() {
	select {
	case <-p.ended:
		return
	default:
	}
	_ = p.signal(syscall.SIGSTOP)
	children := childrenOf(p.pid)
	_ = p.signal(syscall.SIGKILL)
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.ended
}

// childrenOf reads who has the parent pid.
func childrenOf(parent int) (list []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// pid (program) state ppid ...; the program may hold anything.
		_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			list = append(list, pid)
		}
	}
	return list
}
