//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play every part: the tool, and as its children
// the program under test and the verify command.
func TestMain(m *testing.M) {
	role, dir := os.Getenv("POWERCUT_ROLE"), os.Getenv("POWERCUT_DIR")
	switch {
	case dir == "" && role == "tool":
		main()
	case len(os.Args) > 1 && os.Args[1] == "deliver":
		must(deliver(dir, os.Args[2]))
	case len(os.Args) > 1 && os.Args[1] == "verify":
		must(verify(dir))
	default:
		os.Exit(m.Run())
	}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func body(name string) []byte { return bytes.Repeat([]byte(name), 2000) }

// deliver stores files and acknowledges each; how says which syncs it does.
func deliver(dir, how string) error {
	for i := 0; ; i++ {
		name := fmt.Sprintf("m%d", i)
		f, err := os.Create(filepath.Join(dir, "tmp"))
		if err != nil {
			return err
		}
		_, err = f.Write(body(name))
		if strings.Contains(how, "file") {
			err = errors.Join(err, f.Sync())
		}
		if err = errors.Join(err, f.Close(), os.Rename(f.Name(), filepath.Join(dir, name))); err != nil {
			return err
		}
		if strings.Contains(how, "dir") {
			d, err := os.Open(dir)
			if err = errors.Join(err, d.Sync(), d.Close()); err != nil {
				return err
			}
		}
		fmt.Println(name)
	}
}

func verify(dir string) error {
	for acks := bufio.NewScanner(os.Stdin); acks.Scan(); {
		b, err := os.ReadFile(filepath.Join(dir, acks.Text()))
		if err != nil {
			return fmt.Errorf("%s is missing", acks.Text())
		}
		if !bytes.Equal(b, body(acks.Text())) {
			return fmt.Errorf("%s is damaged", acks.Text())
		}
	}
	return nil
}

// tool starts powercut; everything it makes lies below the returned directory.
func tool(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts file systems; not run with -short")
	}
	if err := supported(); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0], args...)
	tmp := t.TempDir()
	cmd.Env = append(os.Environ(), "POWERCUT_ROLE=tool", "TMPDIR="+tmp, "SELF="+os.Args[0])
	return cmd, tmp
}

// powercut runs the tool to its end and checks that it leaves nothing behind.
func powercut(t *testing.T, wantExit int, args ...string) string {
	t.Helper()
	cmd, tmp := tool(t, args...)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != wantExit {
		t.Errorf("exit code %d, want %d; output:\n%s", code, wantExit, out)
	}
	clean(t, tmp)
	return string(out)
}

func clean(t *testing.T, tmp string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if mounts, _ := os.ReadFile("/proc/mounts"); strings.Contains(string(mounts), tmp) {
		t.Error("still mounted")
	}
}

