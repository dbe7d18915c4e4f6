package nodehost

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// numbered is the n-th sample of a boot, one every 5 s.
func numbered(boot smartmeter.BootID, n uint32) smartmeter.Sample {
	m := measuring()
	m.Energy += smartmeter.WattHour(n)
	m.Power = smartmeter.MaxPower
	return smartmeter.Sample{Measurement: m, Boot: boot, Seq: n, T: smartmeter.Millis(n) * 5000, At: 1_795_000_000_000}
}

// bufferIn opens a buffer.
func bufferIn(t interface{ Fatal(...any) }, in files, kept uint64) *buffer {
	b, err := openBuffer(in, kept, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contents reads all that a buffer keeps.
func contents(b *buffer) []smartmeter.Sample {
	var all []smartmeter.Sample
	for position, next := b.Bounds(); position < next; position++ {
		var s smartmeter.Sample
		if b.Get(position, &s) {
			all = append(all, s)
		}
	}
	return all
}

func TestBufferOutlivesItsProcess(t *testing.T) {
	in := open(t, t.TempDir())
	b := bufferIn(t, in, 1000)
	var want []smartmeter.Sample
	for n := range uint32(100) {
		s := numbered(7, n+1)
		want = append(want, s)
		b.Put(&s)
	}
	if diff := cmp.Diff(want, contents(b)); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	b.Forget(30)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = bufferIn(t, in, 1000)
	defer b.Close()
	if first, next := b.Bounds(); first != 30 || next != 100 {
		t.Errorf("bounds %d, %d; want 30, 100", first, next)
	}
	if diff := cmp.Diff(want[30:], contents(b)); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

// A hub that listens keeps the disk free of writes.
func TestBufferSparesTheDisk(t *testing.T) {
	dir := t.TempDir()
	b := bufferIn(t, open(t, dir), 1000)
	defer b.Close()
	for n := range uint32(1000) {
		s := numbered(7, n+1)
		b.Put(&s)
		b.Forget(uint64(n)) // it lags by one
	}
	if about, err := os.Stat(filepath.Join(dir, samplesFile)); err != nil || about.Size() != 0 {
		t.Errorf("%d bytes written, %v", about.Size(), err)
	}
}

// TestBufferIsARing compares it with a list, over restarts in good order.
func TestBufferIsARing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := worstDisk{faultdisk.New(1)}
		const kept = 50
		b := bufferIn(rt, in, kept)
		var list []smartmeter.Sample
		n := uint32(0)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				first, _ := b.Bounds()
				drop := rapid.IntRange(0, len(list)).Draw(rt, "forget")
				b.Forget(first + uint64(drop))
				list = list[drop:]
			case 1:
				if err := b.Close(); err != nil {
					rt.Fatal(err)
				}
				b = bufferIn(rt, in, kept)
			default:
				for range rapid.IntRange(1, 40).Draw(rt, "put") {
					n++
					s := numbered(7, n)
					b.Put(&s)
					list = append(list, s)
				}
				list = list[max(0, len(list)-kept):]
			}
			if got := contents(b); !slices.Equal(list, got) {
				rt.Fatalf("keeps %v, want %v", got, list)
			}
		}
	})
}

// fullDisk takes no more than its first bytes.
type fullDisk struct{ files }

func (d fullDisk) Open(name string) (file, error) {
	f, err := d.files.Open(name)
	return fullFile{f}, err
}

type fullFile struct{ file }

func (fullFile) WriteAt([]byte, int64) (int, error) { return 0, errors.New("no space left") }

func TestBufferWithoutADisk(t *testing.T) {
	b := bufferIn(t, fullDisk{open(t, t.TempDir())}, 10_000)
	defer b.Close()
	for n := range uint32(3000) {
		s := numbered(7, n+1)
		b.Put(&s)
	}
	got := contents(b)
	if len(got) != tailKept || got[len(got)-1].Seq != 3000 {
		t.Errorf("%d samples are kept, the last is %d", len(got), got[len(got)-1].Seq)
	}
}

// Bits rot on memory cards. The sample they are in is gone, and no other.
func TestBufferWithRot(t *testing.T) {
	d := faultdisk.New(1)
	b := bufferIn(t, worstDisk{d}, 1000)
	for n := range uint32(100) {
		s := numbered(7, n+1)
		b.Put(&s)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	d.Rot(samplesFile, recordLen*(1+40)+36, recordLen*(1+40)+44, 1) // in the register
	got := contents(bufferIn(t, worstDisk{d.Restart()}, 1000))
	if len(got) != 99 || slices.ContainsFunc(got, func(s smartmeter.Sample) bool { return s != numbered(7, s.Seq) || s.Seq == 41 }) {
		t.Errorf("kept %v", got)
	}
}

func TestPutDoesNotAllocate(t *testing.T) {
	b := bufferIn(t, open(t, t.TempDir()), 1000)
	defer b.Close()
	var n uint32
	s := new(smartmeter.Sample)
	if allocs := testing.AllocsPerRun(3000, func() {
		n++
		*s = numbered(7, n)
		b.Put(s)
	}); allocs != 0 {
		t.Errorf("%v allocations per sample", allocs)
	}
}

func TestBufferOfRubbish(t *testing.T) {
	dir := t.TempDir()
	rubbish := make([]byte, 100_001)
	for i := range rubbish {
		rubbish[i] = byte(i * 31)
	}
	write(t, filepath.Join(dir, samplesFile), string(rubbish))
	b := bufferIn(t, open(t, dir), 1000)
	defer b.Close()
	if first, next := b.Bounds(); first != next {
		t.Errorf("bounds %d, %d", first, next)
	}
	s := numbered(7, 1)
	b.Put(&s)
	if got := contents(b); len(got) != 1 || got[0] != s {
		t.Errorf("kept %v", got)
	}
}

func BenchmarkBufferPut(b *testing.B) {
	in, err := openDirectory(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	buffer := bufferIn(b, in, samplesKept)
	defer buffer.Close()
	b.ReportAllocs()
	for n := uint32(0); b.Loop(); n++ {
		s := numbered(7, n+1)
		buffer.Put(&s)
	}
}
