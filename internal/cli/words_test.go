package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
)

func TestFind(t *testing.T) {
	devices := []device{
		{ID: "n1", Name: "Fridge"},
		{ID: "n2", Name: "Freezer"},
		{ID: "n3", Name: "Lamp"},
		{ID: "n4", Name: "lamp"},
		{ID: "N3", Name: "n1"}, // called what another is
		{ID: "kettle"},
	}
	tests := map[string]struct{ word, id, err string }{
		"id":                          {"n2", "n2", ""},
		"id before another's name":    {"n1", "n1", ""},
		"id in its own case":          {"N3", "N3", ""},
		"id in another case":          {"N2", "n2", ""},
		"name":                        {"Fridge", "n1", ""},
		"name in another case":        {"FREEZER", "n2", ""},
		"no name":                     {"Kettle", "kettle", ""},
		"two names":                   {"LAMP", "", `2 devices are called "LAMP": name one by its id: n3, n4`},
		"two names, one as written":   {"Lamp", "", `2 devices are called "Lamp": name one by its id: n3, n4`},
		"id of one, name of another":  {"N1", "", `2 devices are called "N1": name one by its id: n1, N3`},
		"letters swapped":             {"fridgee", "", `there is no device "fridgee": did you mean "Fridge"?`},
		"beginning of a name":         {"free", "", `there is no device "free": did you mean "Freezer"?`},
		"beginning of several, ids":   {"ket", "", `there is no device "ket": did you mean "kettle"?`},
		"slip in an id":               {"n5", "", `there is no device "n5": did you mean "n1" or "n2" or "n3"?`},
		"nothing like it":             {"aquarium", "", "there is no device \"aquarium\": list them with `smartmeter devices`"},
		"nothing at all":              {"", "", "there is no device \"\": list them with `smartmeter devices`"},
		"something with a terminator": {"\x1b[2J", "", "there is no device \"\\x1b[2J\": list them with `smartmeter devices`"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := find(devices, tt.word)
			if tt.err == "" && (err != nil || d.ID != tt.id) {
				t.Fatalf("find(%q) = %v, %v, want %s", tt.word, d, err, tt.id)
			}
			if tt.err != "" && (err == nil || err.Error() != tt.err) {
				t.Fatalf("find(%q): error\n%v, want\n%s", tt.word, err, tt.err)
			}
		})
	}
	if _, err := find(nil, "fridge"); smartmeter.CodeOf(err) != smartmeter.NotFound {
		t.Errorf("find among none: %v, want a not_found", err)
	}
}

func TestSlips(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"kitten", "sitting", 3},
		{"Fridge", "fRIDGE", 0},
		{"wärme", "warme", 1},
		{"fri", "fridge", 1},
		{"fridge", "fri", 3},
	} {
		if got := slips(tt.a, tt.b); got != tt.want {
			t.Errorf("slips(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestSeen(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	got := map[time.Duration]string{}
	for _, age := range []time.Duration{
		-time.Hour, 0, 999 * time.Millisecond, time.Second, 59 * time.Second, time.Minute,
		59 * time.Minute, time.Hour, 47 * time.Hour, 48 * time.Hour, 1000 * time.Hour,
	} {
		then := now.Add(-age)
		got[age] = seen(&then, now)
	}
	want := map[time.Duration]string{
		-time.Hour: "now", 0: "now", 999 * time.Millisecond: "now",
		time.Second: "1 s ago", 59 * time.Second: "59 s ago",
		time.Minute: "1 min ago", 59 * time.Minute: "59 min ago",
		time.Hour: "1 h ago", 47 * time.Hour: "47 h ago",
		48 * time.Hour: "2 d ago", 1000 * time.Hour: "41 d ago",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBackOffGrowsAndEnds(t *testing.T) {
	for n, want := range map[int]time.Duration{
		0: 500 * time.Millisecond, 1: time.Second, 4: 8 * time.Second, 5: 16 * time.Second, 1000: 16 * time.Second,
	} {
		for range 100 {
			if got := backOff(n); got < want || got >= want*3/2 {
				t.Fatalf("backOff(%d) = %v, want %v to %v", n, got, want, want*3/2)
			}
		}
	}
}
