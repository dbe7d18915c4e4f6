package sim

import (
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// moments returns the world at an hour, for an appliance tested alone.
func moment(hour int) *Moment {
	return &Moment{
		Time: testStart.Add(time.Duration(hour) * time.Hour), Hour: hour,
		Voltage: 2300, Frequency: 500, Powered: true, Rand: random(1, "test"),
	}
}

func TestResistiveLoadGrowsWithTheSquareOfTheVoltage(t *testing.T) {
	for v, want := range map[smartmeter.Decivolt]Milliwatt{2300: 2000 * watt, 1150: 500 * watt, 2530: 2420 * watt} {
		if got := resistive(2000*watt, v); got.Power != want || got.PowerFactor != 100 {
			t.Errorf("at %d dV: %+v, want %d mW", v, got, want)
		}
	}
}

func TestCurrentFollowsFromPowerVoltageAndPowerFactor(t *testing.T) {
	for _, c := range []struct {
		load    Load
		voltage smartmeter.Decivolt
		want    smartmeter.Milliamp
	}{
		{Load{2300 * watt, 100}, 2300, 10_000},
		{Load{2300 * watt, 50}, 2300, 20_000},
		{Load{230, 100}, 2300, 1},
		{Load{0, 100}, 2300, 0},
		{Load{100, 0}, 2300, 0},
		{Load{100, 100}, 0, 0},
	} {
		if got := c.load.Current(c.voltage); got != c.want {
			t.Errorf("%+v at %d dV: %d mA, want %d", c.load, c.voltage, got, c.want)
		}
	}
}

func TestMainsSagUnderLoad(t *testing.T) {
	m := mains{millivolts: 1500}
	if idle, loaded := m.voltage(0), m.voltage(10_000); idle != 2315 || loaded != 2275 {
		t.Errorf("%d dV idle, %d dV with 10 A", idle, loaded)
	}
	if got := m.voltage(1_000_000); got != smartmeter.MinVoltage {
		t.Errorf("%d dV with 1 kA", got)
	}
}

func TestMeterMeasuresNothingBelowItsStart(t *testing.T) {
	m, err := newMeter()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 * 3600 * 10 {
		m.measure(moment(0), Load{startsAt - 1, 50})
	}
	if got := m.module.Measurement(); got.Power != 0 || got.Current != 0 || got.Energy != 0 || got.Voltage != 2300 {
		t.Errorf("just below: %+v", got)
	}
	for range 3600 {
		m.measure(moment(0), Load{10*watt + 49, 50})
	}
	if got := m.module.Measurement(); got.Power != 100 || got.Energy != 10 || got.PowerFactor != 50 {
		t.Errorf("an hour of 10 W: %+v", got)
	}
}

func TestCompressorStartsWithAnInrushAndRestsBetweenRuns(t *testing.T) {
	now := moment(12)
	f := newFridge(now.Rand)
	const running, inrushing = 50 * watt, 200 * watt
	starts, stopped := 0, -1
	var before Milliwatt
	for s := range 6 * 3600 {
		load := f.Second(now)
		if load.Power > running && before < running && s > 0 {
			starts++
			if load.Power < inrushing {
				t.Errorf("started with %d mW", load.Power)
			}
			if stopped >= 0 && s-stopped < 180 {
				t.Errorf("started after %d s of rest", s-stopped)
			}
		}
		if load.Power < running && before > running {
			stopped = s
		}
		before = load.Power
	}
	if starts < 4 || starts > 15 {
		t.Errorf("%d starts in six hours", starts)
	}
}

func TestFridgeWarmsUpWithoutPower(t *testing.T) {
	now := moment(3)
	now.Powered = false
	f := newFridge(now.Rand).(*fridge)
	for range 6 * 3600 {
		f.Second(now)
	}
	if f.temperature < 14*degree || f.temperature > 21*degree {
		t.Errorf("it has %d µ°C after six hours", f.temperature)
	}
	now.Powered = true
	f.Second(now)
	if !f.active {
		t.Error("it does not cool when the power is back")
	}
}

func TestWashingMachineGoesOnWhereThePowerFailed(t *testing.T) {
	now := moment(9)
	w := newWashingMachine(now.Rand).(*washingMachine)
	w.phase = 0
	seconds := 0
	for w.phase < len(cottons) && seconds < 10_000 {
		now.Powered = seconds%3 != 0
		w.Second(now)
		seconds++
	}
	want := 0
	for _, p := range cottons {
		want += p.seconds
	}
	if powered := seconds * 2 / 3; powered < want-1 || powered > want+1 {
		t.Errorf("it washed for %d s, the programme takes %d", powered, want)
	}
}

func TestKettleBoilsLaterWithoutPower(t *testing.T) {
	now := moment(7)
	k := newKettle(now.Rand).(*kettle)
	k.left = 2
	now.Powered = false
	if got := k.Second(now); got != (Load{}) || k.left != 2 {
		t.Errorf("without power: %+v, %d s left", got, k.left)
	}
	now.Powered = true
	k.Second(now)
	if got := k.Second(now); got.Power != 2200*watt || k.left != 0 {
		t.Errorf("with power: %+v, %d s left", got, k.left)
	}
}

func TestTelevisionStaysInStandbyAfterACut(t *testing.T) {
	now := moment(3)
	tv := newTelevision(now.Rand).(*television)
	tv.left = 100
	if got := tv.Second(now); got.Power < 50*watt {
		t.Errorf("switched on: %+v", got)
	}
	now.Powered = false
	tv.Second(now)
	now.Powered = true
	if got := tv.Second(now); got.Power > 2*watt {
		t.Errorf("after the cut: %+v", got)
	}
}

func TestHabitsFollowTheHour(t *testing.T) {
	r := rhythm{7: 3_600_000, 8: 1800_000}
	now := moment(6)
	count := func(hour int) (n int) {
		now.Hour = hour
		for range 3600 {
			if r.now(now) {
				n++
			}
		}
		return n
	}
	if n := count(6); n != 0 {
		t.Errorf("%d times at 6", n)
	}
	if n := count(7); n != 3600 {
		t.Errorf("%d times at 7", n)
	}
	if n := count(8); n < 1600 || n > 2000 {
		t.Errorf("%d times at 8", n)
	}
}

func TestOutdoorsChangesWithoutAJump(t *testing.T) {
	before := outside(moment(0))
	for s := range 24 * 3600 {
		at := testStart.Add(time.Duration(s+1) * time.Second)
		now := outside(&Moment{Time: at, Hour: at.Hour()})
		if now-before > degree/100 || before-now > degree/100 {
			t.Fatalf("from %d to %d µ°C at %v", before, now, at)
		}
		before = now
	}
}
