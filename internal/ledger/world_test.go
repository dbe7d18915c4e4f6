package ledger_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// world is a meter and what happens to it. It knows what was truly counted,
// which it adds up from the registers that it shows, without the ledger.
type world struct {
	t   *rapid.T
	now smartmeter.Instant
	// used is what the load has used, in 0.1 W times 1 ms; began where the
	// counter stood at start.
	used, began int64
	start       smartmeter.WattHour
	step        smartmeter.WattHour // 1 or 10 Wh
	every       smartmeter.Instant  // between samples
	apart       int                 // every so many samples have the register

	entries []ledger.Entry
	journal []smartmeter.Correction
	shown   smartmeter.WattHour // the last true register that was read
	seq     uint32
	// stranger says that the next register is of a module that nobody declared,
	// before what the old one showed.
	stranger bool
	before   smartmeter.WattHour
	// counted is the true answer, held what only a person can decide.
	counted, held smartmeter.WattHour
}

const unit = 36_000_000 // 0.1 W times 1 ms in 1 Wh

func newWorld(t *rapid.T) *world {
	w := &world{
		t:     t,
		now:   begin.Start() + smartmeter.Instant(rapid.Int64Range(0, 86_400_000).Draw(t, "begin")),
		start: smartmeter.WattHour(rapid.SampledFrom([]int64{0, 3_737, 59_900, 438_816, 9_999_000, 9_999_800}).Draw(t, "register")),
		step:  smartmeter.WattHour(rapid.SampledFrom([]int64{1, 10}).Draw(t, "step")),
		every: smartmeter.Instant(rapid.SampledFrom([]int64{1000, 5000, 5000, 10_000}).Draw(t, "every")),
		apart: 1,
	}
	if rapid.Bool().Draw(t, "register apart") {
		w.apart = int(rapid.Int64Range(1, int64(60_000/w.every)).Draw(t, "apart"))
	}
	w.stranger, w.before = true, 10_000_000 // counting begins at the first reading
	return w
}

// livingWorld is a world in which much has happened.
func livingWorld(t *rapid.T) *world {
	w := newWorld(t)
	w.runs()
	for range rapid.IntRange(1, 6).Draw(t, "events") {
		w.happens()
		w.runs()
	}
	return w
}

func (w *world) register() smartmeter.WattHour {
	r := w.start + smartmeter.WattHour((w.used-w.began)/unit)
	return r % 10_000_000 / w.step * w.step
}

// runs lets the load run: long enough for a counter to prove itself, and then
// for a while as it likes.
func (w *world) runs() {
	t := w.t
	w.samples(300_000, rapid.Int64Range(6_000, 30_000).Draw(t, "power"))
	if rapid.Bool().Draw(t, "a while") {
		w.samples(smartmeter.Instant(rapid.Int64Range(0, 1_200_000).Draw(t, "for")), rapid.SampledFrom([]int64{0, 30, 600, 20_000}).Draw(t, "power"))
	}
	if w.justRolled() {
		w.samples(300_000, 12_000)
	}
}

// justRolled reports whether the register has not had time to prove that it
// rolled over.
func (w *world) justRolled() bool { return w.start > 9_000_000 && w.register() < 100 }

func (w *world) samples(length smartmeter.Instant, power int64) {
	for end := w.now + length; w.now < end; {
		w.pass(w.every, power)
		w.sample(power, w.register(), true)
	}
}

func (w *world) pass(length smartmeter.Instant, power int64) {
	w.now += length
	w.used += int64(length) * power
}

// sample takes a reading, which the world counts if it is true.
func (w *world) sample(power int64, register smartmeter.WattHour, isTrue bool) {
	w.seq++
	e := ledger.Entry{At: w.now, Kind: ledger.Sampled, Boot: 7, Seq: w.seq, HasPower: true, Power: smartmeter.Deciwatt(power)}
	if !isTrue || int(w.seq)%w.apart == 0 {
		e.HasRegister, e.Register = true, register
	}
	w.entries = append(w.entries, e)
	switch {
	case !isTrue || !e.HasRegister:
	case w.stranger:
		w.held += max(0, register-w.before)
		w.shown, w.stranger = register, false
	default:
		w.counted += (register - w.shown + 10_000_000) % 10_000_000
		w.shown = register
	}
}

