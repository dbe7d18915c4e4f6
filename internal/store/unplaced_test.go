package store_test

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

const (
	thisBoot    = "0b1e5f1c-0000-4000-8000-000000000001"
	earlierBoot = "0b1e5f1c-0000-4000-8000-000000000000"
	epoch       = smartmeter.Instant(1_790_000_000_000)
)

// sample returns a reading of n with a number, at a time or an uptime.
func sample(seq uint32, at smartmeter.Instant) smartmeter.Reading {
	return smartmeter.Reading{
		Node: "n", At: at, Boot: 7, Seq: seq,
		Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: smartmeter.Deciwatt(seq)},
	}
}

// unnumbered returns a reading of a node that does not number its samples.
func unnumbered(at smartmeter.Instant) smartmeter.Reading {
	r := sample(0, at)
	r.Boot, r.Timing, r.Power = 0, smartmeter.ByArrival, smartmeter.Deciwatt(at%1000)
	return r
}

func placed(r smartmeter.Reading) smartmeter.Reading {
	r.At += epoch
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// holds fails unless s has these readings of n, and so many wait for the time.
func holds(t *testing.T, s *store.Store, unplaced int, want ...smartmeter.Reading) {
	t.Helper()
	var got []smartmeter.Reading
	for r, err := range s.Readings(t.Context(), "n", 0, 0, 1<<60) {
		must(t, err)
		got = append(got, r)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("readings (-want +got):\n%s", d)
	}
	if n := s.Unplaced(); n != unplaced {
		t.Errorf("%d readings wait for the time, want %d", n, unplaced)
	}
}

func TestPlacedWhenTheTimeIsKnown(t *testing.T) {
	for name, restart := range map[string]bool{"in one life": false, "with restarts": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			again := func() {
				if restart {
					must(t, s.Close())
					s = open(t, dir)
				}
			}
			must(t, s.AppendUnplaced(thisBoot, sample(2, 7000), unnumbered(6500), sample(1, -2000)))
			must(t, s.Sync(t.Context()))
			again()
			must(t, s.AppendUnplaced(thisBoot, sample(2, 7001))) // its node has seen no receipt
			must(t, s.AppendUnplaced(thisBoot, sample(3, 12_000)))
			must(t, s.Sync(t.Context()))
			holds(t, s, 4)
			if w := s.Watermark("n", 0, 7); w.Seq != 0 {
				t.Errorf("the node is told to forget up to %d before anybody knows when that was", w.Seq)
			}
			again()
			must(t, s.Place(thisBoot, epoch))
			must(t, s.Sync(t.Context()))
			want := []smartmeter.Reading{placed(sample(1, -2000)), placed(unnumbered(6500)), placed(sample(2, 7000)), placed(sample(3, 12_000))}
			holds(t, s, 0, want...)
			if w := s.Watermark("n", 0, 7); w.Seq != 3 {
				t.Errorf("watermark %d, want 3", w.Seq)
			}
			again()
			must(t, s.AppendReadings(placed(sample(2, 7005)))) // sent twice
			must(t, s.Seal(t.Context(), time.UnixMilli(int64(epoch)).AddDate(0, 0, 2)))
			again()
			holds(t, s, 0, want...)
			must(t, s.Close())
		})
	}
}

// A boot of the machine that never learned the time keeps its readings, through
// any number of restarts and released logs, until their node can tell.
func TestNeverPlacedStays(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.AppendUnplaced(earlierBoot, sample(1, 1000), unnumbered(2000)))
	must(t, s.Close())
	for n := range 3 {
		s = open(t, dir)
		must(t, s.Place(thisBoot, epoch)) // that was another boot
		must(t, s.AppendReadings(smartmeter.Reading{Node: "other", At: epoch + smartmeter.Instant(n)}))
		must(t, s.Seal(t.Context(), time.UnixMilli(int64(epoch)).AddDate(0, 0, 2)))
		must(t, s.EraseDevice(t.Context(), smartmeter.Device{ID: "other", Node: "other"})) // the whole log goes
		holds(t, s, 2)
		must(t, s.Close())
	}
	s = open(t, dir)
	holds(t, s, 2)
	must(t, s.AppendUnplaced(thisBoot, sample(1, 500))) // its node sends it again
	holds(t, s, 2)
	must(t, s.Close())
	s = open(t, dir)
	must(t, s.AppendReadings(sample(1, epoch))) // its node tells the time
	must(t, s.Place(thisBoot, epoch))
	must(t, s.Sync(t.Context()))
	holds(t, s, 1, sample(1, epoch))
	must(t, s.Close())
	s = open(t, dir)
	holds(t, s, 1, sample(1, epoch))
	must(t, s.EraseDevice(t.Context(), smartmeter.Device{ID: "n", Node: "n"}))
	holds(t, s, 0)
	must(t, s.Close())
	s = open(t, dir)
	holds(t, s, 0)
	must(t, s.Close())
}

func TestUnplacedIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	batch := make([]smartmeter.Reading, 1000)
	for n := range 200 {
		for i := range batch {
			batch[i] = sample(uint32(n*1000+i+1), smartmeter.Instant(i))
		}
		must(t, s.AppendUnplaced(thisBoot, batch...))
	}
	err := s.AppendUnplaced(thisBoot, sample(200_001, 1))
	if err == nil || !strings.Contains(err.Error(), "--clock trusted") {
		t.Errorf("reading 200001: %v", err)
	}
	must(t, s.Sync(t.Context()))
	must(t, s.Place(thisBoot, epoch))
	must(t, s.Sync(t.Context()))
	if w := s.Watermark("n", 0, 7); w.Seq != 200_000 {
		t.Errorf("watermark %d, want 200000", w.Seq)
	}
}

func TestImpossibleUptimesAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	for name, err := range map[string]error{
		"no boot":   s.AppendUnplaced("", sample(1, 1)),
		"long boot": s.AppendUnplaced(strings.Repeat("x", 65), sample(1, 1)),
		"too old":   s.AppendUnplaced(thisBoot, sample(1, -1<<60)),
		"too young": s.AppendUnplaced(thisBoot, sample(1, 1<<60)),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	must(t, s.AppendUnplaced(thisBoot, sample(1, -5000)))
	must(t, s.Place(thisBoot, 1000)) // a time before 1970: it waits for a better word
	must(t, s.Sync(t.Context()))
	holds(t, s, 1)
}

var placeSeed = flag.Uint64("store.placeseed", 0, "repeat only the run of TestUnplacedSurvivesPowerCuts with this seed; 0 is all")

// Power cuts and killed processes at any moment: every sample that was durable
// without a time still is, or has its time, once; what was placed stays there.
func TestUnplacedSurvivesPowerCuts(t *testing.T) {
	first, last := uint64(1), uint64(5)
	if *placeSeed != 0 {
		first, last = *placeSeed, *placeSeed
	}
	for seed := first; seed <= last; seed++ {
		w := &world{t: t, dir: t.TempDir(), files: faultdisk.New(seed), rand: rand.New(rand.NewPCG(seed, 1)), durable: make(map[uint32]bool), known: make(map[uint32]smartmeter.Instant)}
		for life := range 12 {
			w.machine = fmt.Sprint("boot ", life/3)
			w.live()
			if t.Failed() {
				t.Fatalf("life %d; repeat it with -run '%s' -store.placeseed=%d", life, t.Name(), seed)
			}
		}
	}
}

// world is a machine with a store, and what the store must know.
type world struct {
	t       *testing.T
	dir     string
	files   *faultdisk.Disk
	rand    *rand.Rand
	machine string

	seq     uint32
	taken   []uint32                      // by the store that lives
	durable map[uint32]bool               // samples that may not be lost
	known   map[uint32]smartmeter.Instant // those with a time that may not change
}

// live opens the store, checks it, works with it and cuts the power.
func (w *world) live() {
	s, err := store.Open(w.t.Context(), store.Config{Dir: w.dir, FS: w.files, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	must(w.t, err)
	w.check(s)
	w.taken = nil
	w.files.CrashAfter(1 + w.rand.IntN(60))
	for range 40 {
		if w.step(s); w.files.Crashed() {
			break
		}
	}
	old := w.files
	if w.rand.IntN(3) == 0 && !old.Crashed() {
		w.files = old.Restart()
	} else {
		w.files = old.Crash()
	}
	_ = s.Close() // it has no disk any more
}

func (w *world) step(s *store.Store) {
	switch w.rand.IntN(6) {
	case 0, 1, 2:
		for range 1 + w.rand.IntN(5) {
			w.seq++
			w.taken = append(w.taken, w.seq)
			must(w.t, s.AppendUnplaced(w.machine, sample(w.seq, smartmeter.Instant(w.seq)*1000)))
		}
	case 3:
		if s.Sync(w.t.Context()) == nil {
			w.note(s)
		}
	case 4:
		must(w.t, s.Place(w.machine, epoch+smartmeter.Instant(w.rand.IntN(1000))))
	case 5:
		if s.Seal(w.t.Context(), time.UnixMilli(int64(epoch)).AddDate(0, 1, 0)) == nil {
			w.note(s)
		}
	}
}

// note notes what is durable after a Sync.
func (w *world) note(s *store.Store) {
	for _, seq := range w.taken {
		w.durable[seq] = true
	}
	for seq, at := range w.times(s) {
		w.known[seq] = at
	}
}

func (w *world) times(s *store.Store) map[uint32]smartmeter.Instant {
	times := make(map[uint32]smartmeter.Instant)
	for r, err := range s.Readings(w.t.Context(), "n", 0, 0, 1<<60) {
		must(w.t, err)
		if _, twice := times[r.Seq]; twice {
			w.t.Errorf("sample %d is there twice", r.Seq)
		}
		times[r.Seq] = r.At
	}
	return times
}

func (w *world) check(s *store.Store) {
	times := w.times(s)
	for seq, at := range w.known {
		if times[seq] != at {
			w.t.Errorf("sample %d is at %d, was at %d", seq, times[seq], at)
		}
	}
	missing := 0
	for seq := range w.durable {
		if _, ok := times[seq]; !ok {
			missing++
		}
	}
	if n := s.Unplaced(); n < missing {
		w.t.Errorf("%d durable samples have no time, but only %d wait for it", missing, n)
	}
}
