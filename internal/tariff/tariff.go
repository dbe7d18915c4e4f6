package tariff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Tariff is what a site pays for energy. The zero value has no price.
type Tariff struct {
	// Currency is its code by ISO 4217, like EUR.
	Currency string
	// Prices are in the order of From, no two of one date.
	Prices []Price
}

// Price is what a kWh costs from a date on, until another price holds.
type Price struct {
	From   Date
	PerKWh Micro
}

// Limits of what is a tariff.
const (
	maxPrices = 200
	// maxPrice is the highest price per kWh: more than in any currency.
	maxPrice Micro = 1_000_000 * 1_000_000
)

// Check tells what is wrong with a tariff, as an *smartmeter.Error with the
// field, or returns nil.
func (t Tariff) Check() error {
	invalid := func(field, message string) error {
		return smartmeter.NewError(smartmeter.Invalid, field, message)
	}
	switch {
	case len(t.Prices) == 0 && t.Currency == "":
		return nil
	case len(t.Currency) != 3 || strings.Trim(t.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return invalid("currency", "must be the three capital letters of a currency, like EUR")
	case len(t.Prices) > maxPrices:
		return invalid("prices", "must be at most 200; let go of the oldest")
	}
	for i, p := range t.Prices {
		if p.PerKWh < 0 || p.PerKWh > maxPrice {
			return invalid(fmt.Sprintf("prices[%d].per_kwh", i), "must be from 0 to 1000000")
		}
		if p.From.year < 2000 || p.From.year > 2199 {
			return invalid(fmt.Sprintf("prices[%d].from", i), "must be between the years 2000 and 2199")
		}
		if i > 0 && !t.Prices[i-1].From.before(p.From) {
			return invalid(fmt.Sprintf("prices[%d].from", i), "must be later than the one before it")
		}
	}
	return nil
}

// Decimals returns how many decimals people write amounts of the currency with
// (ISO 4217, list one: its minor unit).
func (t Tariff) Decimals() int {
	switch {
	case slices.Contains(strings.Fields("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"), t.Currency):
		return 0
	case slices.Contains(strings.Fields("BHD IQD JOD KWD LYD OMR TND"), t.Currency):
		return 3
	default:
		return 2
	}
}

// Span is a time in which one price holds: From <= t < To.
type Span struct {
	From, To smartmeter.Instant
	PerKWh   Micro
}

// Spans returns the prices from from to before to, in order and without gaps
// between them. They begin later than from where there was no price yet; dates
// are those of the zone.
func (t Tariff) Spans(from, to smartmeter.Instant, zone *time.Location) []Span {
	var spans []Span
	for i, p := range t.Prices {
		end := to
		if i+1 < len(t.Prices) {
			end = min(to, t.Prices[i+1].From.Begin(zone))
		}
		if begin := max(from, p.From.Begin(zone)); begin < end {
			spans = append(spans, Span{begin, end, p.PerKWh})
		}
	}
	return spans
}

// Date is a day of the calendar.
type Date struct {
	year  int
	month time.Month
	day   int
}

// DateOf returns the date that a time shows.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// ParseDate reads a date like 2026-11-01.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%s: must be a date like 2026-11-01", strconv.Quote(s))
	}
	return DateOf(t), nil
}

// String writes the date like 2026-11-01.
func (d Date) String() string { return d.midnight().Format(time.DateOnly) }

func (d Date) before(e Date) bool { return d.midnight().Before(e.midnight()) }

// midnight is the date's midnight by a clock that nobody sets.
func (d Date) midnight() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

// Begin returns the date's first instant in a zone. Where the clock is set at
// midnight, 00:00 does not exist or is there twice: then it is the instant of
// the change, or the first of the two.
func (d Date) Begin(zone *time.Location) smartmeter.Instant {
	noon := time.Date(d.year, d.month, d.day, 12, 0, 0, 0, zone)
	set, _ := noon.ZoneBounds() // the last time that the clock was set before noon
	if set.IsZero() {
		return smartmeter.InstantOf(d.shown(noon))
	}
	if before := d.shown(set.Add(-time.Second)); before.Before(set) {
		return smartmeter.InstantOf(before)
	}
	if after := d.shown(noon); after.After(set) {
		return smartmeter.InstantOf(after)
	}
	return smartmeter.InstantOf(set)
}

// shown returns when the clock as it is at some time would show 00:00.
func (d Date) shown(at time.Time) time.Time {
	_, offset := at.Zone()
	return d.midnight().Add(-time.Duration(offset) * time.Second)
}