func TestDelivery(t *testing.T) {
	for _, tc := range []struct {
		how      string
		wantExit int
	}{{"file+dir", 0}, {"file", exitLost}, {"dir", exitLost}, {"none", exitLost}} {
		for _, model := range []string{"strict", "random"} {
			t.Run(tc.how+"/"+model, func(t *testing.T) {
				out := powercut(t, tc.wantExit, "-cuts", "6", "-model", model, "-max", "250ms",
					"-run", "$SELF deliver "+tc.how, "-verify", "$SELF verify")
				t.Log(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
			})
		}
	}
}

// TestStrict runs a script to its end, cuts the power and then runs a check in
// what is left. The command sync with arguments does fsync, sync -d fdatasync.
func TestStrict(t *testing.T) {
	for _, tc := range []struct{ name, run, check string }{
		{"created", `echo x >f; sync f`, `! test -e f`},
		{"created and synced", `echo x >f; sync f .`, `test "$(cat f)" = x`},
		{"fdatasync", `echo x >f; sync -d f; sync .`, `test "$(cat f)" = x`},
		{"content not synced", `echo x >f; sync .`, `test -e f && ! test -s f`},
		{"overwritten", `echo old >f; sync f .; echo new >f`, `test "$(cat f)" = old`},
		{"appended", `echo a >f; sync f .; echo b >>f; sync f; echo c >>f`, `test "$(cat f)" = "$(printf 'a\nb')"`},
		{"truncated", `echo abc >f; sync f .; truncate -s 1 f; truncate -s 3 f; sync f`, `test "$(od -An -c f | tr -d ' ')" = 'a\0\0'`},
		{"O_DSYNC", `: >f; sync .; echo x | dd of=f oflag=dsync conv=notrunc status=none`, `test "$(cat f)" = x`},
		{"O_EXCL", `: >f; ! (set -C; : >f) 2>&-; sync .`, `test -e f`},
		{"rename over", `echo a >f; echo b >g; sync f g .; mv f g`, `test "$(cat f g)" = "$(printf 'a\nb')"`},
		{"rename over, synced", `echo a >f; echo b >g; sync f g .; mv f g; sync .`, `test "$(cat g)" = a && ! test -e f`},
		{"unlinked", `echo a >f; sync f .; rm f`, `test -e f`},
		{"unlinked, synced", `echo a >f; sync f .; rm f; sync .`, `! test -e f`},
		{"move, no sync", `mkdir a b; echo x >a/f; sync a/f a b .; mv a/f b/f`, `test -s a/f && ! test -e b/f`},
		{"move, new directory synced", `mkdir a b; echo x >a/f; sync a/f a b .; mv a/f b/f; sync b`, `test -s a/f && test -s b/f`},
		{"move, old directory synced", `mkdir a b; echo x >a/f; sync a/f a b .; mv a/f b/f; sync a`, `! test -e a/f && test -s b/f`},
		{"move a directory", `mkdir a b a/d; echo x >a/d/f; sync a/d/f a/d a b .; mv a/d b; sync b`, `test -s b/d/f && ! test -e a/d`},
		{"directory not synced", `mkdir a; echo x >a/f; sync a/f a`, `! test -e a`},
		{"rmdir", `mkdir a b; : >a/f; ! rmdir a 2>&-; rmdir b; sync .`, `test -d a && ! test -e b`},
		{"hard link", `echo x >f; ln f g; test $(stat -c %h f) = 2; sync f .; rm f; test $(stat -c %h g) = 1`, `test f -ef g && test "$(cat g)" = x`},
		{"symbolic link", `ln -s to l; sync .`, `test "$(readlink l)" = to`},
		{"metadata", `: >f; sync f .; chmod 640 f; touch -d @1000 f; sync f; chmod 600 f`, `test "$(stat -c %a,%Y f)" = 640,1000`},
		{"fallocate", `fallocate -l 9000 f; sync f .`, `test $(stat -c %s f) = 9000`},
		{"copy with attributes", `mkdir a; echo x >a/f; ln -s f a/l; cp -a a b; diff -r a b; sync b/f b .`, `test -s b/f && test -L b/l && ! test -e a/f`},
		{"socket", `python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind("c.sock")'; sync .`, `test -S c.sock`},
		{"flock", `exec 9>f; flock 9; ! flock -n f true; sync .`, `test -e f`},
		{"statfs", `test $(stat -f -c %s .) = 4096; : >f; sync .`, `test -e f`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			out := powercut(t, 0, "-cuts", "1", "-min", "10s", "-max", "10s",
				"-run", "set -e; cd $POWERCUT_DIR; "+tc.run+"; echo done", "-verify", "cd $POWERCUT_DIR; "+tc.check)
			if !strings.Contains(out, " 1 ack") {
				t.Error(out)
			}
		})
	}
}

