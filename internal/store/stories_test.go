package store_test

import (
	"bytes"
	"cmp"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// Stories of a store's life, each with one thing that goes on in it.

const (
	minute   = smartmeter.Instant(60_000)
	hour     = 60 * minute
	day      = 24 * hour
	storyDay = 20_000 * day // a midnight in 2024
)

// life is a store whose clock the test sets.
type life struct {
	*store.Store
	t   *testing.T
	dir string
	now atomic.Int64 // ms since 1970
}

func begin(t *testing.T) *life {
	l := &life{t: t, dir: t.TempDir()}
	l.now.Store(int64(storyDay))
	l.open()
	t.Cleanup(func() { l.must(l.Close()) })
	return l
}

func (l *life) open() {
	l.t.Helper()
	var err error
	l.Store, err = store.Open(l.t.Context(), store.Config{
		Dir: l.dir, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(l.now.Load()) },
	})
	l.must(err)
}

// restart closes the store, lets meanwhile happen to its directory, and opens it.
func (l *life) restart(meanwhile func()) {
	l.t.Helper()
	l.must(l.Close())
	meanwhile()
	l.open()
}

func (l *life) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// take takes readings and makes them durable.
func (l *life) take(readings ...smartmeter.Reading) {
	l.t.Helper()
	l.must(l.AppendReadings(readings...))
	l.must(l.Sync(l.t.Context()))
}

// seal seals the days before an instant.
func (l *life) seal(before smartmeter.Instant) {
	l.t.Helper()
	l.must(l.Seal(l.t.Context(), time.UnixMilli(int64(before))))
}

func (l *life) readings(node smartmeter.NodeID) []smartmeter.Reading {
	l.t.Helper()
	var all []smartmeter.Reading
	for r, err := range l.Readings(l.t.Context(), node, 0, 0, 1<<60) {
		l.must(err)
		all = append(all, r)
	}
	return all
}

func (l *life) buckets(node smartmeter.NodeID, from, to smartmeter.Instant, width smartmeter.Millis) []smartmeter.Bucket {
	l.t.Helper()
	var all []smartmeter.Bucket
	for b, err := range l.Buckets(l.t.Context(), node, 0, smartmeter.AllQuantities, from, to, width) {
		l.must(err)
		all = append(all, b)
	}
	return all
}

// samples returns what a node measured once a minute from an instant on, and
// numbered.
func samples(node smartmeter.NodeID, from smartmeter.Instant, n int) []smartmeter.Reading {
	chance := rand.New(rand.NewPCG(uint64(from), uint64(n)))
	all := make([]smartmeter.Reading, n)
	for i := range all {
		all[i] = smartmeter.Reading{
			Node: node, At: from + smartmeter.Instant(i)*minute, Boot: 0x00c0ffee, Seq: uint32((from-storyDay)/minute) + uint32(i) + 1,
			Measurement: smartmeter.Measurement{
				Has:     smartmeter.AllQuantities,
				Voltage: 2300 + smartmeter.Decivolt(chance.IntN(40)), Current: smartmeter.Milliamp(chance.IntN(9000)),
				Power: smartmeter.Deciwatt(chance.IntN(20_000)), Energy: smartmeter.WattHour(i), Frequency: 500, PowerFactor: 97,
			},
		}
	}
	return all
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%.2000s", what, diff)
	}
}

// Late samples come in any order and more than once, after their day was sealed.
// What is answered is what would be if nothing had ever been sealed.
func TestLateReadingsMakeTheDayAnew(t *testing.T) {
	const node = "fridge"
	all := samples(node, storyDay, 3*24*60)
	sealed, open := begin(t), begin(t)
	open.take(all...)
	var late []smartmeter.Reading
	for i, r := range all {
		switch i % 7 {
		case 3, 4:
			late = append(late, r)
		default:
			sealed.must(sealed.AppendReadings(r))
		}
	}
	sealed.must(sealed.Sync(t.Context()))
	sealed.seal(storyDay + 2*day) // the last day stays open
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(late), func(i, k int) { late[i], late[k] = late[k], late[i] })
	for part := range slices.Chunk(append(late, late[:200]...), 500) {
		sealed.take(part...)
		sealed.take(all[:100]...) // a node that has not heard of an acknowledgement
		sealed.seal(storyDay + 2*day)
	}
	agree := func(when string) {
		t.Helper()
		same(t, when+": readings", sealed.readings(node), all)
		for _, width := range []smartmeter.Millis{7 * 60_000, 15 * 60_000, 3_600_000, 86_400_000} {
			for _, span := range [][2]smartmeter.Instant{{0, 3 * day}, {5 * hour, day + 7*hour}, {day, 2 * day}} {
				from, to := storyDay+span[0], storyDay+span[1]
				same(t, when+": sums", sealed.buckets(node, from, to, width), open.buckets(node, from, to, width))
			}
		}
	}
	agree("after late readings")
	sealed.restart(func() {})
	agree("after a restart")
	sealed.seal(storyDay + 3*day)
	agree("all sealed")
}

