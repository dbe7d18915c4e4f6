package tariff_test

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/tariff"
	"pgregory.net/rapid"
)

func TestParseMicro(t *testing.T) {
	for s, want := range map[string]tariff.Micro{
		"0": 0, "0.3199": 319_900, "1": 1_000_000, "12.000001": 12_000_001, "-0.05": -50_000, "00.10": 100_000, "999999999999.999999": 999_999_999_999_999_999,
	} {
		if got, err := tariff.ParseMicro(s); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", ".5", "5.", "-", "--1", "+1", "1e3", "0,3199", "0.1234567", "1000000000000", " 1", "1 ", "NaN", "٣", "1.-5", "0x1"} {
		if got, err := tariff.ParseMicro(s); err == nil {
			t.Errorf("%q is taken for %d", s, got)
		}
	}
}

func TestMicroReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := tariff.Micro(rapid.Int64Range(-999_999_999_999_999_999, 999_999_999_999_999_999).Draw(t, "micro"))
		if got, err := tariff.ParseMicro(m.String()); err != nil || got != m {
			t.Fatalf("%d is written %s and read %d, %v", m, m, got, err)
		}
	})
	for m, want := range map[tariff.Micro]string{0: "0", 319_900: "0.3199", -1: "-0.000001", 10_000_000: "10", 100_000_000_000: "100000"} {
		if m.String() != want {
			t.Errorf("%d is written %s, want %s", m, m, want)
		}
	}
}

func TestRound(t *testing.T) {
	for _, tt := range []struct {
		wh       smartmeter.WattHour
		price    tariff.Micro
		decimals int
		want     string
	}{
		{1000, 319_900, 2, "0.32"},
		{0, 319_900, 2, "0.00"},
		{1, 5_000_000, 2, "0.01"}, // half a cent
		{-1, 5_000_000, 2, "-0.01"},
		{1, 4_999_999, 2, "0.00"},
		{-1, 4_999_999, 2, "0.00"},
		{3, 500_000, 3, "0.002"},
		{1500, 1_000_000, 0, "2"},
		{1499, 1_000_000, 0, "1"},
		{7, 1, 9, "0.000000007"},
		{100_000_000_000, 1_000_000_000_000, 2, "100000000000000.00"}, // 100 GWh at the highest price
	} {
		if got := tariff.Of(tt.wh, tt.price).Round(tt.decimals); got != tt.want {
			t.Errorf("%d Wh at %v with %d decimals are %s, want %s", tt.wh, tt.price, tt.decimals, got, tt.want)
		}
	}
}

// However a sum is cut into parts, it is the same, and it is what rational
// numbers say, rounded once.
func TestCostsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sum, want := tariff.Of(0, 0), new(big.Rat)
		for range rapid.IntRange(0, 50).Draw(t, "parts") {
			wh := rapid.Int64Range(-100_000, 100_000_000_000).Draw(t, "Wh")
			price := rapid.Int64Range(0, 1_000_000_000_000).Draw(t, "price")
			a := rapid.Int64Range(-1_000_000, 100_000_000_000).Draw(t, "first part")
			part := tariff.Of(smartmeter.WattHour(a), tariff.Micro(price)).Plus(tariff.Of(smartmeter.WattHour(wh-a), tariff.Micro(price)))
			if rapid.Bool().Draw(t, "subtract the rest") {
				part = tariff.Of(smartmeter.WattHour(wh+a), tariff.Micro(price)).Minus(tariff.Of(smartmeter.WattHour(a), tariff.Micro(price)))
			}
			sum = sum.Plus(part)
			want.Add(want, new(big.Rat).Mul(big.NewRat(wh, 1000), big.NewRat(price, 1_000_000)))
		}
		decimals := rapid.IntRange(0, 9).Draw(t, "decimals")
		got, ok := new(big.Rat).SetString(sum.Round(decimals))
		rounded, _ := new(big.Rat).SetString(want.FloatString(decimals)) // half away from zero
		if !ok || got.Cmp(rounded) != 0 {
			t.Fatalf("%s, want %s", sum.Round(decimals), want.FloatString(decimals))
		}
	})
}

func TestUnknownStaysUnknown(t *testing.T) {
	known := tariff.Of(1, 1)
	for name, c := range map[string]tariff.Cost{"plus": known.Plus(tariff.Cost{}), "to": (tariff.Cost{}).Plus(known), "minus": known.Minus(tariff.Cost{}), "from": (tariff.Cost{}).Minus(known)} {
		if c.Known() || c.Round(2) != "" {
			t.Errorf("%s: %s", name, c.Round(2))
		}
	}
	if free := tariff.Of(0, 1); !free.Known() || free.Round(2) != "0.00" {
		t.Error("free is unknown")
	}
}

