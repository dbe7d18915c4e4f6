package cli

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
)

// find returns the device that word means: the one with exactly that id, else
// the only one whose id or name it is when upper and lower case are the same.
func find(devices []device, word string) (*device, error) {
	var fits []*device
	for i := range devices {
		d := &devices[i]
		if d.ID == word {
			return d, nil
		}
		if strings.EqualFold(d.ID, word) || strings.EqualFold(d.label(), word) {
			fits = append(fits, d)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return nil, noSuchDevice(devices, word)
	default:
		return nil, ambiguous(fits, word)
	}
}

func ambiguous(fits []*device, word string) error {
	ids := make([]string, len(fits))
	for i, d := range fits {
		ids[i] = d.ID
	}
	return errorf(smartmeter.Invalid, "%d devices are called %s: name one by its id: %s",
		len(fits), strconv.Quote(word), printable(strings.Join(ids, ", ")))
}

func noSuchDevice(devices []device, word string) error {
	hint := "list them with `smartmeter devices`"
	switch near := nearest(devices, word); {
	case len(devices) == 0:
		hint = "the hub has no devices yet"
	case len(near) > 0:
		hint = "did you mean " + printable(strings.Join(near, " or ")) + "?"
	}
	return errorf(smartmeter.NotFound, "there is no device %s: %s", strconv.Quote(word), hint)
}

// nearest returns at most three names or ids that word may be a slip of, the
// likeliest first.
func nearest(devices []device, word string) []string {
	type guess struct {
		text  string
		slips int
	}
	var guesses []guess
	for i := range devices {
		d := &devices[i]
		best := guess{d.label(), slips(word, d.label())}
		if n := slips(word, d.ID); n < best.slips {
			best = guess{d.ID, n}
		}
		if best.slips <= max(1, len([]rune(word))/3) {
			guesses = append(guesses, best)
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(a.slips, b.slips) })
	var names []string
	for _, g := range guesses[:min(3, len(guesses))] {
		names = append(names, strconv.Quote(g.text))
	}
	return names
}

// slips counts the letters to insert, delete or replace to make b of a, upper
// and lower case being the same (Levenshtein's distance). A word that merely
// stops early ("fri") counts as one slip.
func slips(a, b string) int {
	from, to := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	if len(from) > 1 && len(from) < len(to) && slices.Equal(from, to[:len(from)]) {
		return 1
	}
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range to {
			cost := diagonal
			if r != s {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(to)]
}