// everything is all that a store can be asked.
type everything struct {
	Readings map[smartmeter.NodeID][]smartmeter.Reading
	Hours    map[smartmeter.NodeID][]smartmeter.Bucket
	Devices  []smartmeter.Device
	Commands []smartmeter.Command
	Latest   []smartmeter.Reading
	Retained []smartmeter.Message
	Fixes    []smartmeter.Correction
	Marks    smartmeter.Watermark
}

func (l *life) everything(nodes ...smartmeter.NodeID) (a everything) {
	l.t.Helper()
	a.Readings, a.Hours = make(map[smartmeter.NodeID][]smartmeter.Reading), make(map[smartmeter.NodeID][]smartmeter.Bucket)
	for _, n := range nodes {
		a.Readings[n] = l.readings(n)
		a.Hours[n] = l.buckets(n, storyDay, storyDay+4*day, 3_600_000)
	}
	var err [5]error
	a.Devices, err[0] = l.Devices(l.t.Context())
	a.Commands, err[1] = l.Commands(l.t.Context(), "oven", 100)
	a.Latest, err[2] = l.Latest(l.t.Context())
	a.Retained, err[3] = l.Retained(l.t.Context())
	a.Fixes, err[4] = l.Corrections(l.t.Context())
	for _, e := range err {
		l.must(e)
	}
	a.Marks = l.Watermark("oven", 0, 0x00c0ffee)
	slices.SortFunc(a.Latest, func(x, y smartmeter.Reading) int { return bytes.Compare([]byte(x.Node), []byte(y.Node)) })
	return a
}

// The database is an index. Whatever becomes of it, the answers stay.
func TestIndexIsMadeAgain(t *testing.T) {
	const database = "smartmeter.db"
	l := begin(t)
	for i := range smartmeter.Instant(3) {
		l.take(samples("oven", storyDay+i*day, 24*60)...)
		l.take(samples("lamp", storyDay+i*day, 24*60)...)
		l.must(l.PutDevice(smartmeter.Device{ID: "oven", Name: "Oven ☕", Kind: smartmeter.Heater, Node: "oven"}))
		l.must(l.PutCommand(smartmeter.Command{ID: string(rune('a' + i)), Device: "oven", On: i%2 == 0, AskedAt: storyDay + i*day, State: smartmeter.CommandAcknowledged}))
		l.must(l.PutRetained([]smartmeter.Message{{Topic: "dev/oven/info", Payload: []byte{byte(i)}, QoS: 1, Retained: true}}))
		l.seal(storyDay + i*day)
	}
	l.must(l.Sync(t.Context()))
	want := l.everything("oven", "lamp")
	if len(want.Readings["lamp"]) != 3*24*60 || len(want.Commands) != 3 || want.Marks.Seq != 3*24*60 {
		t.Fatalf("%d readings, %d commands, watermark %d", len(want.Readings["lamp"]), len(want.Commands), want.Marks.Seq)
	}
	path := filepath.Join(l.dir, database)
	var stale []byte
	l.restart(func() {
		var err error
		stale, err = os.ReadFile(path)
		l.must(err)
	})
	same(t, "after a restart", l.everything("oven", "lamp"), want)
	l.take(samples("oven", storyDay+3*day, 60)...)
	l.seal(storyDay + 3*day)
	want = l.everything("oven", "lamp")
	lost := func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(path + suffix) // the last two are gone after a stop
		}
	}
	for name, damage := range map[string]func(){
		"lost":      lost,
		"garbage":   func() { lost(); l.must(os.WriteFile(path, bytes.Repeat([]byte("no database "), 9000), 0o600)) },
		"truncated": func() { l.must(os.Truncate(path, int64(len(stale)/2/4096*4096))) },
		"empty":     func() { lost(); l.must(os.WriteFile(path, nil, 0o600)) },
		"stale":     func() { lost(); l.must(os.WriteFile(path, stale, 0o600)) },
	} {
		l.restart(damage)
		same(t, name, l.everything("oven", "lamp"), want)
		l.must(l.Check(t.Context()))
	}
}