func date(t interface{ Fatal(...any) }, s string) tariff.Date {
	d, err := tariff.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCheck(t *testing.T) {
	many := make([]tariff.Price, 201)
	for i := range many {
		many[i].From = tariff.DateOf(time.Date(2000, 1, 1+i, 0, 0, 0, 0, time.UTC))
	}
	for name, tt := range map[string]struct {
		tariff tariff.Tariff
		field  string
	}{
		"none":               {tariff.Tariff{}, ""},
		"a currency alone":   {tariff.Tariff{Currency: "EUR"}, ""},
		"as many as may be":  {tariff.Tariff{Currency: "EUR", Prices: many[:200]}, ""},
		"too many":           {tariff.Tariff{Currency: "EUR", Prices: many}, "prices"},
		"no currency":        {tariff.Tariff{Prices: many[:1]}, "currency"},
		"small letters":      {tariff.Tariff{Currency: "eur"}, "currency"},
		"a sign":             {tariff.Tariff{Currency: "€"}, "currency"}, // three bytes
		"below nothing":      {tariff.Tariff{Currency: "EUR", Prices: []tariff.Price{{From: date(t, "2026-01-01"), PerKWh: -1}}}, "prices[0].per_kwh"},
		"too dear":           {tariff.Tariff{Currency: "EUR", Prices: []tariff.Price{{From: date(t, "2026-01-01"), PerKWh: 1_000_000_000_001}}}, "prices[0].per_kwh"},
		"long ago":           {tariff.Tariff{Currency: "EUR", Prices: []tariff.Price{{From: date(t, "1999-12-31")}}}, "prices[0].from"},
		"two of one date":    {tariff.Tariff{Currency: "EUR", Prices: []tariff.Price{many[0], many[0]}}, "prices[1].from"},
		"in the wrong order": {tariff.Tariff{Currency: "EUR", Prices: []tariff.Price{many[1], many[0]}}, "prices[1].from"},
	} {
		err := tt.tariff.Check()
		if known, ok := errors.AsType[*smartmeter.Error](err); (err != nil) != (tt.field != "") || ok && known.Field != tt.field {
			t.Errorf("%s: %v, want a complaint about %q", name, err, tt.field)
		}
	}
	for _, s := range []string{"", "2026-1-1", "2026-02-30", "today", "2026-01-01T00:00:00Z"} {
		if d, err := tariff.ParseDate(s); err == nil {
			t.Errorf("%q is taken for %v", s, d)
		}
	}
}

func TestDecimals(t *testing.T) {
	for currency, want := range map[string]int{"EUR": 2, "JPY": 0, "KWD": 3, "XYZ": 2} {
		if got := (tariff.Tariff{Currency: currency}).Decimals(); got != want {
			t.Errorf("%s has %d decimals, want %d", currency, got, want)
		}
	}
}

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSpans(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	at := func(s string) smartmeter.Instant {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return smartmeter.InstantOf(when)
	}
	prices := tariff.Tariff{Currency: "EUR", Prices: []tariff.Price{{date(t, "2026-01-01"), 1}, {date(t, "2026-03-29"), 2}, {date(t, "2026-03-30"), 3}}}
	for _, tt := range []struct{ from, to, want string }{
		{"2025-01-01T00:00:00Z", "2025-12-31T23:00:00Z", ""},
		{"2025-12-31T22:00:00Z", "2025-12-31T23:15:00Z", "1 from 2025-12-31T23:00:00Z to 2025-12-31T23:15:00Z"},
		{"2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z", "1 from 2026-03-01T00:00:00Z to 2026-03-28T23:00:00Z, 2 from 2026-03-28T23:00:00Z to 2026-03-29T22:00:00Z, 3 from 2026-03-29T22:00:00Z to 2026-05-01T00:00:00Z"},
		{"2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z", "3 from 2027-01-01T00:00:00Z to 2027-01-02T00:00:00Z"},
	} {
		var got []string
		for _, s := range prices.Spans(at(tt.from), at(tt.to), berlin) {
			got = append(got, fmt.Sprintf("%d from %s to %s", s.PerKWh, s.From.Time().UTC().Format(time.RFC3339), s.To.Time().UTC().Format(time.RFC3339)))
		}
		if d := cmp.Diff(tt.want, strings.Join(got, ", ")); d != "" {
			t.Errorf("from %s to %s (-want +got):\n%s", tt.from, tt.to, d)
		}
	}
}

// In every zone a date begins when its date is shown for the first time.
func TestDatesBeginWhenTheyAreFirstShown(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "America/Santiago", "Asia/Beirut", "Africa/Cairo", "America/Sao_Paulo", "Asia/Tehran", "Pacific/Apia"}
	changes := map[string][]string{ // at midnight: 00:00 is not there, or is twice
		"America/Havana": {"2026-03-08", "2026-11-01"}, "America/Santiago": {"2026-09-06", "2026-04-05"}, "Asia/Beirut": {"2026-03-29", "2026-10-25"},
		"America/Sao_Paulo": {"2018-11-04", "2018-02-18"}, "Africa/Cairo": {"2026-04-24"}, "Asia/Tehran": {"2021-03-22", "2021-09-22"}, "Pacific/Apia": {"2011-12-31"},
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		z := zone(t, name)
		d := tariff.DateOf(time.Date(2000, 1, 1+rapid.IntRange(0, 12_000).Draw(t, "day"), 0, 0, 0, 0, time.UTC))
		if special := changes[name]; special != nil && rapid.Bool().Draw(t, "special") {
			d = date(t, rapid.SampledFrom(special).Draw(t, "date"))
		}
		if name == "Pacific/Apia" && d.String() == "2011-12-30" {
			return // there was no such day
		}
		begin := d.Begin(z).Time().In(z)
		if tariff.DateOf(begin) != d {
			t.Fatalf("%v in %s begins at %v", d, name, begin)
		}
		for back := range slices.Values([]time.Duration{time.Millisecond, time.Hour, 2 * time.Hour}) {
			if shown := begin.Add(-back); tariff.DateOf(shown) == d {
				t.Fatalf("%v in %s begins at %v, and %v is before that", d, name, begin, shown)
			}
		}
	})
}
