package maildir_test

import (
	"os"
	"os/exec"
	"syscall"
)

// asUser lets root run a program as uid of a user namespace in which that is
// root's own id, so that it may use root's files.
func asUser(cmd *exec.Cmd, uid, gid int) {
	if os.Getuid() != 0 {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: gid, HostID: 0, Size: 1}},
	}
}
