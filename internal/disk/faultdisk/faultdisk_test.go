package faultdisk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// made makes a file with content, durable.
func made(t *testing.T, d *faultdisk.Disk, name string, content []byte) disk.File {
	t.Helper()
	f, err := d.Create(name, 0)
	must(t, err)
	write(t, f, content, 0)
	must(t, f.Sync())
	must(t, d.SyncDir("."))
	return f
}

func write(t *testing.T, f disk.File, content []byte, at int64) {
	t.Helper()
	_, err := f.WriteAt(content, at)
	must(t, err)
}

// content returns a file's content, or that there is none.
func content(t *testing.T, d *faultdisk.Disk, name string) string {
	t.Helper()
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "no file"
	}
	must(t, err)
	size, err := f.Size()
	must(t, err)
	b := make([]byte, size)
	if size > 0 {
		_, err = f.ReadAt(b, 0)
		must(t, err)
	}
	return string(b)
}

// sectors is a number of sectors, all of one letter.
func sectors(n int, letter byte) []byte {
	return bytes.Repeat([]byte{letter}, n*disk.SectorBytes)
}

// outcomes cuts the power after something was done, with many seeds, and
// returns how often each content came out, one letter a sector.
func outcomes(t *testing.T, name string, do func(*faultdisk.Disk)) map[string]int {
	t.Helper()
	seen := make(map[string]int)
	for seed := range uint64(200) {
		d := faultdisk.New(seed)
		do(d)
		got := content(t, d.Crash(), name)
		if got != "no file" {
			var letters []byte
			for i := 0; i < len(got); i += disk.SectorBytes {
				letters = append(letters, got[i])
			}
			got = string(letters)
		}
		seen[got]++
	}
	return seen
}

func mustSee(t *testing.T, seen map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if seen[w] == 0 {
			t.Errorf("%q never came out: %v", w, seen)
		}
		delete(seen, w)
	}
	for w := range seen {
		t.Errorf("%q came out", w)
	}
}

func TestWhatIsSyncedIsThere(t *testing.T) {
	seen := outcomes(t, "f", func(d *faultdisk.Disk) { made(t, d, "f", sectors(2, 'a')) })
	mustSee(t, seen, "aa")
}

func TestUnsyncedWritesAreThereOrTornOrNot(t *testing.T) {
	seen := outcomes(t, "f", func(d *faultdisk.Disk) {
		f := made(t, d, "f", sectors(2, 'a'))
		write(t, f, sectors(2, 'b'), 0)
	})
	mustSee(t, seen, "aa", "ab", "ba", "bb")
}

func TestWritesArriveInAnyOrder(t *testing.T) {
	seen := outcomes(t, "f", func(d *faultdisk.Disk) {
		f := made(t, d, "f", sectors(2, 'a'))
		write(t, f, sectors(1, 'b'), 0)
		write(t, f, sectors(1, 'c'), disk.SectorBytes)
	})
	mustSee(t, seen, "aa", "ac", "ba", "bc")
}

