package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	var out strings.Builder
	writeTable(&out, []*figure{
		{name: "kept", unit: "/s", target: atLeast(10_000), values: []float64{12_345.6, 9_000, 14_000}},
		{name: "missed", unit: "ms", target: below(50), values: []float64{50}},
		{name: "ratio", unit: "×", target: atMost(1.5), values: []float64{1, 2}},
		{name: "none lost", target: exactly(0), values: []float64{0, 0}},
		{name: "aims at nothing", unit: "MB", values: []float64{0.0123}},
		{name: "no room", unit: "MB", target: atMost(100), note: "too few files"},
		{name: "failed", err: errors.New("one line\nand | another")},
	})
	want := `| figure | measured | target | met |
|---|---|---|---|
| kept | 12,346 /s (9,000–14,000) | ≥ 10,000 /s | yes |
| missed | 50 ms | < 50 ms | **no** |
| ratio | 1.50 × (1–2) | ≤ 1.50 × | yes |
| none lost | 0 | = 0 | yes |
| aims at nothing | 0.012 MB | – | – |
| no room – too few files | not measured | ≤ 100 MB | – |
| failed – one line and \| another | not measured | – | – |
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i) // 100 … 1
	}
	for share, want := range map[float64]float64{0.5: 50, 0.99: 99, 1: 100, 0: 1} {
		if got := quantile(hundred, share); got != want {
			t.Errorf("quantile %v of 1 to 100: %v, want %v", share, got, want)
		}
	}
	if got := quantile([]float64{7}, 0.99); got != 7 {
		t.Errorf("quantile of one value: %v", got)
	}
	if got := median([]float64{9, 1, 4, 2}); got != 3 {
		t.Errorf("median of an even number of values: %v, want 3", got)
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0:         "0",
		0.5:       "0.500",
		1.255:     "1.25",
		42:        "42",
		42.42:     "42.4",
		424.2:     "424",
		-1234.5:   "-1,234",
		123:       "123",
		1_234_567: "1,234,567",
	} {
		if got := number(value); got != want {
			t.Errorf("number(%v) = %q, want %q", value, got, want)
		}
	}
}
