package wire

import "github.com/iot-smart-meter/smartmeter"

// ThresholdAlert tells people's apps that a device used more than its limit.
type ThresholdAlert struct {
	Consumption smartmeter.WattHour
	Limit       smartmeter.WattHour
	ExceededAt  string // local time in ISO 8601, without a zone
}

// DecodeThresholdAlert reads threshold/alert.
func DecodeThresholdAlert(p []byte) (ThresholdAlert, error) {
	var a ThresholdAlert
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldConsumptionKWh:
			d.kilowattHours(&a.Consumption)
		case fieldLimitKWh:
			d.kilowattHours(&a.Limit)
		case fieldExceededAt:
			d.text(&a.ExceededAt, maxInstantText)
		default:
			d.skip()
		}
	}
	return a, d.end(fieldConsumptionKWh | fieldLimitKWh | fieldExceededAt)
}

// kilowattHours reads an energy of the current field, to the watt-hour.
func (d *scanner) kilowattHours(dst *smartmeter.WattHour) {
	v, ok := d.decimal(3)
	switch {
	case !ok:
	case v < 0 || v > int64(smartmeter.MaxEnergy):
		d.out |= d.field
	default:
		*dst = smartmeter.WattHour(v)
	}
}

// AppendThresholdAlert appends a as JSON, energies in kWh.
func AppendThresholdAlert(dst []byte, a *ThresholdAlert) []byte {
	dst = append(dst, '{')
	dst = appendDecimal(dst, "consumption_kwh", a.Consumption, 3)
	dst = appendDecimal(dst, "limit_kwh", a.Limit, 3)
	dst = appendText(dst, "exceeded_at", a.ExceededAt)
	return append(dst, '}')
}
