package ledger_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// shuffled returns entries in another order, some of them several times.
func shuffled(t *rapid.T, entries []ledger.Entry) []ledger.Entry {
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
	again := slices.Clone(entries)
	for range len(entries) / 10 {
		again = append(again, entries[random.IntN(len(entries))])
	}
	random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	return again
}

func heldBy(days []ledger.Day) (held smartmeter.WattHour) {
	for _, d := range days {
		for _, f := range d.Findings {
			held += f.Held
		}
	}
	return held
}

func TestNotOneWattHourIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := livingWorld(t)
		days := foldAll(shuffled(t, w.all()))
		if got := total(settleAll(days, w.journal)); got != w.counted {
			t.Errorf("counted %d Wh, want %d", got, w.counted)
		}
		if got := heldBy(days); got != w.held {
			t.Errorf("held %d Wh, want %d", got, w.held)
		}
	})
}

// archive keeps what was said, as a store does, and a channel's days.
type archive struct {
	said map[ledger.DayNumber][]ledger.Entry
	days []ledger.Day
}

func (a *archive) put(t *rapid.T, entries []ledger.Entry) {
	if a.said == nil {
		a.said = map[ledger.DayNumber][]ledger.Entry{}
	}
	changed, of := byDay(entries)
	for _, n := range changed {
		a.said[n] = append(a.said[n], of[n]...)
		a.update(t, n)
	}
}

func (a *archive) update(t *rapid.T, n ledger.DayNumber) {
	days, err := ledger.Update(a.days, n, func(n ledger.DayNumber) ([]ledger.Entry, error) { return a.said[n], nil })
	if err != nil {
		t.Fatal(err)
	}
	a.days = days
}

func TestLateReadingsGiveTheSameDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := livingWorld(t)
		want := foldAll(w.all())
		entries := shuffled(t, w.all())
		var a archive
		for parts := rapid.IntRange(1, 20).Draw(t, "parts"); parts > 0; parts-- {
			n := len(entries) / parts
			a.put(t, entries[:n])
			entries = entries[n:]
		}
		wantSame(t, "days", a.days, want)
	})
}

func TestLiveStepsAreTheFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := livingWorld(t).entries
		slices.SortFunc(entries, ledger.Entry.Compare)
		var days []ledger.Day
		f := ledger.NewFolder(ledger.State{}, ledger.DayOf(entries[0].At))
		for _, e := range entries {
			if !f.Add(e) {
				days = append(days, f.Day())
				f = ledger.NewFolder(f.State(), ledger.DayOf(e.At))
				f.Add(e)
			}
			if !f.Add(e) {
				t.Fatal("the entry that was just taken is refused")
			}
		}
		wantSame(t, "days", append(days, f.Day()), foldAll(entries))
	})
}

func TestPackedDaysAnswerAsRawOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := livingWorld(t)
		days := foldAll(w.all())
		unpacked := make([]ledger.Day, len(days))
		for i, d := range days {
			packed := d.Append(nil)
			if err := unpacked[i].Decode(d.Number, packed); err != nil {
				t.Fatal(err)
			}
			if again := unpacked[i].Append(nil); !slices.Equal(again, packed) {
				t.Fatal("a day that was unpacked packs to other bytes")
			}
		}
		wantSame(t, "days", unpacked, days)
		for _, s := range settleAll(unpacked, w.journal) {
			var got ledger.Sums
			if err := got.Decode(s.Day, s.Append(nil)); err != nil {
				t.Fatal(err)
			}
			wantSame(t, "sums", got, s)
		}
	})
}

func TestSumsOfARangeAreThoseOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := livingWorld(t)
		days := foldAll(w.all())
		whole := wholeOf(days)
		first := ledger.DayNumber(rapid.IntRange(int(whole.First), int(whole.Last)).Draw(t, "first"))
		of := ledger.Range{First: first, Last: ledger.DayNumber(rapid.IntRange(int(first), int(whole.Last)).Draw(t, "last"))}

		needed, from := []ledger.Day(nil), of.First
		for _, d := range days {
			if d.Number >= of.First && d.Begins() <= of.Last {
				from = min(from, d.Begins())
			}
		}
		for _, d := range days {
			if d.Number >= from && d.Begins() <= of.Last {
				needed = append(needed, d)
			}
		}
		want := slices.DeleteFunc(settleAll(days, nil), func(s ledger.Sums) bool { return s.Day < of.First || s.Day > of.Last })
		wantSame(t, "sums", ledger.Settle(needed, nil, of), want)
	})
}

func TestUndoRestoresEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := livingWorld(t)
		a := archive{}
		a.put(t, w.entries)
		days := a.days
		before := bytesOf(days, nil)
		journal := []smartmeter.Correction{correction(t, days)}
		if err := ledger.Check(nil, journal[0]); err != nil {
			t.Fatal(err)
		}
		a.days = withDeclarations(t, &a, journal)
		settleAll(a.days, journal)

		undo := smartmeter.Correction{ID: "undo", Made: 2, Kind: smartmeter.CorrectUndo, Target: "one", By: "me", Why: "wrong"}
		if err := ledger.Check(journal, undo); err != nil {
			t.Fatal(err)
		}
		journal = append(journal, undo)
		if got := bytesOf(withDeclarations(t, &a, journal), journal); !slices.Equal(got, before) {
			t.Error("an undo left something behind")
		}
	})
}

// correction draws something that a person may decide.
func correction(t *rapid.T, days []ledger.Day) smartmeter.Correction {
	whole := wholeOf(days)
	at := func(name string) smartmeter.Instant {
		return smartmeter.Instant(rapid.Int64Range(int64(whole.First.Start())/900_000, int64((whole.Last+1).Start())/900_000).Draw(t, name)) * 900_000
	}
	c := smartmeter.Correction{ID: "one", Made: 1, By: "me", Why: "I know better", From: at("from"), Energy: 123_456, EnergyKnown: rapid.Bool().Draw(t, "known")}
	c.To = max(at("to"), c.From+900_000)
	c.Kind = rapid.SampledFrom([]smartmeter.CorrectionKind{
		smartmeter.CorrectSet, smartmeter.CorrectReset, smartmeter.CorrectReplace, smartmeter.CorrectAccept, smartmeter.CorrectDiscard,
	}).Draw(t, "kind")
	if c.Kind == smartmeter.CorrectAccept || c.Kind == smartmeter.CorrectDiscard {
		for _, d := range days {
			for _, f := range d.Findings {
				if f.Held > 0 {
					c.From = f.To.At
				}
			}
		}
	}
	return c
}

// withDeclarations returns the days after what a journal now declares.
func withDeclarations(t *rapid.T, a *archive, journal []smartmeter.Correction) []ledger.Day {
	changed := map[ledger.DayNumber]bool{}
	for n, said := range a.said {
		a.said[n] = slices.DeleteFunc(said, func(e ledger.Entry) bool {
			changed[n] = changed[n] || e.Kind == ledger.Declared
			return e.Kind == ledger.Declared
		})
	}
	for _, e := range ledger.Declarations(journal) {
		n := ledger.DayOf(e.At)
		a.said[n], changed[n] = append(a.said[n], e), true
	}
	for n := range changed {
		a.update(t, n)
	}
	return a.days
}

func bytesOf(days []ledger.Day, journal []smartmeter.Correction) (packed []byte) {
	for _, d := range days {
		packed = d.Append(packed)
	}
	for _, s := range settleAll(days, journal) {
		packed = s.Append(packed)
	}
	return packed
}
