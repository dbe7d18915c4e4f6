package cli

import (
	"encoding/csv"
	"io"
	"strings"
)

// csvWriter writes rows as RFC 4180 has them, but for the ends of lines, which
// are those of Unix.
type csvWriter struct{ w *csv.Writer }

func newCSV(w io.Writer) csvWriter { return csvWriter{csv.NewWriter(w)} }

func (c csvWriter) write(cells ...string) { _ = c.w.Write(cells) } // flush tells

func (c csvWriter) flush() error {
	c.w.Flush()
	return c.w.Error()
}

// cell makes a text that came from people or nodes harmless for a table
// calculation, which takes what begins like this for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		s = "'" + s
	}
	return printable(s)
}
