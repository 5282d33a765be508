package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

func TestNetworkFS(t *testing.T) {
	for name, refused := range map[string]bool{
		"ext4": false, "xfs": false, "btrfs": false, "zfs": false, "tmpfs": false, "overlay": false, "apfs": false, "": false,
		"fuse": false, "fuseblk": false, "fuse.powercut": false, "fuse.ntfs-3g": false, "virtiofs": false,
		"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "smbfs": true, "9p": true, "ceph": true, "lustre": true,
		"fuse.sshfs": true, "fuse.glusterfs": true, "fuse.s3fs": true, "fuse.rclone": true, "fuse.ceph-fuse": true,
	} {
		dir := filepath.Join(t.TempDir(), "data")
		o := Options{fileSystem: func(string) string { return name }}
		e, err := Open(t.Context(), dir, o)
		if err == nil {
			e.Close()
		}
		if got := errors.Is(err, store.ErrNetworkFS); got != refused || !refused && err != nil {
			t.Errorf("%q: %v; refused: want %t", name, err, refused)
		}
		if _, err := os.Stat(filepath.Join(dir, lockName)); refused && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: something was made in a directory that is refused: %v", name, err)
		}
		if !refused {
			continue
		}
		o.AllowNetworkFS = true
		if e, err = Open(t.Context(), dir, o); err != nil {
			t.Errorf("%q, allowed: %v", name, err)
		} else {
			e.Close()
		}
	}
}

// TestFileSystemOf asks for a directory that is there.
func TestFileSystemOf(t *testing.T) {
	if name := fileSystemOf(t.TempDir()); isNetworkType(name) {
		t.Skip("the temporary directory lies on ", name)
	} else {
		t.Logf("%q", name)
	}
	if name := fileSystemOf("/nowhere/at/all"); name != "" {
		t.Errorf("%q for a directory that is not there", name)
	}
}

func TestMountType(t *testing.T) {
	const table = `21 98 0:19 / /proc rw,nosuid shared:12 - proc proc rw
98 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
120 98 0:51 / /srv/mail rw,relatime shared:60 - nfs4 files:/mail rw,vers=4.2
121 120 254:1 / /srv/mail/local rw - xfs /dev/vdb rw
122 98 0:52 / /mnt/with\040space rw - fuse.sshfs me@host:/ rw
123 98 0:53 / /home rw - ext4 /dev/vdc rw
124 98 0:54 / /home rw - nfs home:/ rw
broken line
`
	for path, want := range map[string]string{
		"/var/mail": "ext4", "/": "ext4", "/srv/mail": "nfs4", "/srv/mail/a/b": "nfs4", "/srv/mailbox": "ext4",
		"/srv/mail/local/x": "xfs", "/mnt/with space/x": "fuse.sshfs", "/proc/1": "proc",
		"/home/alice": "nfs", // the later mount hides the earlier one
	} {
		if got := mountType(strings.NewReader(table), path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := mountType(strings.NewReader(""), "/x"); got != "" {
		t.Errorf("without a table: %q", got)
	}
}

// FuzzMountType: any table gives the type of a line of it, or nothing.
func FuzzMountType(f *testing.F) {
	f.Add("98 1 254:0 / / rw - ext4 /dev/vda rw\n", "/var")
	f.Add("1 2 3:4 / /a\\040b - nfs x\n - \n", "/a b/c")
	f.Fuzz(func(t *testing.T, table, path string) {
		if name := mountType(strings.NewReader(table), path); name != "" && !strings.Contains(table, " - "+name) {
			t.Errorf("%q is in no line", name)
		}
	})
}
