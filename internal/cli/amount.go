package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// kilowatts are an amount of energy as people write it, in kWh, held in Wh.
type kilowatts struct {
	wh    int64
	given bool
}

// UnmarshalText reads a decimal like 12.345, to the watt-hour.
func (k *kilowatts) UnmarshalText(text []byte) error {
	whole, fraction, _ := strings.Cut(string(text), ".")
	digits := whole + fraction + strings.Repeat("0", max(0, 3-len(fraction)))
	wh, err := strconv.ParseUint(digits, 10, 40)
	if err != nil || len(fraction) > 3 || whole == "" {
		return fmt.Errorf("%q: give kWh like 12.5, to the watt-hour: three digits after the point at most", text)
	}
	*k = kilowatts{int64(wh), true}
	return nil
}

// moment reads an instant of the command line: in RFC 3339, or a date or a time
// of a day by the zone's clock.
func moment(flag, s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errorf(smartmeter.Invalid, "%s %s: give a time like 2026-11-01T08:00, 2026-11-01T08:00:00+01:00 or a date like 2026-11-01", flag, strconv.Quote(s))
}