func TestKeep(t *testing.T) {
	keep := t.TempDir()
	out := powercut(t, exitLost, "-cuts", "1", "-seed", "7", "-keep", keep, "-run", `cd $POWERCUT_DIR; echo x >f; sync .; echo f`,
		"-verify", `cd $POWERCUT_DIR; read f; rm $f; echo first; echo why; exit 4`)
	if !strings.Contains(out, "LOST: why\n") || !strings.Contains(out, "seed 7: 1 of 1 cuts lost") {
		t.Error(out)
	}
	for name, want := range map[string]string{"files/f": "", "acks": "f\n", "reason": "why\n"} {
		if b, err := os.ReadFile(filepath.Join(keep, "cut-7-1", name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(keep, "cut-7-1", "times")); !strings.HasSuffix(string(b), "ms f\n") {
		t.Errorf("times: %q", b)
	}
}

func TestAckFile(t *testing.T) {
	out := powercut(t, 0, "-cuts", "2", "-max", "300ms", "-ack-file", filepath.Join(t.TempDir(), "acks"),
		"-run", `sleep 100 & echo noise; echo one >>$POWERCUT_ACKS; printf tw >>$POWERCUT_ACKS`,
		"-verify", `test "$(cat)" = one`)
	if !strings.Contains(out, "2 acknowledgements (1 to 1 per cut)") {
		t.Error(out)
	}
}

// TestServe makes each fault, sees what a program sees, and looks at what a
// power cut leaves in between.
func TestServe(t *testing.T) {
	dir, cut := t.TempDir(), t.TempDir()
	cmd, _ := tool(t, "-serve", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	answers := bufio.NewScanner(out)
	answers.Scan()
	command := func(line, want string) {
		t.Helper()
		fmt.Fprintln(in, line)
		if answers.Scan(); !strings.HasPrefix(answers.Text(), want) {
			t.Fatalf("%s: %q, want %q", line, answers.Text(), want)
		}
	}
	name := filepath.Join(dir, "f")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sync := func() error {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		return errors.Join(f.Sync(), d.Sync())
	}
	left := func(want string) {
		t.Helper()
		os.RemoveAll(filepath.Join(cut, "f"))
		command("cut strict "+cut, "ok")
		if b, _ := os.ReadFile(filepath.Join(cut, "f")); string(b) != want {
			t.Errorf("a power cut leaves %q, want %q", b, want)
		}
	}
	f.WriteString("abc")
	if err := sync(); err != nil {
		t.Error(err)
	}
	command("nospace 2", "ok")
	if n, err := f.WriteString("defg"); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write on a full disk: %d, %v", n, err)
	}
	if n, err := f.WriteAt([]byte("A"), 0); n != 1 || err != nil {
		t.Errorf("write that does not grow on a full disk: %v", err)
	}
	left("abc")
	command("heal", "ok")
	command("syncfail", "ok")
	if err := sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("fsync: %v", err)
	}
	command("heal", "ok")
	if err := sync(); err != nil {
		t.Error(err)
	}
	left("abc\x00\x00") // what the failed fsync should have saved is lost
	command("readfail f*", "ok")
	if _, err := os.ReadFile(name); !errors.Is(err, syscall.EIO) {
		t.Errorf("read: %v", err)
	}
	command("readonly", "ok")
	_, err = f.WriteString("x")
	if err2 := os.Remove(name); !errors.Is(err, syscall.EROFS) || !errors.Is(err2, syscall.EROFS) {
		t.Errorf("changes of a read-only file system: %v, %v", err, err2)
	}
	command("heal", "ok")
	if b, err := os.ReadFile(name); string(b) != "Abcde" || err != nil {
		t.Errorf("at the end: %q, %v", b, err)
	}
	command("flood", "error: unknown command")
	command("nospace -1", "error")
}

func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"are required", nil},
		{"unknown model", []string{"-model", "x", "-run", "x", "-verify", "x"}},
		{"nothing was acknowledged", []string{"-cuts", "1", "-run", "true", "-verify", "true"}},
		{"failed before the cut: exit status 5", []string{"-run", "exit 5", "-verify", "true"}},
		{"cannot run the -verify command", []string{"-run", "echo x", "-verify", "/nonexistent"}},
	} {
		if out := powercut(t, exitFailed, tc.args...); !strings.Contains(out, tc.want) {
			t.Errorf("%q: output %q, want %q", tc.args, out, tc.want)
		}
	}
}

// TestAfterCut checks that a program sees EIO after the cut, until it is killed.
func TestAfterCut(t *testing.T) {
	v := newVolume()
	v.frozen = true
	if _, errno := v.root().Mkdir(t.Context(), "d", 0o755, nil); errno != syscall.EIO {
		t.Errorf("mkdir: %v", errno)
	}
	if errno := v.root().Fsync(t.Context(), nil, 0); errno != syscall.EIO {
		t.Errorf("fsync: %v", errno)
	}
}

func TestInterrupt(t *testing.T) {
	cmd, tmp := tool(t, "-min", "1m", "-max", "1m", "-run", "cd $POWERCUT_DIR; echo x >f; sleep 100", "-verify", "true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 500 { // until it is mounted
		if mounts, _ := os.ReadFile("/proc/mounts"); strings.Contains(string(mounts), tmp) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cmd.Process.Signal(os.Interrupt)
	if cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
	clean(t, tmp)
}
