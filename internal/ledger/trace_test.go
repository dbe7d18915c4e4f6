package ledger_test

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// begin is a midnight UTC.
const begin = ledger.DayNumber(20_780)

// script writes readings of a channel, one after the other.
type script struct {
	now     smartmeter.Instant
	entries []ledger.Entry
}

func newScript() *script { return &script{now: begin.Start() + 8*3_600_000} }

// reads adds register readings, each after the same time at the same power;
// power < 0: without.
func (s *script) reads(after smartmeter.Instant, power smartmeter.Deciwatt, registers ...smartmeter.WattHour) *script {
	for _, r := range registers {
		s.entries = append(s.entries, ledger.Entry{At: s.now, Kind: ledger.Sampled, HasRegister: true, Register: r, HasPower: power >= 0, Power: max(power, 0)})
		s.now += after
	}
	return s
}

// runs adds count readings of a register that goes with its power.
func (s *script) runs(after smartmeter.Instant, power smartmeter.Deciwatt, from smartmeter.WattHour, count int) *script {
	for i := range count {
		s.reads(after, power, from+smartmeter.WattHour(int64(i)*int64(after)*int64(power)/36_000_000))
	}
	return s
}

// power adds a sample without a register.
func (s *script) power(after smartmeter.Instant, power smartmeter.Deciwatt) {
	s.entries = append(s.entries, ledger.Entry{At: s.now, Kind: ledger.Sampled, HasPower: true, Power: power})
	s.now += after
}

func (s *script) powers(after smartmeter.Instant, power smartmeter.Deciwatt, count int) *script {
	for range count {
		s.power(after, power)
	}
	return s
}

// lagging is a reset, and then a load of 2.4 kW whose register says 0.24 kW.
func lagging(minutes int) *script {
	s := newScript().runs(minute, 6000, 5000, 10)
	for i := range 2 * minutes {
		s.reads(30*second, 24_000, smartmeter.WattHour(i*2))
	}
	return s
}

func (s *script) says(kind ledger.EntryKind) *script {
	s.entries = append(s.entries, ledger.Entry{At: s.now, Kind: kind, HasRegister: kind == ledger.Declared})
	return s
}

func (s *script) waits(d smartmeter.Instant) *script {
	s.now += d
	return s
}

func (s *script) settled(journal ...smartmeter.Correction) ([]ledger.Day, []ledger.Sums) {
	days := foldAll(s.entries)
	return days, settleAll(days, journal)
}

const (
	second = smartmeter.Instant(1000)
	minute = 60 * second
	hour   = 60 * minute
)

