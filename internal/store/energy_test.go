package store_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"pgregory.net/rapid"
)

// energyBegin is some midnight UTC.
const energyBegin ledger.DayNumber = 20_772

// meterWorld is a meter in a store: what it showed, and what people decided.
type meterWorld struct {
	*rapid.T
	dir      string
	store    *store.Store
	now      smartmeter.Instant
	power    smartmeter.Deciwatt
	register int64 // in Deciwatt x ms
	seq      uint32
	late     []smartmeter.Reading // not arrived yet
	journal  []smartmeter.Correction
}

func (w *meterWorld) open() {
	var err error
	w.store, err = store.Open(w.Context(), store.Config{
		Dir: w.dir, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return w.now.Time() },
	})
	fine(w.T, err)
}

func fine(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const wattHour = 36_000_000 // in Deciwatt x ms

// measures takes samples at intervals, some of which are late.
func (w *meterWorld) measures() {
	every := rapid.SampledFrom([]smartmeter.Instant{20_000, 300_000, 3_600_000}).Draw(w.T, "every")
	arrives := rapid.IntRange(0, 4).Draw(w.T, "arrives") > 0
	for range rapid.IntRange(1, 200).Draw(w.T, "samples") {
		w.now += every
		w.seq++
		w.register += int64(w.power) * int64(every)
		r := smartmeter.Reading{Node: "n", At: w.now, Boot: 1, Seq: w.seq}
		r.Has, r.Power, r.Energy = smartmeter.Power|smartmeter.Energy, w.power, smartmeter.WattHour(w.register/wattHour)
		if arrives {
			fine(w.T, w.store.AppendReadings(r))
		} else {
			w.late = append(w.late, r)
		}
	}
}

func (w *meterWorld) arrives() {
	fine(w.T, w.store.AppendReadings(w.late...))
	w.late = nil
}

func (w *meterWorld) reopens(loseIndex bool) {
	fine(w.T, w.store.Close())
	if loseIndex {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(w.dir, "smartmeter.db"+suffix)); err != nil && !os.IsNotExist(err) {
				w.Fatal(err)
			}
		}
	}
	w.open()
}

func (w *meterWorld) corrects() {
	c := smartmeter.Correction{
		ID: fmt.Sprint("c", len(w.journal)), Made: smartmeter.Instant(len(w.journal) + 1), By: "Ada", Why: "a test", Node: "n",
		Kind: rapid.SampledFrom([]smartmeter.CorrectionKind{
			smartmeter.CorrectAccept, smartmeter.CorrectDiscard, smartmeter.CorrectSet, smartmeter.CorrectReset, smartmeter.CorrectReplace, smartmeter.CorrectUndo,
		}).Draw(w.T, "kind"),
	}
	quarters := int64(w.now-energyBegin.Start())/900_000 + 1
	c.From = energyBegin.Start() + smartmeter.Instant(rapid.Int64Range(0, quarters).Draw(w.T, "from"))*900_000
	switch c.Kind {
	case smartmeter.CorrectSet:
		c.To = c.From + smartmeter.Instant(rapid.Int64Range(1, 300).Draw(w.T, "quarters"))*900_000
		c.Energy, c.EnergyKnown = 1234, true
	case smartmeter.CorrectAccept, smartmeter.CorrectDiscard:
		for _, f := range w.findings() {
			if f.Held > 0 {
				c.From = f.To.At
			}
		}
	case smartmeter.CorrectUndo:
		if len(w.journal) == 0 {
			return
		}
		c.Target = rapid.SampledFrom(w.journal).Draw(w.T, "target").ID
	}
	fine(w.T, ledger.Check(w.journal, c))
	w.journal = append(w.journal, c)
	fine(w.T, w.store.PutCorrection(c))
	fine(w.T, w.store.Sync(w.Context()))
}

func (w *meterWorld) findings() (all []ledger.Finding) {
	for _, d := range w.days() {
		all = append(all, d.Findings...)
	}
	return all
}

