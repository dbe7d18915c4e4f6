package archive

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Month is a month of UTC: how many months after January 1970. Archives have
// months up to the year 9999.
type Month int32

const lastMonth Month = (9999-1970)*12 + 11

// MonthOf returns the month of a time in milliseconds since 1970. Before 1970
// and after 9999 it is a month that no archive takes.
func MonthOf(unixMilli int64) Month {
	t := time.UnixMilli(unixMilli).UTC()
	months := (t.Year()-1970)*12 + int(t.Month()) - 1
	return Month(min(max(months, -1), int(lastMonth)+1))
}

// String returns the month as in "2026-11".
func (m Month) String() string {
	if !m.valid() {
		return fmt.Sprintf("month %d", int32(m))
	}
	return fmt.Sprintf("%04d-%02d", 1970+m/12, 1+m%12)
}

func (m Month) valid() bool {
	return m >= 0 && m <= lastMonth
}

const (
	suffix    = ".smc"
	newSuffix = ".new" // of what Rewrite has not finished
)

// fileName returns the name of a part of a month: the first is "2026-11.smc",
// the second "2026-11.2.smc".
func fileName(m Month, part uint32) string {
	if part == 1 {
		return m.String() + suffix
	}
	return fmt.Sprintf("%s.%d%s", m, part, suffix)
}

// parseName is the inverse of fileName; ok says whether it is such a name.
func parseName(name string) (m Month, part uint32, ok bool) {
	text, isPart := strings.CutSuffix(name, suffix)
	if !isPart {
		return 0, 0, false
	}
	text, number, numbered := strings.Cut(text, ".")
	part = 1
	if numbered {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n < 2 {
			return 0, 0, false
		}
		part = uint32(n)
	}
	t, err := time.Parse("2006-01", text)
	if err != nil {
		return 0, 0, false
	}
	m = MonthOf(t.UnixMilli())
	return m, part, m.valid() && fileName(m, part) == name
}