// What broke others must give the true use here.
func TestTracesThatBrokeOthers(t *testing.T) {
	tests := []struct {
		name  string
		trace *script
		want  smartmeter.WattHour
		held  smartmeter.WattHour
		found []ledger.FindingKind
	}{
		{
			name: "a zero between two readings was counted as 3.749 kWh",
			trace: newScript().reads(minute, 1800, 3737, 3740, 0, 3746).
				reads(minute, 1800, 3746),
			want:  9,
			found: []ledger.FindingKind{ledger.First, ledger.Glitch},
		},
		{
			name:  "the same without power",
			trace: newScript().reads(minute, -1, 3737, 3740, 0, 3746),
			want:  9,
			found: []ledger.FindingKind{ledger.First, ledger.Glitch},
		},
		{
			name: "a dip of 0.1 kWh became 215 kWh",
			trace: newScript().runs(5*second, 5000, 215_300, 100).
				reads(5*second, 5000, 215_269, 215_269).
				runs(5*second, 5000, 215_370, 100),
			want:  70 + 68,
			found: []ledger.FindingKind{ledger.First, ledger.Glitch},
		},
		{
			name: "a dip of 0.1 kWh that stays is another counter",
			trace: newScript().runs(5*second, 5000, 215_300, 100).
				runs(5*second, 5000, 215_200, 100),
			want:  68 + 68,
			found: []ledger.FindingKind{ledger.First, ledger.Replaced},
		},
		{
			name: "zero for 3.4 s after a reboot, sampled each second",
			trace: newScript().runs(second, 20_000, 3_740, 120).
				waits(8*second).reads(second, 20_000, 0, 0, 0, 0).
				runs(second, 20_000, 3_812, 120),
			want:  72 + 66,
			found: []ledger.FindingKind{ledger.First, ledger.Glitch},
		},
		{
			name: "zero for 3.4 s at the very beginning",
			trace: newScript().reads(second, 20_000, 0, 0, 0, 0).
				runs(second, 20_000, 3_740, 120),
			want:  66,
			found: []ledger.FindingKind{ledger.Glitch, ledger.First},
		},
		{
			name:  "a single 9999.0 kWh",
			trace: newScript().runs(5*second, 1000, 61_000, 50).reads(5*second, 1000, 9_999_000).runs(5*second, 1000, 61_007, 50),
			want:  7 + 6,
			found: []ledger.FindingKind{ledger.First, ledger.Glitch},
		},
		{
			name:  "a single 9999.0 kWh after three weeks of silence",
			trace: newScript().runs(5*second, 1000, 61_000, 50).waits(21*24*hour).reads(5*second, 1000, 9_999_000).runs(5*second, 1000, 61_507, 50),
			want:  507 + 6,
			found: []ledger.FindingKind{ledger.First, ledger.Glitch},
		},
		{
			name:  "the counter begins again near 60 kWh",
			trace: newScript().runs(5*second, 6000, 59_900, 120).runs(5*second, 6000, 0, 120),
			want:  99 + 99,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name:  "-438,816 Wh from a reset that nobody noticed",
			trace: newScript().runs(minute, 3000, 438_716, 21).waits(3*hour).runs(minute, 3000, 40, 41),
			want:  100 + 40 + 200,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name:  "rollover at 9,999.99 kWh in steps of 10 Wh",
			trace: newScript().reads(minute, 6000, 9_999_970, 9_999_980, 9_999_990, 0, 10, 20),
			want:  50,
			found: []ledger.FindingKind{ledger.First, ledger.Rollover},
		},
		{
			name:  "zeros just before a rollover",
			trace: newScript().reads(second, 30_000, 9_999_970, 9_999_972).waits(minute).reads(second, 30_000, 9_999_990, 0, 0, 0, 9_999_994, 9_999_995),
			want:  25,
			found: []ledger.FindingKind{ledger.First, ledger.Glitch},
		},
		{
			name: "a jump that stays waits for a person",
			trace: newScript().runs(5*second, 1000, 61_000, 50).
				runs(5*second, 1000, 961_000, 50),
			want:  6 + 6,
			held:  900_000 - 6,
			found: []ledger.FindingKind{ledger.First, ledger.Jump},
		},
		{
			name: "after a reset in a long gap what it shows may be true or not",
			trace: newScript().runs(5*second, 1000, 215_300, 50).waits(10*hour).
				runs(5*second, 1000, 50_000, 50),
			want:  6 + 6,
			held:  50_000,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name: "a node's word about its reset needs no minute",
			trace: newScript().runs(5*second, 1000, 500, 50).says(ledger.Announced).
				reads(5*second, 1000, 0, 0, 1),
			want:  6 + 1,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name: "a reset at 20 Wh is told from a dip by the power",
			trace: newScript().runs(second, 20_000, 0, 37).reads(10*second, 0, 20, 20, 20, 20).
				runs(second, 20_000, 0, 100),
			want:  20 + 55,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name:  "a gap is bridged by the register",
			trace: newScript().runs(5*second, 1000, 100, 50).waits(10*hour).runs(5*second, 1000, 20_100, 50),
			want:  20_006,
			found: []ledger.FindingKind{ledger.First},
		},
		{
			name:  "a tenth more than the power is still its",
			trace: newScript().reads(minute, 0, 1000, 1000).powers(30*second, 20_000, 600).reads(minute, 20_000, 11_900),
			want:  10_900,
			found: []ledger.FindingKind{ledger.First},
		},
		{
			name:  "power that was read at the limit does not lift the limit",
			trace: newScript().reads(minute, 0, 1000, 1000).powers(30*second, 260_000, 120).reads(minute, 0, 29_000, 29_000),
			held:  28_000,
			found: []ledger.FindingKind{ledger.First, ledger.Jump},
		},
		{
			name:  "nor does it where samples are missing",
			trace: newScript().reads(minute, 0, 1000, 1000).powers(30*second, 260_000, 120).waits(30*minute).reads(minute, 0, 41_500, 41_500),
			held:  40_500,
			found: []ledger.FindingKind{ledger.First, ledger.Jump},
		},
		{
			name: "a reset that was announced, and soon shows as much again",
			trace: newScript().runs(second, 30_000, 0, 61).reads(0, 30_000, 50).says(ledger.Announced).
				powers(second, 30_000, 60).reads(minute, 0, 50, 50),
			want:  50 + 50,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name:  "a register far from its end does not roll over in a long gap",
			trace: newScript().runs(minute, 600, 9_000_000, 5).waits(60*24*hour).runs(minute, 6000, 10_000, 5),
			want:  4 + 40,
			held:  10_000,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name:  "a reset that was announced counts from 0 without power",
			trace: newScript().runs(5*second, 1000, 500, 50).says(ledger.Announced).waits(4*minute).reads(5*second, 20_000, 150, 152),
			want:  6 + 152,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name:  "a new counter that lags behind its power waits",
			trace: lagging(59),
			want:  90,
			found: []ledger.FindingKind{ledger.First},
		},
		{
			name:  "for an hour",
			trace: lagging(61),
			want:  90 + 121*2,
			found: []ledger.FindingKind{ledger.First, ledger.Reset},
		},
		{
			name:  "rounding is no reset",
			trace: newScript().reads(minute, 600, 12_340, 12_336, 12_337, 12_338, 12_339, 12_341, 12_342),
			want:  2,
			found: []ledger.FindingKind{ledger.First},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			days, sums := test.trace.settled()
			if got := total(sums); got != test.want {
				t.Errorf("counted %d Wh, want %d", got, test.want)
			}
			var held smartmeter.WattHour
			var found []ledger.FindingKind
			for _, d := range days {
				for _, f := range d.Findings {
					held += f.Held
					found = append(found, f.Kind)
				}
			}
			if held != test.held {
				t.Errorf("held %d Wh back, want %d", held, test.held)
			}
			wantSame(t, "findings", found, test.found)
		})
	}
}