// happens does one thing that happens to meters.
func (w *world) happens() {
	t := w.t
	switch rapid.SampledFrom([]string{"gap", "long gap", "dip", "spike", "zeros", "reset", "announced", "replaced", "found replaced", "clock"}).Draw(t, "event") {
	case "gap":
		w.pass(smartmeter.Instant(rapid.Int64Range(30_000, 7_200_000).Draw(t, "gap")), rapid.Int64Range(0, 30_000).Draw(t, "power"))
	case "long gap":
		w.pass(smartmeter.Instant(rapid.Int64Range(7_200_000, 86_400_000*40).Draw(t, "gap")), rapid.Int64Range(0, 3_000).Draw(t, "power"))
	case "dip":
		w.glitch(func() smartmeter.WattHour {
			return max(0, w.register()-smartmeter.WattHour(rapid.Int64Range(200, 500_000).Draw(t, "dip")))
		})
	case "spike":
		w.glitch(func() smartmeter.WattHour {
			return w.register() + smartmeter.WattHour(rapid.Int64Range(200, 50_000_000).Draw(t, "spike"))
		})
	case "zeros":
		w.glitch(func() smartmeter.WattHour { return 0 })
	case "reset":
		least := 11*w.step + 9 // below it is rounding
		if w.apart > 1 {
			least += 60 // or it shows as much again before it is read
		}
		if w.shown > least && w.shown < 9_998_000 { // above it is a rollover
			w.restart(0)
		}
	case "announced":
		if w.shown > 0 {
			w.restart(0)
			w.now++
			w.entries = append(w.entries, ledger.Entry{At: w.now, Kind: ledger.Announced})
		}
	case "replaced":
		w.replace(true)
	case "found replaced":
		w.replace(false)
	case "clock":
		w.now += smartmeter.Instant(rapid.SampledFrom([]int64{-10_000, -5000, -1000, 1000, 60_000, 7_200_000}).Draw(t, "clock step"))
	}
}

// glitch lets the meter lie for less than a minute while the load runs on.
func (w *world) glitch(lie func() smartmeter.WattHour) {
	const power = 20_000
	for range rapid.Int64Range(1, max(1, 50_000/int64(w.every))).Draw(w.t, "readings") {
		w.pass(w.every, power)
		lied := lie()
		if off := lied - w.register(); max(off, -off) < 200 {
			continue // as good as true
		}
		w.sample(power, lied, false)
	}
}

// restart lets another counter begin at start, right after the last reading of
// the old one, which it returns.
func (w *world) restart(start smartmeter.WattHour) (last smartmeter.WattHour) {
	for int(w.seq)%w.apart != 0 || w.justRolled() { // until a register was just read
		w.pass(w.every, 12_000)
		w.sample(12_000, w.register(), true)
	}
	last = w.shown
	w.start, w.began = start, w.used
	w.shown = w.register()
	return last
}

// replace puts in a used module. Where nobody says so, what it shows more is
// held, what it shows less is not, and counting begins at its first reading.
func (w *world) replace(declared bool) {
	other := smartmeter.WattHour(rapid.Int64Range(20, 499).Draw(w.t, "other")) * 20_000
	if far := other - w.shown; max(far, -far) < 1000 {
		return
	}
	old := w.restart(other)
	if !declared {
		w.stranger, w.before = true, old
		return
	}
	w.now++
	w.journal = append(w.journal, smartmeter.Correction{
		ID: fmt.Sprint("module ", len(w.journal)), Kind: smartmeter.CorrectReplace, By: "me", Why: "broken",
		From: w.now, Energy: other, EnergyKnown: true,
	})
}

// all returns what was said, with what people declared.
func (w *world) all() []ledger.Entry {
	return append(ledger.Declarations(w.journal), w.entries...)
}
