package chunk

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

// pack returns the chunk of the readings, and says for each column how much it
// took.
func pack(t testing.TB, e *Encoder, d Day, readings []smartmeter.Reading, sizes *[columns]int) []byte {
	t.Helper()
	p, err := e.Encode(nil, Header{Day: d}, readings)
	if err != nil {
		t.Fatal(err)
	}
	for k := range columns {
		sizes[k] += len(e.packed[k])
	}
	return p
}

func TestNoisySamplesTakeLittle(t *testing.T) {
	const seed = 1
	days := Day(30) // 518,400 samples
	if testing.Short() {
		days = 2
	}
	h := newHousehold(seed)
	var e Encoder
	var total, samples int
	var sizes [columns]int
	for d := range days {
		total += len(pack(t, &e, testDay+d, h.day(testDay+d), &sizes))
		samples += samplesDay
	}
	perSample := float64(total) / float64(samples)
	bits := func(k column) float64 { return 8 * float64(sizes[k]) / float64(samples) }
	n := float64(samples)
	t.Logf("seed %d: %.3f B/sample; the noise alone has %.3f", seed, perSample, h.oracle.sum()/8/n)
	t.Logf("bits/sample, packed (noise alone): voltage %.3f (%.3f), power %.3f (%.3f), current %.3f (%.3f), frequency %.3f (%.3f), power factor %.3f, energy %.3f, time %.3f",
		bits(colVoltage), h.oracle.voltage/n, bits(colPower), h.oracle.power/n,
		bits(colCurrent), h.oracle.current/n, bits(colFrequency), h.oracle.frequency/n,
		bits(colPowerFactor), bits(colEnergy), bits(colTime))
	if perSample > 2.3 {
		t.Errorf("%.3f bytes per sample, want at most 2.3", perSample)
	}
	if perSample < h.oracle.sum()/8/n {
		t.Errorf("%.3f bytes per sample are less than the noise has: the estimate is wrong", perSample)
	}
}

func TestPlugTakesLittle(t *testing.T) {
	const days, seed = 10, 1
	var e Encoder
	var total, samples int
	var sizes [columns]int
	for d := range Day(days) {
		readings := plug(seed+uint64(d), testDay+d)
		total += len(pack(t, &e, testDay+d, readings, &sizes))
		samples += len(readings)
	}
	perSample := float64(total) / float64(samples)
	t.Logf("seed %d: %.3f B/sample, of it power %.3f and time %.3f", seed, perSample,
		float64(sizes[colPower])/float64(samples), float64(sizes[colTime])/float64(samples))
	if perSample > 1.5 {
		t.Errorf("%.3f bytes per sample, want at most 1.5", perSample)
	}
}