// Erased is erased: no file has the name of the node or of the device, whether
// its days were sealed or open, and the others have lost nothing.
func TestErasedLeavesNoTrace(t *testing.T) {
	const node, name = "attic-heater-7f3a", "Grandmother's blanket"
	l := begin(t)
	d := smartmeter.Device{ID: "blanket-9c", Name: name, Kind: smartmeter.Heater, Node: node}
	l.must(l.PutDevice(d))
	l.must(l.PutCommand(smartmeter.Command{ID: "c1", Device: d.ID, On: true, AskedAt: storyDay, Reason: name, State: smartmeter.CommandFailed}))
	for i := range smartmeter.Instant(2) {
		l.take(samples(node, storyDay+i*day, 24*60)...)
		l.take(samples("lamp", storyDay+i*day, 24*60)...)
		l.seal(storyDay + i*day)
	}
	others := l.readings("lamp")
	if found := traces(t, l.dir, node, name, string(d.ID)); len(found) == 0 {
		t.Fatal("there is nothing to erase")
	}
	l.must(l.EraseDevice(t.Context(), d))
	same(t, "readings of another", l.readings("lamp"), others)
	if got := l.readings(node); len(got) > 0 {
		t.Errorf("%d readings are still there", len(got))
	}
	l.restart(func() {
		if found := traces(t, l.dir, node, name, string(d.ID)); len(found) > 0 {
			t.Errorf("still in the files: %v", found)
		}
	})
	same(t, "readings of another after a restart", l.readings("lamp"), others)
	if got := l.readings(node); len(got) > 0 {
		t.Errorf("%d readings came back", len(got))
	}
}

// traces returns which files have which of the words.
func traces(t *testing.T, dir string, words ...string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, word := range words {
			if bytes.Contains(content, []byte(word)) {
				found[filepath.Base(path)] = word
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The log lets go of what is sealed: its size does not grow with time.
func TestLogStaysSmall(t *testing.T) {
	l := begin(t)
	const days, nodes, segment = 20, 12, 1 << 20 // some 7 MB of readings
	for i := range days {
		at := storyDay + smartmeter.Instant(i)*day
		for n := range nodes {
			l.take(samples(smartmeter.NodeID(rune('a'+n)), at, 24*60)...)
		}
		l.seal(at)
		if size := sizeOf(t, filepath.Join(l.dir, "log")); size > 3*segment {
			t.Fatalf("the log has %d bytes after %d days", size, i+1)
		}
	}
	if n := len(l.readings("a")); n != days*24*60 {
		t.Errorf("%d readings, want %d", n, days*24*60)
	}
}

func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// A clock that steps back a year, or forward a day, loses and invents nothing.
func TestClockSteps(t *testing.T) {
	const year = 365 * day
	l := begin(t)
	var want []smartmeter.Reading
	seq := uint32(0)
	for _, now := range []smartmeter.Instant{storyDay + year, storyDay, storyDay + hour, storyDay + day, storyDay + year + day, storyDay + year} {
		l.now.Store(int64(now))
		readings := samples("tv", now+3*minute, 90)
		for i := range readings {
			seq++
			readings[i].Seq = seq
		}
		l.take(readings...)
		l.seal(now)
		want = append(want, readings...)
		l.restart(func() {})
		l.seal(now + 2*day)
	}
	slices.SortStableFunc(want, func(x, y smartmeter.Reading) int {
		return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Seq, y.Seq))
	})
	same(t, "readings", l.readings("tv"), want)
	if w := l.Watermark("tv", 0, 0x00c0ffee); w.Seq != seq {
		t.Errorf("acknowledged up to %d, want %d", w.Seq, seq)
	}
}

// A channel that floods its day is held to what a sealed day can have. It costs
// nobody else anything, and the next day is a new one.
func TestDayIsFull(t *testing.T) {
	const most = 200_000
	l := begin(t)
	flood := make([]smartmeter.Reading, 0, 1000)
	for i := range most + 5000 {
		flood = append(flood, smartmeter.Reading{
			Node: "flood", At: storyDay + smartmeter.Instant(i)*400, Boot: 9, Seq: uint32(i) + 1,
			Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: smartmeter.Deciwatt(i)},
		})
		if len(flood) == cap(flood) {
			l.take(flood...)
			flood = flood[:0]
		}
	}
	others := samples("lamp", storyDay, 60)
	l.take(others...)
	next := samples("flood", storyDay+day, 60)
	for i := range next {
		next[i].Boot = 10
	}
	l.take(next...)
	check := func(when string) {
		t.Helper()
		if n := len(l.readings("flood")); n != most+len(next) {
			t.Errorf("%s: %d readings of the flood, want %d", when, n, most+len(next))
		}
		same(t, when+": another's readings", l.readings("lamp"), others)
	}
	check("open")
	l.restart(func() {})
	check("after a restart")
	l.seal(storyDay + 2*day)
	check("sealed")
}
