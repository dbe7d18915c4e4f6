package sim

import (
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// testDate is a Monday in summer.
var testDate = date{2025, time.July, 14}

// bench is an appliance on its own, and the world around it.
type bench struct {
	appliance
	now moment
}

// newBench puts an appliance of the usual power on a bench, at an hour of a mild
// day.
func newBench(t testing.TB, word string, hours int) *bench {
	t.Helper()
	m := modelOf(word)
	if m == nil {
		t.Fatalf("there is no %s", word)
	}
	key := keyOf(1, word)
	return &bench{
		appliance: m.build(watt*milliwatt(m.watts), randomOn(key, testDate)),
		now: moment{
			unix: testDate.clock(time.UTC, hours*hour), ofDay: hours * hour,
			outside: 20 * degree, powered: true, voltage: 2300, frequency: 500, key: key,
		},
	}
}

// second lets one second pass and returns what is drawn.
func (b *bench) second() load {
	b.now.chance = at(b.now.key, b.now.unix)
	b.pass(&b.now)
	b.now.unix++
	b.now.ofDay = (b.now.ofDay + 1) % secondsADay
	if !b.now.powered {
		return load{}
	}
	return b.load(&b.now)
}

func TestResistiveLoadGrowsWithTheSquareOfTheVoltage(t *testing.T) {
	for v, want := range map[smartmeter.Decivolt]milliwatt{2300: 2000 * watt, 1150: 500 * watt, 2530: 2420 * watt} {
		if got := resistive(2000*watt, v); got.power != want || got.powerFactor != 100 {
			t.Errorf("at %d dV: %+v, want %d mW", v, got, want)
		}
	}
}

func TestCurrentFollowsFromPowerVoltageAndPowerFactor(t *testing.T) {
	for _, c := range []struct {
		load    load
		voltage smartmeter.Decivolt
		want    smartmeter.Milliamp
	}{
		{load{2300 * watt, 100}, 2300, 10_000},
		{load{2300 * watt, 50}, 2300, 20_000},
		{load{230, 100}, 2300, 1},
		{load{0, 100}, 2300, 0},
		{load{100, 0}, 2300, 0},
		{load{100, 100}, 0, 0},
	} {
		if got := c.load.current(c.voltage); got != c.want {
			t.Errorf("%+v at %d dV: %d mA, want %d", c.load, c.voltage, got, c.want)
		}
	}
}

func TestLoadsAddAsAlternatingCurrentsDo(t *testing.T) {
	for name, c := range map[string]struct {
		loads []load
		want  load
	}{
		"nothing":         {nil, load{}},
		"one":             {[]load{{100 * watt, 60}}, load{100 * watt, 60}},
		"two of the same": {[]load{{100 * watt, 60}, {300 * watt, 60}}, load{400 * watt, 60}},
		// 100 W at 0.6 are 133.3 var, with 700 W beside them: 800/811.
		"heater and motor": {[]load{{100 * watt, 60}, {700 * watt, 100}, {}}, load{800 * watt, 99}},
	} {
		var sum vector
		for _, l := range c.loads {
			sum.add(l)
		}
		if got := sum.load(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestCompressorsStartWithAnInrushAndRestBetweenRuns(t *testing.T) {
	for word, outside := range map[string]microkelvin{"fridge": 20 * degree, "freezer": 20 * degree, "air_conditioner": 33 * degree} {
		b := newBench(t, word, 9)
		b.now.outside = outside
		if word == "air_conditioner" {
			b.use(awake)
		}
		rated := watt * milliwatt(modelOf(word).watts)
		starts, stopped := 0, -1
		var before milliwatt
		for s := range 6 * hour {
			got := b.second().power
			switch {
			case got > rated/2 && before < rated/2:
				starts++
				if got < 4*rated {
					t.Errorf("%s started with %d mW, it is rated at %d", word, got, rated)
				}
				if stopped >= 0 && s-stopped < 180 {
					t.Errorf("%s started after %d s of rest", word, s-stopped)
				}
			case got > 3*rated/2:
				t.Errorf("%s draws %d mW after its start", word, got)
			case got < rated/2 && before > rated/2:
				stopped = s
			}
			before = got
		}
		if starts < 4 || starts > 20 {
			t.Errorf("%s started %d times in six hours", word, starts)
		}
	}
}

func TestFridgeWarmsUpWithoutPower(t *testing.T) {
	b := newBench(t, "fridge", 9)
	f := b.appliance.(*fridge)
	b.now.powered = false
	for range 6 * hour {
		b.second()
	}
	if f.temperature < 14*degree || f.temperature > 24*degree {
		t.Errorf("it has %d µ°C after six hours", f.temperature)
	}
	b.now.powered = true
	if b.second(); !f.active {
		t.Error("it does not cool when the power is back")
	}
}

func TestFridgeIsWarmedByItsDoor(t *testing.T) {
	b := newBench(t, "fridge", 9)
	f := b.appliance.(*fridge)
	b.second()
	before := f.temperature
	f.use(10)
	if f.temperature <= before {
		t.Errorf("%d µ°C after the door was open, %d before", f.temperature, before)
	}
	if lamp := b.second(); lamp.power < 3*watt && !f.active {
		t.Errorf("its lamp draws %d mW", lamp.power)
	}
}

func TestAirConditionerRunsForTheWeatherAndThePeople(t *testing.T) {
	for name, c := range map[string]struct {
		outside     microkelvin
		comfort     int
		least, most int // seconds of six hours
	}{
		"heat, somebody in":      {33 * degree, awake, 6000, 17_000},
		"heat, nobody in":        {33 * degree, nobodyIn, 3000, 12_000},
		"warm, nobody in":        {25 * degree, nobodyIn, 0, 0},
		"mild, somebody in":      {20 * degree, awake, 0, 0},
		"frost, somebody in":     {-5 * degree, awake, 4000, 12_000},
		"frost, everyone asleep": {-5 * degree, asleep, 0, 2000},
	} {
		b := newBench(t, "air_conditioner", 9)
		b.now.outside = c.outside
		b.use(c.comfort)
		ran := 0
		for range 6 * hour {
			if b.second().power > 500*watt {
				ran++
			}
		}
		if ran < c.least || ran > c.most {
			t.Errorf("%s: it ran for %d s, want %d to %d", name, ran, c.least, c.most)
		}
	}
}

func TestWaterHeaterHeatsAfterAShowerAndAtNight(t *testing.T) {
	heated := func(b *bench, seconds int) (n int) {
		for range seconds {
			if b.second().power > 0 {
				n++
			}
		}
		return n
	}
	b := newBench(t, "water_heater", 9)
	if n := heated(b, hour); n != 0 {
		t.Errorf("hot as it is, it heated for %d s", n)
	}
	b.use(300)
	b.use(300)
	if n := heated(b, hour); n < 500 || n > 3000 {
		t.Errorf("after two showers it heated for %d s", n)
	}
	heated(b, 8*hour) // until seven in the evening
	if n := heated(b, 3*hour); n != 0 {
		t.Errorf("warm enough, it heated for %d s in the evening", n)
	}
	heated(b, 3*hour) // until one in the night
	if n := heated(b, 4*hour); n < 1000 || n > 5000 {
		t.Errorf("it heated for %d s while power was cheap", n)
	}
}

func TestKettleBoilsLaterWithoutPower(t *testing.T) {
	b := newBench(t, "kettle", 7)
	b.use(1000)
	b.now.powered = false
	for range 100 {
		b.second()
	}
	b.now.powered = true
	seconds := 0
	for ; b.second().power == 2200*watt; seconds++ {
	}
	if seconds < 150 || seconds > 190 {
		t.Errorf("a litre took %d s", seconds)
	}
	if got := b.second(); got != (load{}) {
		t.Errorf("afterwards it draws %+v", got)
	}
}

func TestWashingMachineGoesOnWhereThePowerFailed(t *testing.T) {
	for which, want := range map[int]int{at40: 4140, at60: 4690} {
		b := newBench(t, "washing_machine", 9)
		b.use(which)
		washed, phases := 0, map[int]bool{}
		for s := range 3 * want {
			b.now.powered = s%3 != 0
			if got := b.second(); got.power > 2*watt {
				washed++
				phases[len(b.appliance.(*washingMachine).left)] = true
			}
		}
		if washed != want || len(phases) != 7 {
			t.Errorf("programme %d: it washed for %d s in phases %v, want %d s", which, washed, phases, want)
		}
	}
}

func TestWashingMachineHeatsWashesAndSpins(t *testing.T) {
	b := newBench(t, "washing_machine", 9)
	b.use(at60)
	var heats, spins int
	for range 5000 {
		switch got := b.second().power; {
		case got > 1900*watt:
			heats++
		case got > 300*watt:
			spins++
		}
	}
	if heats < 1100 || heats > 1200 || spins < 400 || spins > 450 {
		t.Errorf("it heats for %d s and spins for %d s", heats, spins)
	}
}

func TestTelevisionStaysInStandbyAfterACut(t *testing.T) {
	b := newBench(t, "tv", 20)
	b.use(100)
	if got := b.second(); got.power < 100*watt {
		t.Errorf("its capacitors draw %+v", got)
	}
	if got := b.second(); got.power < 70*watt || got.power > 120*watt {
		t.Errorf("switched on: %+v", got)
	}
	b.now.powered = false
	b.second()
	b.now.powered = true
	if got := b.second(); got.power > 2*watt {
		t.Errorf("after the cut: %+v", got)
	}
}

func TestLightsDrawByTheLamp(t *testing.T) {
	b := newBench(t, "lights", 20)
	for lit, want := range map[int]milliwatt{0: 0, 1: 9 * watt, 8: 72 * watt, 20: 72 * watt} {
		b.use(lit)
		if got := b.second().power; got < want*99/100 || got > want*101/100 {
			t.Errorf("%d lamps draw %d mW", lit, got)
		}
	}
}

func TestWanderIsWithinItsBoundsAndWithoutJumps(t *testing.T) {
	before, low, high := int64(0), int64(0), int64(0)
	for unix := range int64(100_000) {
		v := wander(7, unix, 100, 1000)
		if jump := v - before; unix > 0 && (jump > 20 || jump < -20) {
			t.Fatalf("from %d to %d at %d", before, v, unix)
		}
		before, low, high = v, min(low, v), max(high, v)
	}
	if low < -1000 || low > -900 || high > 1000 || high < 900 {
		t.Errorf("it strays from %d to %d", low, high)
	}
}

func TestOutdoorsChangesWithoutAJumpAndFollowsTheSeason(t *testing.T) {
	var before microkelvin
	warmest := map[time.Month]microkelvin{}
	for d := (date{2025, time.January, 1}); d.year == 2025; d = d.next(1) {
		w := weatherOn(5, d)
		for ofDay := 0; ofDay < secondsADay; ofDay += minute {
			now := w.outside(ofDay)
			if jump := max(now-before, before-now); jump > degree/5 && before != 0 {
				t.Fatalf("from %d to %d µ°C at %d s of %v", before, now, ofDay, d)
			}
			before, warmest[d.month] = now, max(warmest[d.month], now)
		}
	}
	if warmest[time.July] < 24*degree || warmest[time.July] > 38*degree || warmest[time.January] > 15*degree {
		t.Errorf("the warmest of each month: %v", warmest)
	}
}
