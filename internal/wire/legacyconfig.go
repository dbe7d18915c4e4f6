package wire

import "github.com/iot-smart-meter/smartmeter"

// LegacyConfig is the fielded configuration: either interval may be absent,
// which is 0.
type LegacyConfig struct {
	Metrics smartmeter.Millis
	Energy  smartmeter.Millis
}

// DecodeLegacyConfig reads pzem/config. At least one field must be present,
// and both greater than 0, else the error is [MissingField] or [OutOfRange].
func DecodeLegacyConfig(p []byte) (LegacyConfig, error) {
	var c LegacyConfig
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldMetrics:
			millis(&d, &c.Metrics, 1)
		case fieldEnergy:
			millis(&d, &c.Energy, 1)
		default:
			d.skip()
		}
	}
	if d.got == 0 {
		d.fail(MissingField)
	}
	return c, d.end(0)
}

// AppendLegacyConfig appends c as JSON, what is 0 left out.
func AppendLegacyConfig(dst []byte, c LegacyConfig) []byte {
	dst = append(dst, '{')
	dst = appendSet(dst, "metrics", c.Metrics)
	dst = appendSet(dst, "energy", c.Energy)
	return append(dst, '}')
}