// Within a sector, a power cut leaves a state that the cache once had.
func TestSectorsAreNeverMixed(t *testing.T) {
	for seed := range uint64(100) {
		d := faultdisk.New(seed)
		f := made(t, d, "f", []byte("......"))
		write(t, f, []byte("a"), 0)
		write(t, f, []byte("b"), 2)
		switch got := content(t, d.Crash(), "f"); got {
		case "......", "a.....", "a.b...":
		default:
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
}

func TestLengthIsDurableWithSyncOnly(t *testing.T) {
	grown := outcomes(t, "f", func(d *faultdisk.Disk) {
		f := made(t, d, "f", sectors(1, 'a'))
		write(t, f, sectors(1, 'b'), disk.SectorBytes)
	})
	mustSee(t, grown, "a", "ab", "a\x00")
	cut := outcomes(t, "f", func(d *faultdisk.Disk) {
		f := made(t, d, "f", sectors(2, 'a'))
		must(t, f.Truncate(disk.SectorBytes))
	})
	mustSee(t, cut, "a", "aa", "a\x00")
	synced := outcomes(t, "f", func(d *faultdisk.Disk) {
		f := made(t, d, "f", sectors(2, 'a'))
		must(t, f.Truncate(disk.SectorBytes))
		must(t, f.Sync())
	})
	mustSee(t, synced, "a")
}

func TestNamesNeedSyncDir(t *testing.T) {
	created := outcomes(t, "f", func(d *faultdisk.Disk) {
		f, err := d.Create("f", 0)
		must(t, err)
		write(t, f, sectors(1, 'a'), 0)
		must(t, f.Sync())
	})
	mustSee(t, created, "no file", "a")
	removed := outcomes(t, "f", func(d *faultdisk.Disk) {
		made(t, d, "f", sectors(1, 'a'))
		must(t, d.Remove("f"))
	})
	mustSee(t, removed, "no file", "a")
	renamed := outcomes(t, "f", func(d *faultdisk.Disk) {
		made(t, d, "f", sectors(1, 'a'))
		made(t, d, "g", sectors(1, 'b'))
		must(t, d.Rename("g", "f"))
	})
	mustSee(t, renamed, "a", "b")
	synced := outcomes(t, "f", func(d *faultdisk.Disk) {
		made(t, d, "g", sectors(1, 'b'))
		must(t, d.Rename("g", "f"))
		must(t, d.SyncDir("."))
	})
	mustSee(t, synced, "b")
}

func TestPreallocationMayBeLost(t *testing.T) {
	seen := outcomes(t, "f", func(d *faultdisk.Disk) {
		_, err := d.Create("f", 2*disk.SectorBytes)
		must(t, err)
		must(t, d.SyncDir("."))
	})
	mustSee(t, seen, "", "\x00\x00")
}

func TestFailedSyncLosesWhatASecondOneDoesNotSave(t *testing.T) {
	seen := outcomes(t, "f", func(d *faultdisk.Disk) {
		f := made(t, d, "f", sectors(2, 'a'))
		write(t, f, sectors(2, 'b'), 0)
		d.FailAfter(0)
		if err := f.Sync(); !errors.Is(err, disk.ErrIO) {
			t.Fatalf("error %v, want %v", err, disk.ErrIO)
		}
		must(t, f.Sync())
		if got := content(t, d, "f"); got != string(sectors(2, 'b')) {
			t.Fatal("the cache does not hide what is lost")
		}
	})
	mustSee(t, seen, "aa", "ab", "ba", "bb")
}

func TestSettleShowsWhatIsDurable(t *testing.T) {
	for seed := range uint64(50) {
		d := faultdisk.New(seed)
		f := made(t, d, "f", sectors(2, 'a'))
		write(t, f, sectors(2, 'b'), 0)
		d.FailAfter(0)
		if err := f.Sync(); !errors.Is(err, disk.ErrIO) {
			t.Fatalf("error %v, want %v", err, disk.ErrIO)
		}
		d = d.Restart()
		f, err := d.Open("f")
		must(t, err)
		must(t, f.Settle())
		before := content(t, d, "f")
		if after := content(t, d.Crash(), "f"); after != before {
			t.Fatalf("seed %d: settled, and changed by a power cut", seed)
		}
	}
}

func TestRestartForgetsNothing(t *testing.T) {
	d := faultdisk.New(1)
	f := made(t, d, "f", sectors(1, 'a'))
	write(t, f, sectors(1, 'b'), 0)
	_, err := d.Create("g", 5)
	must(t, err)
	d = d.Restart()
	if got := content(t, d, "f"); got != string(sectors(1, 'b')) {
		t.Error("a write is lost though the machine lives")
	}
	if got := content(t, d, "g"); got != "\x00\x00\x00\x00\x00" {
		t.Error("a file is lost though the machine lives")
	}
	if !d.Dirty() {
		t.Error("what was not durable has become so")
	}
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, faultdisk.ErrCrashed) {
		t.Errorf("a dead process writes: %v", err)
	}
}

func TestLyingSyncDoesNothing(t *testing.T) {
	seen := outcomes(t, "f", func(d *faultdisk.Disk) {
		f := made(t, d, "f", sectors(1, 'a'))
		d.SetFaults(faultdisk.Faults{Lies: 1})
		write(t, f, sectors(1, 'b'), 0)
		must(t, f.Sync())
		must(t, d.Remove("f"))
		must(t, d.SyncDir("."))
		if !d.Dirty() {
			t.Error("the lie is not known")
		}
	})
	mustSee(t, seen, "a", "b", "no file")
}

func TestCrashAfterCountsOperations(t *testing.T) {
	for n := range 4 {
		d := faultdisk.New(1)
		d.CrashAfter(n)
		var done int
		f, err := d.Create("f", 0)
		for ; err == nil && done < 10; done++ {
			_, err = f.WriteAt([]byte("x"), int64(done))
		}
		if !errors.Is(err, faultdisk.ErrCrashed) || d.Stats().Operations != n+1 {
			t.Errorf("after %d: %v, %+v", n, err, d.Stats())
		}
		_, list := d.List(".")
		_, free := d.Free()
		_, open := d.Open("f")
		for _, err := range []error{d.SyncDir("."), d.Rename("f", "g"), d.Remove("f"), list, free, open} {
			if !errors.Is(err, faultdisk.ErrCrashed) {
				t.Errorf("after the crash: %v", err)
			}
		}
		if _, err := d.Crash().List("."); err != nil {
			t.Errorf("after the power came back: %v", err)
		}
	}
}

func TestFullDiskTakesWhatFits(t *testing.T) {
	d := faultdisk.New(1)
	f := made(t, d, "f", make([]byte, 1000))
	d.SetFaults(faultdisk.Faults{FullAt: 1500})
	if _, err := d.Create("g", 600); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("create: %v", err)
	}
	if n, err := f.WriteAt(make([]byte, 1000), 900); n != 600 || !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("write: %d, %v", n, err)
	}
	write(t, f, make([]byte, 1500), 0)
	if err := f.Truncate(2000); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("truncate: %v", err)
	}
	if free, err := d.Free(); err != nil || free != 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
}

