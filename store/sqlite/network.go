package sqlite

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// SQLite's WAL is memory that the processes on one machine share, and the lock
// of a data directory is flock: over a network either may seem to work and not
// hold, and what was synced may lie in the memory of another machine.

// networkTypes are the names of network file systems, as mount tables have
// them. Behind "fuse." stands the program that serves the file system.
var networkTypes = []string{
	"9p", "acfs", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "macfuse",
	"moosefs", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "sshfs", "vboxsf", "webdav",
}

// networkPrograms are names of programs, or their beginnings, that serve a
// remote store through FUSE.
var networkPrograms = []string{
	"afp", "ceph", "curlftpfs", "davfs", "gcsfuse", "gluster", "goofys", "jindofs", "juicefs", "lizardfs", "mfs",
	"moosefs", "nfs", "rclone", "s3", "seaweedfs", "smb", "sshfs", "vmhgfs",
}

// isNetworkType reports a file system whose files lie on another machine, by
// its name in the mount table. An unknown name, and FUSE as such, counts as
// local: most of what there is is.
func isNetworkType(name string) bool {
	program, fuse := strings.CutPrefix(name, "fuse.")
	if !fuse {
		return slices.Contains(networkTypes, name)
	}
	return slices.ContainsFunc(networkPrograms, func(p string) bool { return strings.HasPrefix(program, p) })
}

// checkFileSystem refuses a network file system, unless o allows it. What
// cannot be told is not refused.
func checkFileSystem(dir string, o *Options) error {
	if o.AllowNetworkFS {
		return nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil { // the mount of what it leads to
		return err
	}
	name := o.fileSystem(abs)
	if !isNetworkType(name) {
		return nil
	}
	return fmt.Errorf("%w: %s lies on %s; move it to a local disk, or use PostgreSQL where several machines need the data",
		store.ErrNetworkFS, abs, name)
}
