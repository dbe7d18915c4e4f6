package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// keepRaw is for how long readings are kept: whole days, 0 for ever.
type keepRaw time.Duration

// A month is thinned when it is over for that long: with less than leastRaw, last
// week's readings could be gone.
const (
	leastRaw = 35
	mostRaw  = 36_500
)

// UnmarshalText reads days like 730d.
func (k *keepRaw) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), "d")
	days, err := strconv.Atoi(number)
	if !ok || err != nil || days < leastRaw || days > mostRaw {
		return fmt.Errorf("%q: give days like 730d, from %dd to %dd", text, leastRaw, mostRaw)
	}
	*k = keepRaw(time.Duration(days) * 24 * time.Hour)
	return nil
}