func TestReadOnlyDiskRefusesChanges(t *testing.T) {
	d := faultdisk.New(1)
	clean := made(t, d, "clean", []byte("x"))
	dirty := made(t, d, "dirty", []byte("x"))
	write(t, dirty, []byte("y"), 0)
	d.SetFaults(faultdisk.Faults{ReadOnly: true})
	_, create := d.Create("g", 0)
	_, write := clean.WriteAt([]byte("z"), 0)
	for _, err := range []error{create, write, dirty.Sync(), clean.Truncate(0), d.Remove("clean"), d.Rename("clean", "g"), d.MkdirAll("x")} {
		if !errors.Is(err, disk.ErrReadOnly) {
			t.Errorf("error %v, want %v", err, disk.ErrReadOnly)
		}
	}
	must(t, clean.Sync())
	must(t, d.SyncDir("."))
	if got := content(t, d, "clean"); got != "x" {
		t.Errorf("%q", got)
	}
}

func TestRot(t *testing.T) {
	d := faultdisk.New(1)
	made(t, d, "f", make([]byte, 1000))
	offsets := d.Rot("f", 100, 200, 1)
	got := []byte(content(t, d.Crash(), "f"))
	if len(offsets) != 1 || offsets[0] < 100 || offsets[0] >= 200 || got[offsets[0]] == 0 {
		t.Errorf("rot at %v", offsets)
	}
	got[offsets[0]] = 0
	if !bytes.Equal(got, make([]byte, 1000)) {
		t.Error("rot elsewhere")
	}
}

func TestBadSector(t *testing.T) {
	d := faultdisk.New(1)
	f := made(t, d, "f", sectors(3, 'a'))
	d.BadSector("f", 600)
	b := make([]byte, 512)
	for at, want := range map[int64]error{0: nil, 1: disk.ErrIO, 512: disk.ErrIO, 1024: nil} {
		if _, err := f.ReadAt(b, at); !errors.Is(err, want) {
			t.Errorf("read at %d: %v, want %v", at, err, want)
		}
	}
}

func TestStatsCountBlocks(t *testing.T) {
	d := faultdisk.New(1)
	f, err := d.Create("f", 3*disk.BlockBytes)
	must(t, err)
	must(t, f.Sync()) // the zeroes: 3
	write(t, f, []byte("x"), 0)
	write(t, f, []byte("y"), 9)
	must(t, f.Sync()) // 1
	write(t, f, []byte("zz"), disk.BlockBytes-1)
	must(t, f.Sync()) // 2
	must(t, f.Sync()) // 0
	want := faultdisk.Stats{Operations: 8, Writes: 3, Syncs: 4, Bytes: 4, Blocks: 6}
	if diff := cmp.Diff(want, d.Stats()); diff != "" {
		t.Error(diff)
	}
}