func (w *meterWorld) days() []ledger.Day {
	days, err := w.store.EnergyDays(w.Context(), "n", 0, wholeLife)
	fine(w.T, err)
	return days
}

var wholeLife = ledger.Range{First: energyBegin - 10, Last: energyBegin + 400}

func (w *meterWorld) sums() (all []ledger.Sums) {
	for s, err := range w.store.EnergySums(w.Context(), "n", 0, wholeLife) {
		fine(w.T, err)
		all = append(all, *s)
	}
	return all
}

// compare holds the store to a ledger made of all its readings at once.
func (w *meterWorld) compare() {
	said := make(map[ledger.DayNumber][]ledger.Entry)
	for _, e := range ledger.Declarations(w.journal) {
		said[ledger.DayOf(e.At)] = append(said[ledger.DayOf(e.At)], e)
	}
	for r, err := range w.store.Readings(w.Context(), "n", 0, 0, 1<<60) {
		fine(w.T, err)
		e, _ := ledger.EntryOf(&r)
		said[ledger.DayOf(r.At)] = append(said[ledger.DayOf(r.At)], e)
	}
	var days []ledger.Day
	var state ledger.State
	for n := wholeLife.First; n <= wholeLife.Last; n++ {
		if len(said[n]) > 0 {
			days = append(days, ledger.Fold(state, n, said[n]))
			state = days[len(days)-1].After
		}
	}
	if d := cmp.Diff(ledger.Settle(days, w.journal, wholeLife), w.sums(), cmpopts.EquateEmpty()); d != "" {
		w.Fatalf("sums (-want +got):\n%s", d)
	}
	if d := cmp.Diff(days, w.days(), cmpopts.EquateEmpty()); d != "" {
		w.Fatalf("days (-want +got):\n%s", d)
	}
}

// Whatever comes in whatever order, sealed or not, after restarts and with an
// index made anew: energy is what a ledger of all readings says. A failure
// prints the seed that repeats it.
func TestEnergyIsThatOfAllReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "energy")
		fine(t, err)
		defer os.RemoveAll(dir)
		w := &meterWorld{T: t, dir: dir, now: energyBegin.Start(), power: 1000}
		w.open()
		defer func() { w.store.Close() }()
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				w.power = smartmeter.Deciwatt(rapid.IntRange(0, 20_000).Draw(t, "power"))
			case 1:
				w.register = 0
			case 2:
				w.register += int64(rapid.IntRange(0, 100_000).Draw(t, "jump")) * wattHour
			case 3:
				w.arrives()
			case 4:
				fine(t, w.store.Seal(t.Context(), w.now.Time()))
			case 5:
				w.reopens(rapid.Bool().Draw(t, "lose the index"))
			case 6:
				w.corrects()
			default:
				w.measures()
			}
			w.compare()
		}
	})
}

func TestUndoRestoresEnergyToTheByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "energy")
		fine(t, err)
		defer os.RemoveAll(dir)
		w := &meterWorld{T: t, dir: dir, now: energyBegin.Start(), power: 1000}
		w.open()
		defer func() { w.store.Close() }()
		w.measures()
		w.register += 1000 * wattHour
		w.measures()
		if rapid.Bool().Draw(t, "sealed") {
			fine(t, w.store.Seal(t.Context(), w.now.Time()))
		}
		before := w.sums()
		w.corrects()
		if len(w.journal) == 0 {
			return
		}
		undo := smartmeter.Correction{ID: "undo", Made: 100, By: "Ada", Why: "a mistake", Kind: smartmeter.CorrectUndo, Target: w.journal[0].ID, Node: "n"}
		fine(t, w.store.PutCorrection(undo))
		if d := cmp.Diff(before, w.sums()); d != "" {
			t.Fatalf("after the undo (-before +after):\n%s", d)
		}
		if rapid.IntRange(0, 3).Draw(t, "reopen") > 0 {
			return
		}
		w.reopens(true)
		if d := cmp.Diff(before, w.sums()); d != "" {
			t.Fatalf("with an index made anew (-before +after):\n%s", d)
		}
	})
}
