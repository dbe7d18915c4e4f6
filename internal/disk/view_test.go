package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

func openView(t *testing.T, name string) *disk.View {
	t.Helper()
	v, err := disk.OpenView(name)
	must(t, err)
	t.Cleanup(func() { v.Close() })
	return v
}

// content reads all files of a directory.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[path] = "a directory"
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	}))
	return all
}

func readAll(t *testing.T, files disk.FS, name string) string {
	t.Helper()
	f, err := files.Open(name)
	must(t, err)
	defer f.Close()
	size, err := f.Size()
	must(t, err)
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	must(t, err)
	return string(b)
}

func TestViewChangesNothing(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "log"), 0o700))
	for _, name := range []string{"a", "b", "log/c"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("as it was"), 0o400))
	}
	before := content(t, dir)
	v := openView(t, dir)
	early, err := v.Open("a") // sees what is written later
	must(t, err)
	defer early.Close()
	f, err := v.Open("a")
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("is"), 3)
	must(t, err)
	must(t, f.Truncate(6))
	must(t, errors.Join(f.Sync(), f.Settle()))
	must(t, v.Rename("b", "log/d"))
	must(t, v.Remove("log/c"))
	must(t, v.MkdirAll("new/deep"))
	_, err = v.Create("new/deep/e", 4)
	must(t, err)

	if got := readAll(t, v, "a"); got != "as is " {
		t.Errorf("the view of what was written is %q", got)
	}
	if size, err := early.Size(); size != 6 || err != nil {
		t.Errorf("opened before the write: %d bytes, %v", size, err)
	}
	for list, want := range map[string][]disk.Entry{
		".": {{Name: "a", Size: 6}}, "log": {{Name: "d", Size: 9}}, "new/deep": {{Name: "e", Size: 4}},
	} {
		got, err := v.List(list)
		must(t, err)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", list, d)
		}
	}
	if _, err := v.Open("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was renamed is still there: %v", err)
	}
	if d := cmp.Diff(before, content(t, dir)); d != "" {
		t.Errorf("the directory was changed (-before +after):\n%s", d)
	}
}
