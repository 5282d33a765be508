package sqlite

import (
	"bufio"
	"io"
	"os"
	"strings"
	"syscall"
)

// magics are the numbers of network file systems (statfs(2)), for mount tables
// that do not show the mount: NFS, SMB, CIFS, SMB2, AFS, kAFS, Ceph, Coda, 9P,
// NCP, Lustre, GPFS, OrangeFS, BeeGFS.
var magics = map[uint32]string{
	0x6969: "nfs", 0x517b: "smbfs", 0xff534d42: "cifs", 0xfe534d42: "smb2",
	0x5346414f: "afs", 0x6b414653: "afs", 0x00c36400: "ceph", 0x73757245: "coda",
	0x01021997: "9p", 0x564c: "ncpfs", 0x0bd00bd0: "lustre", 0x47504653: "gpfs",
	0x20030528: "orangefs", 0x19830326: "beegfs",
}

// fileSystemOf names the file system that dir, an absolute path, lies on; ""
// where that cannot be told.
func fileSystemOf(dir string) string {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return ""
	}
	if name, ok := magics[uint32(st.Type)]; ok {
		return name
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	return mountType(f, dir)
}

// mountType is the type of the mount that a path lies on, by the mount table of
// proc(5): the last line whose mount point is the longest prefix of the path.
func mountType(table io.Reader, path string) string {
	best, name := -1, ""
	lines := bufio.NewScanner(table)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		mount, fs, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		if !ok || len(fields) < 5 {
			continue
		}
		point := unescape(fields[4])
		if len(point) < best || !within(path, point) {
			continue
		}
		best = len(point)
		name, _, _ = strings.Cut(fs, " ")
	}
	return name
}

// within reports whether a path is dir or lies below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// unescape undoes the octal escapes of the mount table.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
