package main

import "testing"

func TestSectorsWritten(t *testing.T) {
	const stat = "       8        0       64        3       12        5      960       40        0       20       43        0        0        0        0        0        0\n"
	if got, err := sectorsWritten(stat); got != 960*512 || err != nil {
		t.Errorf("%v bytes, %v; want %d", got, err, 960*512)
	}
	if _, err := sectorsWritten("1 2 3"); err == nil {
		t.Error("three fields are enough")
	}
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct{ offset, length, want int64 }{
		{0, 0, 0},
		{0, 1, 4096},
		{0, 4096, 4096},
		{4095, 2, 8192},
		{8192, 4097, 8192},
	} {
		if got := blocks(c.offset, c.length); got != c.want {
			t.Errorf("%d bytes at %d touch %d, want %d", c.length, c.offset, got, c.want)
		}
	}
}

// Where there is no block device, what the store writes is counted as it writes.
func TestWearIsCountedAtTheSeam(t *testing.T) {
	b := &bench{dir: t.TempDir(), scale: scaleOf(true)}
	dir, err := b.newDir()
	if err != nil {
		t.Fatal(err)
	}
	perSample, err := b.countedWear(t.Context(), dir, yearly)
	if err != nil {
		t.Fatal(err)
	}
	// A block for each sync of twenty samples, and what a seal adds.
	if perSample < 4096/20 || perSample > 40_000 {
		t.Errorf("%.0f bytes per sample", perSample)
	}
}
