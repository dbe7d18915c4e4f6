package disk_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

func TestReplaceFileLeavesOldOrNew(t *testing.T) {
	files := faultdisk.New(1)
	if _, err := disk.ReadFile(files, "a", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	for _, text := range []string{"first", "second", ""} {
		must(t, disk.ReplaceFile(files, "a", []byte(text)))
		got, err := disk.ReadFile(files, "a", 10)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
	}
}

func TestReadFileRefusesWhatIsTooLarge(t *testing.T) {
	files := openDir(t, t.TempDir())
	must(t, disk.ReplaceFile(files, "a", make([]byte, 11)))
	if _, err := disk.ReadFile(files, "a", 10); err == nil {
		t.Error("11 bytes were read")
	}
}

func TestReplaceFileLeavesOldOrNewWheneverThePowerFails(t *testing.T) {
	for cut := 1; ; cut++ {
		files := faultdisk.New(uint64(cut))
		must(t, disk.ReplaceFile(files, "a", []byte("old")))
		files.CrashAfter(cut)
		err := disk.ReplaceFile(files, "a", []byte("new"))
		got, readErr := disk.ReadFile(files.Crash(), "a", 10)
		if readErr != nil || string(got) != "new" && (err == nil || string(got) != "old") {
			t.Errorf("cut %d: %q, %v; replacing it said %v", cut, got, readErr, err)
		}
		if err == nil {
			return
		}
	}
}
