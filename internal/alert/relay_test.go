package alert_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/alert"
)

const (
	off = smartmeter.RelayOff
	on  = smartmeter.RelayOn
)

// step is what happens: the relay moves, or is where it was if that is 0; then
// come samples of a power.
type step struct {
	to      smartmeter.RelayState
	samples int
	every   smartmeter.Instant // ms
	power   smartmeter.Deciwatt
}

func verdicts(kind smartmeter.LoadKind, steps ...step) (all []alert.Verdict) {
	var r alert.Relay
	at := smartmeter.Instant(1_700_000_000_000)
	for _, s := range steps {
		if s.to != smartmeter.RelayUnknown {
			r.Moved(s.to)
		}
		for range s.samples {
			at += s.every
			if v := r.See(at, s.power, kind); v != alert.Nothing {
				all = append(all, v)
			}
		}
	}
	return all
}

func TestVerdicts(t *testing.T) {
	const minute, hour = 60_000, 3_600_000
	for name, tt := range map[string]struct {
		kind  smartmeter.LoadKind
		steps []step
		want  []alert.Verdict
	}{
		"off and drawing on for two minutes":   {smartmeter.Generic, []step{{on, 5, 5000, 8000}, {off, 25, 5000, 8000}}, []alert.Verdict{alert.Welded}},
		"said once":                            {smartmeter.Generic, []step{{off, 5000, 5000, 8000}}, []alert.Verdict{alert.Welded}},
		"not before that":                      {smartmeter.Generic, []step{{off, 24, 5000, 8000}}, nil},
		"not on a few samples":                 {smartmeter.Generic, []step{{off, 4, 10 * minute, 8000}}, nil},
		"on five of them":                      {smartmeter.Generic, []step{{off, 5, 10 * minute, 8000}}, []alert.Verdict{alert.Welded}},
		"not while it runs down":               {smartmeter.Generic, []step{{on, 1, 5000, 8000}, {off, 20, 5000, 300}, {off, 100, 5000, 4}}, nil},
		"a sample in between begins anew":      {smartmeter.Generic, []step{{off, 20, 5000, 8000}, {0, 1, 5000, 0}, {0, 20, 5000, 8000}}, nil},
		"a snubber feeds no heater":            {smartmeter.Heater, []step{{off, 100, 5000, 60}}, nil},
		"it may light a lamp, but not so much": {smartmeter.Lighting, []step{{off, 100, 5000, 60}}, []alert.Verdict{alert.Welded}},
		"on draws as it should":                {smartmeter.Heater, []step{{on, 100, 5000, 8000}}, nil},
		"unknown says nothing":                 {smartmeter.Generic, []step{{smartmeter.RelayUnknown, 100, 5000, 8000}}, nil},
		"welded, and the thermostat opens": {
			smartmeter.Heater,
			[]step{{off, 30, 5000, 8000}, {0, 100, 5000, 0}},
			[]alert.Verdict{alert.Welded}, // nobody can tell whether it is mended
		},
		"welded, and mended": {
			smartmeter.Heater,
			[]step{{off, 30, 5000, 8000}, {on, 2, 5000, 8000}, {off, 2, 5000, 0}},
			[]alert.Verdict{alert.Welded, alert.Alive, alert.Opens},
		},
		"a lamp that stays dark":             {smartmeter.Lighting, []step{{off, 1, 5000, 0}, {on, 30, 5000, 0}}, []alert.Verdict{alert.Dead}},
		"and is switched on at last":         {smartmeter.Lighting, []step{{off, 1, 5000, 0}, {on, 30, 5000, 0}, {0, 2, 5000, 100}}, []alert.Verdict{alert.Dead, alert.Alive}},
		"a lamp that was dark already":       {smartmeter.Lighting, []step{{on, 1000, 5000, 0}}, nil},
		"a kettle that has boiled":           {smartmeter.Generic, []step{{off, 1, 5000, 0}, {on, 20, 5000, 20_000}, {0, 1000, 5000, 0}}, []alert.Verdict{alert.Alive}},
		"a heater that is warm enough":       {smartmeter.Heater, []step{{off, 1, 5000, 0}, {on, 100_000, 5000, 0}}, nil},
		"a compressor that rests":            {smartmeter.Compressor, []step{{off, 1, 5000, 0}, {on, 100_000, 5000, 0}}, nil},
		"a freezer that rests":               {smartmeter.MustStayOn, []step{{on, 60, minute, 0}, {0, 10, minute, 900}, {0, 300, minute, 0}}, nil},
		"a freezer that has died, or a fuse": {smartmeter.MustStayOn, []step{{on, 7 * 60, minute, 0}, {0, 1, hour, 900}}, []alert.Verdict{alert.Dead, alert.Alive}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := verdicts(tt.kind, tt.steps...); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAPauseProvesNothing(t *testing.T) {
	var r alert.Relay
	r.Moved(off)
	for i := range smartmeter.Instant(100) {
		if i%20 == 0 {
			r.Pause()
		}
		if v := r.See(1_700_000_000_000+5000*i, 8000, smartmeter.Generic); v != alert.Nothing {
			t.Fatalf("%v after %d samples with gaps", v, i)
		}
	}
}

// A contact that opens is never called welded, whatever the load does and
// however people switch it; one that does not always is.
func TestNoFalseAlarm(t *testing.T) {
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(seed, 1))
		kind := smartmeter.LoadKinds()[chance.IntN(5)]
		welds := 2000 + chance.IntN(1000)
		var r alert.Relay
		position, since, found := off, 0, false
		for i := range 6000 {
			if to := smartmeter.RelayStateOf(chance.IntN(2) == 0); to != position && chance.IntN(30) == 0 {
				position, since = to, i
			}
			r.Moved(position)
			power := smartmeter.Deciwatt(chance.IntN(4)) // noise
			if position == on && chance.IntN(8) > 0 || i > welds {
				power = 300 + smartmeter.Deciwatt(chance.IntN(20_000))
			} else if position == off && i-since < 12 {
				power = 300 // it runs down for a minute
			}
			if v := r.See(smartmeter.Instant(5000*i), power, kind); v == alert.Welded {
				if i <= welds {
					t.Fatalf("seed %d: called welded after %d samples, and it welds after %d", seed, i, welds)
				}
				found = true
			}
		}
		if !found {
			t.Errorf("seed %d: a welded contact was never noticed", seed)
		}
	}
}
