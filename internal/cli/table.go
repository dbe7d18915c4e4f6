package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// column is a column's heading; figures stand to the right.
type column struct {
	head  string
	right bool
}

// writeTable writes rows under their headings, two spaces between columns and
// none at the end of a line.
func writeTable(w io.Writer, columns []column, rows [][]string) error {
	widths := make([]int, len(columns))
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i], widths[i] = c.head, utf8.RuneCountInString(c.head)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range append([][]string{heads}, rows...) {
		var line strings.Builder
		for i, cell := range row {
			if columns[i].right {
				line.WriteString(padLeft(cell, widths[i]) + "  ")
			} else {
				line.WriteString(padRight(cell, widths[i]) + "  ")
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// padRight and padLeft fill s up to a width in characters, not bytes.
func padRight(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) + s
}
