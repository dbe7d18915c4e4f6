package ledger_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func instant(t *testing.T, s string) smartmeter.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return smartmeter.InstantOf(at)
}

func compose(t interface{ Fatal(...any) }, sums []ledger.Sums, from, to smartmeter.Instant, step ledger.Step, z *time.Location) []smartmeter.EnergyBucket {
	c, err := ledger.NewComposer(from, to, step, z)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sums {
		c.Add(&sums[i])
	}
	return c.Buckets()
}

func TestBucketsEndWhereTheCalendarSays(t *testing.T) {
	tests := []struct {
		name, zone, from string
		step             ledger.Step
		ends             []string
	}{
		{"a spring day has 23 hours", "Europe/Berlin", "2026-03-28T23:00:00Z", ledger.StepDay, []string{"2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"}},
		{"an autumn day has 25 hours", "Europe/Berlin", "2026-10-24T22:00:00Z", ledger.StepDay, []string{"2026-10-25T23:00:00Z"}},
		{"the hour that comes twice is two", "Europe/Berlin", "2026-10-25T00:00:00Z", ledger.StepHour, []string{"2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		{"hours of a zone with three quarters", "Asia/Kathmandu", "2026-05-01T00:00:00Z", ledger.StepHour, []string{"2026-05-01T00:15:00Z", "2026-05-01T01:15:00Z"}},
		{"a clock set by half an hour forward", "Australia/Lord_Howe", "2026-10-03T14:30:00Z", ledger.StepHour, []string{"2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"}},
		{"and back", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", ledger.StepHour, []string{"2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"}},
		{"midnight does not exist", "America/Havana", "2026-03-07T05:00:00Z", ledger.StepDay, []string{"2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"}},
		{"midnight comes twice", "America/Havana", "2026-10-31T04:00:00Z", ledger.StepDay, []string{"2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"}},
		{"the clock goes back to yesterday", "America/St_Johns", "2010-11-06T02:30:00Z", ledger.StepDay, []string{"2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"}},
		{"and that hour is still today's", "America/St_Johns", "2010-11-07T03:00:00Z", ledger.StepDay, []string{"2010-11-08T03:30:00Z"}},
		{"a date that does not exist", "Pacific/Apia", "2011-12-29T10:00:00Z", ledger.StepDay, []string{"2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"}},
		{"weeks end on Sunday", "Europe/Berlin", "2026-11-25T12:00:00Z", ledger.StepWeek, []string{"2026-11-29T23:00:00Z", "2026-12-06T23:00:00Z"}},
		{"months over the change of the clock", "Europe/Berlin", "2026-02-28T23:00:00Z", ledger.StepMonth, []string{"2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"}},
		{"December ends in January", "UTC", "2026-12-31T12:00:00Z", ledger.StepMonth, []string{"2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			from := instant(t, test.from)
			var ends []string
			for _, b := range compose(t, nil, from, from+70*24*hour, test.step, zone(t, test.zone))[:len(test.ends)] {
				ends = append(ends, b.To.Time().Format(time.RFC3339))
			}
			wantSame(t, "ends", ends, test.ends)
		})
	}
}

// Somewhere on Earth every one of these has set its clock strangely.
var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Havana", "America/Sao_Paulo", "Asia/Kathmandu",
	"Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Africa/Cairo", "Asia/Tehran", "Asia/Beirut",
}

func TestHoursAddUpToDaysToMonths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		from := smartmeter.Instant(rapid.Int64Range(1_000_000, 2_000_000).Draw(t, "from")) * 900_000
		to := from + smartmeter.Instant(rapid.Int64Range(1, 96*100).Draw(t, "quarters"))*900_000
		var sums []ledger.Sums
		var want smartmeter.WattHour
		for n := ledger.DayOf(from) - 1; n <= ledger.DayOf(to)+1; n++ {
			s := ledger.Sums{Day: n}
			for i := range s.Quarters {
				at := n.Start() + smartmeter.Instant(i)*900_000
				s.Quarters[i] = ledger.Quarter{Energy: smartmeter.WattHour(int64(at/900_000) * 7919 % 1000), Quality: smartmeter.EnergyMeasured}
				if at >= from && at < to {
					want += s.Quarters[i].Energy
				}
			}
			sums = append(sums, s)
		}
		for _, step := range []ledger.Step{ledger.StepQuarter, ledger.StepHour, ledger.StepDay, ledger.StepWeek, ledger.StepMonth, ledger.StepWhole} {
			at := from
			var got smartmeter.WattHour
			for _, b := range compose(t, sums, from, to, step, z) {
				if b.From != at || b.To <= b.From || b.Missing != 0 {
					t.Fatalf("step %d: %s to %s is no bucket after %s", step, b.From.Time(), b.To.Time(), at.Time())
				}
				at = b.To
				got += b.Energy
			}
			if got != want || at != to {
				t.Errorf("step %d: %d Wh until %s, want %d until %s", step, got, at.Time(), want, to.Time())
			}
		}
	})
}

// Whatever a zone does, a date's bucket has no other date's first instant in it.
func TestEveryDateIsOneBucket(t *testing.T) {
	from, to := instant(t, "2009-06-15T12:00:00Z"), instant(t, "2027-06-15T12:00:00Z")
	for _, name := range zones {
		z := zone(t, name)
		var dates []string
		for _, b := range compose(t, nil, from, to, ledger.StepDay, z)[1:] {
			dates = append(dates, b.From.Time().In(z).Format(time.DateOnly))
		}
		if !slices.IsSorted(dates) || len(slices.Compact(slices.Clone(dates))) != len(dates) {
			t.Errorf("%s: a date begins twice or out of order", name)
		}
	}
}

func TestWhatIsMissingIsNotZero(t *testing.T) {
	sums := []ledger.Sums{{Day: begin}}
	sums[0].Quarters[1] = ledger.Quarter{Quality: smartmeter.EnergyMeasured}
	got := compose(t, sums, begin.Start(), begin.Start()+2*hour, ledger.StepHour, time.UTC)
	wantSame(t, "buckets", got, []smartmeter.EnergyBucket{
		{From: begin.Start(), To: begin.Start() + hour, Quality: smartmeter.EnergyMeasured, Missing: smartmeter.Millis(45 * minute)},
		{From: begin.Start() + hour, To: begin.Start() + 2*hour, Missing: smartmeter.Millis(hour)},
	})
	if got[1].Quality.String() != "absent" {
		t.Errorf("an hour without anything is %s", got[1].Quality)
	}
}

func TestComposerRefusesWhatItCannotAnswer(t *testing.T) {
	for name, to := range map[string]smartmeter.Instant{"no time": begin.Start() + 1, "too many": begin.Start() + 10_000*24*hour} {
		if _, err := ledger.NewComposer(begin.Start(), to, ledger.StepQuarter, time.UTC); smartmeter.CodeOf(err) != smartmeter.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
