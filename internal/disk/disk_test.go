package disk_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// TestContract holds the real disk and its model to the same behaviour.
func TestContract(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T) disk.FS
	}{
		{"real", func(t *testing.T) disk.FS { return openDir(t, t.TempDir()) }},
		{"view", func(t *testing.T) disk.FS { return openView(t, t.TempDir()) }},
		{"model", func(*testing.T) disk.FS { return faultdisk.New(1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []struct {
				name string
				run  func(*testing.T, disk.FS)
			}{
				{"Create sets zeroes aside", createsZeroes},
				{"what exists or does not", existence},
				{"read back what was written", readBack},
				{"List is sorted and has files only", listing},
				{"Rename replaces", renaming},
				{"room is left", freeSpace},
			} {
				t.Run(step.name, func(t *testing.T) { step.run(t, c.open(t)) })
			}
		})
	}
}

func openDir(t *testing.T, name string) *disk.Dir {
	t.Helper()
	d, err := disk.OpenDir(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, d disk.FS, name string, size int64) disk.File {
	t.Helper()
	f, err := d.Create(name, size)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func createsZeroes(t *testing.T, d disk.FS) {
	const size = 200_000
	f := create(t, d, "segment", size)
	if got, err := f.Size(); err != nil || got != size {
		t.Fatalf("%d bytes, %v", got, err)
	}
	b := bytes.Repeat([]byte{1}, size)
	_, err := f.ReadAt(b, 0)
	must(t, err)
	if !bytes.Equal(b, make([]byte, size)) {
		t.Error("a new file is not zero")
	}
}

func existence(t *testing.T, d disk.FS) {
	create(t, d, "here", 0)
	_, again := d.Create("here", 0)
	_, inNowhere := d.Create("nowhere/file", 0)
	_, open := d.Open("there")
	_, list := d.List("nowhere")
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"create it again", again, fs.ErrExist},
		{"create in a directory that is not there", inNowhere, fs.ErrNotExist},
		{"open what is not there", open, fs.ErrNotExist},
		{"list what is not there", list, fs.ErrNotExist},
		{"remove what is not there", d.Remove("there"), fs.ErrNotExist},
		{"rename what is not there", d.Rename("there", "here"), fs.ErrNotExist},
		{"make a directory twice", errors.Join(d.MkdirAll("a/b"), d.MkdirAll("a/b")), nil},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
}

func readBack(t *testing.T, d disk.FS) {
	f := create(t, d, "file", 0)
	for _, part := range []struct {
		at   int64
		text string
	}{{0, "hello, disk"}, {7, "world"}, {20, "far"}} {
		_, err := f.WriteAt([]byte(part.text), part.at)
		must(t, err)
	}
	must(t, f.Sync())
	must(t, f.Truncate(22))
	must(t, f.Truncate(24))
	must(t, f.Settle())
	must(t, d.SyncDir("."))
	again, err := d.Open("file")
	must(t, err)
	defer again.Close()
	b := make([]byte, 100)
	n, err := again.ReadAt(b, 0)
	if want := "hello, world\x00\x00\x00\x00\x00\x00\x00\x00fa\x00\x00"; err != io.EOF || string(b[:n]) != want {
		t.Errorf("%q, %v", b[:n], err)
	}
	if n, err := again.ReadAt(b, 24); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

func listing(t *testing.T, d disk.FS) {
	must(t, d.MkdirAll("hot/below"))
	create(t, d, "hot/b", 10)
	create(t, d, "hot/a", 4096)
	create(t, d, "hot/below/c", 0)
	got, err := d.List("hot")
	must(t, err)
	if diff := cmp.Diff([]disk.Entry{{Name: "a", Size: 4096}, {Name: "b", Size: 10}}, got); diff != "" {
		t.Error(diff)
	}
}

func renaming(t *testing.T, d disk.FS) {
	must(t, d.MkdirAll("hot"))
	f := create(t, d, "new", 0)
	_, err := f.WriteAt([]byte("new"), 0)
	must(t, err)
	create(t, d, "hot/old", 100)
	must(t, d.Rename("new", "hot/old"))
	got, err := d.List("hot")
	must(t, err)
	if diff := cmp.Diff([]disk.Entry{{Name: "old", Size: 3}}, got); diff != "" {
		t.Error(diff)
	}
	must(t, d.Remove("hot/old"))
	if got, err := d.List("hot"); err != nil || len(got) > 0 {
		t.Errorf("%v is left, %v", got, err)
	}
	_, err = f.WriteAt([]byte("still open"), 0)
	must(t, err)
}

func freeSpace(t *testing.T, d disk.FS) {
	if free, err := d.Free(); err != nil || free < 1<<20 {
		t.Errorf("%d bytes free, %v", free, err)
	}
}

func TestNothingOutsideIsTouched(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600))
	inside := t.TempDir()
	must(t, os.Symlink(outside, filepath.Join(inside, "link")))
	d := openDir(t, inside)
	for _, name := range []string{"../x", filepath.Join(outside, "secret"), "link/secret"} {
		if f, err := d.Open(name); err == nil {
			f.Close()
			t.Errorf("%s can be opened", name)
		}
		if d.Remove(name) == nil {
			t.Errorf("%s can be removed", name)
		}
		if f, err := d.Create(name+"new", 0); err == nil {
			f.Close()
			t.Errorf("%s can be created", name)
		}
	}
	if _, err := d.List("link"); err == nil {
		t.Error("a linked directory can be listed")
	}
}

func TestFilesAreTheOwners(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir)
	must(t, d.MkdirAll("a/b"))
	create(t, d, "a/b/file", 1)
	for name, want := range map[string]fs.FileMode{"a": 0o700, "a/b": 0o700, "a/b/file": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
}

func TestOpenDirNeedsTheDirectory(t *testing.T) {
	if _, err := disk.OpenDir(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want %v", err, fs.ErrNotExist)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		number syscall.Errno
		want   error
	}{
		{syscall.ENOSPC, disk.ErrNoSpace},
		{syscall.EDQUOT, disk.ErrNoSpace},
		{syscall.EROFS, disk.ErrReadOnly},
		{syscall.EIO, disk.ErrIO},
		{syscall.EUCLEAN, disk.ErrIO},
		{syscall.ENODEV, disk.ErrIO},
	} {
		err := disk.Classify(&fs.PathError{Op: "write", Path: "segment", Err: c.number})
		if !errors.Is(err, c.want) || !errors.Is(err, c.number) {
			t.Errorf("%v becomes %v", c.number, err)
		}
	}
	for _, err := range []error{nil, io.EOF, fs.ErrExist, syscall.ENOENT} {
		if got := disk.Classify(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

// The kernel has a disk that is always full.
func TestFullDisk(t *testing.T) {
	f, err := openDir(t, "/dev").Open("full")
	must(t, err)
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("error %v, want %v", err, disk.ErrNoSpace)
	}
}

// What does not fit leaves no file behind.
func TestCreateTooLarge(t *testing.T) {
	d := openDir(t, t.TempDir())
	if f, err := d.Create("huge", 1<<62); err == nil {
		f.Close()
		t.Fatal("an impossible file was made")
	}
	if got, err := d.List("."); err != nil || len(got) > 0 {
		t.Errorf("%v is left, %v", got, err)
	}
}

func BenchmarkSync(b *testing.B) {
	d, err := disk.OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	f, err := d.Create("segment", 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, disk.BlockBytes)
	at := int64(0)
	for b.Loop() {
		if _, err := f.WriteAt(block, at); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		at = (at + disk.BlockBytes) % (1 << 20)
	}
}
