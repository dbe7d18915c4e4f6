package wire

import "github.com/iot-smart-meter/smartmeter"

// DecodeEnergy reads the cumulative register as kWh, e.g. 12.34, a JSON
// number and nothing else. With [OutOfRange] it returns what it read, too.
func DecodeEnergy(p []byte) (smartmeter.WattHour, error) {
	d := scan(p)
	v, _ := d.number().scale(3)
	if err := d.end(0); err != nil {
		return 0, err
	}
	if v < 0 || v > int64(smartmeter.MaxEnergy) {
		return smartmeter.WattHour(v), OutOfRange
	}
	return smartmeter.WattHour(v), nil
}

// AppendEnergy appends the register as kWh with two decimals, as the fielded
// sketch does: steps of 10 Wh, rounded half up.
func AppendEnergy(dst []byte, e smartmeter.WattHour) []byte {
	return appendSteps(dst, int64(e+5)/10, 2, 2)
}
