package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// figure is one line of the table: what was measured, and what it should be.
type figure struct {
	name   string
	unit   string // "" for counts
	target target
	values []float64 // one for each time that it was measured
	note   string    // what a reader must know beside the number
	err    error     // why it could not be measured
}

func (f *figure) add(value float64) { f.values = append(f.values, value) }

// target is a bound on a figure's median. The zero value is none.
type target struct {
	sense string // "≥", "≤", "<" or "="
	bound float64
}

func atLeast(bound float64) target { return target{"≥", bound} }
func atMost(bound float64) target  { return target{"≤", bound} }
func below(bound float64) target   { return target{"<", bound} }
func exactly(bound float64) target { return target{"=", bound} }

// met says whether the median meets the target: yes, no, or – where there is
// nothing to meet or nothing was measured.
func (f *figure) met() string {
	if f.target.sense == "" || len(f.values) == 0 {
		return "–"
	}
	m := median(f.values)
	if map[string]bool{
		"≥": m >= f.target.bound,
		"≤": m <= f.target.bound,
		"<": m < f.target.bound,
		"=": m == f.target.bound,
	}[f.target.sense] {
		return "yes"
	}
	return "**no**"
}

// measured shows the median, and between what the single values lay.
func (f *figure) measured() string {
	if len(f.values) == 0 {
		return "not measured"
	}
	text := f.show(median(f.values))
	if lowest, highest := slices.Min(f.values), slices.Max(f.values); lowest != highest {
		text += fmt.Sprintf(" (%s–%s)", number(lowest), number(highest))
	}
	return text
}

func (f *figure) show(value float64) string {
	return strings.TrimSpace(number(value) + " " + f.unit)
}

func (f *figure) aim() string {
	if f.target.sense == "" {
		return "–"
	}
	return f.target.sense + " " + f.show(f.target.bound)
}

// remark is what stands beside the figure's name.
func (f *figure) remark() string {
	if f.err != nil {
		return strings.Join(strings.Fields(f.err.Error()), " ") // on one line
	}
	return f.note
}

// writeTable writes figures as a Markdown table.
func writeTable(w io.Writer, figures []*figure) {
	fmt.Fprintln(w, "| figure | measured | target | met |")
	fmt.Fprintln(w, "|---|---|---|---|")
	for _, f := range figures {
		name := f.name
		if remark := f.remark(); remark != "" {
			name += " – " + strings.ReplaceAll(remark, "|", "\\|")
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", name, f.measured(), f.aim(), f.met())
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile returns the value below which a share of the values lies (nearest
// rank).
func quantile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(share*float64(len(sorted))))-1, 0)]
}

func count(n int) string { return number(float64(n)) }

// number shows three digits of v, and all digits before the point.
func number(v float64) string {
	places := 0
	for limit := 100.0; places < 3 && math.Abs(v) < limit && v != math.Trunc(v); limit /= 10 {
		places++
	}
	text := strconv.FormatFloat(v, 'f', places, 64)
	whole, _, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