func TestReasons(t *testing.T) {
	tests := []struct {
		name  string
		trace *script
		want  ledger.Reason
	}{
		{"too fast", newScript().runs(minute, 600, 0, 5).runs(minute, 600, 90_000, 5), ledger.TooFast},
		{"against the power", newScript().runs(minute, 600, 0, 5).powers(30*second, 600, 120).runs(minute, 600, 900, 5), ledger.AgainstPower},
		{"unknown start", newScript().runs(minute, 600, 90_000, 5).waits(hour).runs(minute, 600, 900, 20), ledger.UnknownStart},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			days, _ := test.trace.settled()
			var got []string
			for _, f := range days[0].Findings {
				if f.Held > 0 {
					got = append(got, f.Reason.String())
				}
			}
			wantSame(t, "reasons", got, []string{test.want.String()})
		})
	}
}

// A meter that lies all the time is one finding a quarter of an hour.
func TestGlitchesAreCounted(t *testing.T) {
	s := newScript().runs(5*second, 600, 1000, 20)
	for range 10 {
		s.reads(5*second, 0, 999_000, 1001)
	}
	f := ledger.NewFolder(ledger.State{}, begin)
	var early ledger.Day
	for i, e := range s.entries {
		f.Add(e)
		if i == len(s.entries)-3 {
			early = f.Day()
		}
	}
	count := func(d ledger.Day) (counts []int) {
		for _, found := range d.Findings {
			if found.Kind == ledger.Glitch {
				counts = append(counts, found.Count)
			}
		}
		return counts
	}
	wantSame(t, "glitches", count(f.Day()), []int{10})
	wantSame(t, "glitches of the day that was asked for before", count(early), []int{9})
}
