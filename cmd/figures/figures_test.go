package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestQuickRun measures everything once, with little of it. What comes out is
// not looked at, only that it does, and that nothing is lost on the way.
func TestQuickRun(t *testing.T) {
	var table, log bytes.Buffer
	if err := run(t.Context(), scaleOf(true), "", &table, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	rooms := map[string]int{}
	for line := range strings.Lines(table.String()) {
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		if len(cells) != 4 || strings.HasPrefix(cells[0], "---") || cells[3] == " met " {
			continue
		}
		room, rest, _ := strings.Cut(strings.TrimSpace(cells[0]), ":")
		rooms[room]++
		if !strings.ContainsAny(cells[1], "0123456789") {
			t.Errorf("no number in %q", line)
		}
		if strings.Contains(rest, "lost") && strings.TrimSpace(cells[1]) != "0" {
			t.Errorf("messages were lost: %q", line)
		}
	}
	for _, room := range []string{"hub", "internal/mqtt alone", "Mosquitto", "wire", "program", "page"} {
		if rooms[room] == 0 {
			t.Errorf("no figure of %s in\n%s", room, &table)
		}
	}
}
